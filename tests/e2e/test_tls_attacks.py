"""Clients of TLS that mean no good. Whatever they do, the others go on being served, and nothing stays behind."""
import os
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from harness import daemon as daemon_module
from harness import tls, wait

pytestmark = pytest.mark.sanitize

HELLO = [{"path": "/hello", "reply": {"body": "hello"}}]
REQUEST = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


def vector(data, width):
    return len(data).to_bytes(width, "big") + data


def extension(number, data):
    return struct.pack("!HH", number, len(data)) + data


def client_hello(*extensions, ciphers=b"\xc0\x2b\xc0\x2f"):
    """A hello of TLS 1.2 in one record, with what OpenSSL wants to see and then these extensions."""
    known = (extension(10, vector(b"\x00\x1d\x00\x17", 2)) + extension(11, vector(b"\x00", 1)) +
             extension(13, vector(b"\x04\x03\x08\x04\x04\x01", 2)))
    body = b"\x03\x03" + os.urandom(32) + vector(b"", 1) + vector(ciphers, 2) + vector(b"\x00", 1) + \
        vector(known + b"".join(extensions), 2)
    handshake = b"\x01" + vector(body, 3)
    return b"\x16\x03\x01" + vector(handshake, 2)


def server_name(name, kind=0):
    return extension(0, vector(bytes([kind]) + vector(name, 2), 2))


def kind_of_reply(d, hello):
    """What the first record that comes is."""
    with socket.create_connection(("127.0.0.1", d.port)) as sock:
        sock.sendall(hello)
        sock.settimeout(wait.PATIENCE)
        head = sock.recv(5)
        return {0x16: "hello", 0x15: "alert"}.get(head[0] if head else None, "nothing")


def assert_serves(d, pki):
    with tls.Client(d.port, pki.ca) as client:
        assert client.request("/hello").body == b"hello"


# ---- hellos

def test_strange_names_get_the_first_certificate_or_an_alert(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    for name in (b"localhost", b"nowhere.test", b"\xff\xfe\xfd", b"*", b"..", b".", b"%n%s%x", b"a" * 255, b"1.2.3.4", b"LOCALHOST.", b""):
        assert kind_of_reply(d, client_hello(server_name(name))) == "hello", name
    for name in (b"local\0host", b"a" * 256, b"a" * 16000):
        assert kind_of_reply(d, client_hello(server_name(name))) == "alert", name
    broken = (extension(0, b""), extension(0, b"\x00"), extension(0, b"\xff\xff\x00"), extension(0, b"\x00\x05\x00\x00\xffab"),
              server_name(b"x") + server_name(b"y"), extension(0, vector((b"\x00" + vector(b"x", 2)) * 2, 2)))
    for ext in broken:
        assert kind_of_reply(d, client_hello(ext)) == "alert", ext
    assert_serves(d, pki)


def test_strange_protocol_lists(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))

    def alpn(*names):
        return extension(16, vector(b"".join(vector(n, 1) for n in names), 2))
    assert kind_of_reply(d, client_hello(alpn(b"h2", b"http/1.1"))) == "hello"
    for ext in (alpn(b"h2"), alpn(b"http/1.1\0"), alpn(b"HTTP/1.1"), alpn(b"\xff" * 255), alpn(), alpn(b""),
                extension(16, b"\x00\x09\x20http/1.1"), extension(16, b"\x00")):
        assert kind_of_reply(d, client_hello(ext)) == "alert", ext
    assert_serves(d, pki)


def test_hellos_that_are_huge_cut_or_nothing_we_speak(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    assert kind_of_reply(d, client_hello(extension(21, bytes(12000)))) == "hello", "padding is fine"
    assert kind_of_reply(d, client_hello(ciphers=b"\x00\x05\x00\x04")) == "alert", "RC4"
    assert kind_of_reply(d, client_hello(ciphers=b"\x00")) == "alert"
    assert kind_of_reply(d, b"\x16\x03\x01" + vector(b"\x01\xff\xff\xff" + bytes(1000), 2)) == "alert", "of 16 MiB"
    assert kind_of_reply(d, b"\x16\x03\x01\x00\x00" * 200) == "alert", "empty records"
    assert kind_of_reply(d, b"\x15\x03\x01\x00\x02\x01\x00" * 200) == "alert", "warnings without end"
    whole = client_hello(server_name(b"localhost"))
    for cut in range(0, len(whole) - 1, 13):
        with socket.create_connection(("127.0.0.1", d.port)) as sock:
            sock.sendall(whole[:cut])
            sock.shutdown(socket.SHUT_WR)
            assert tls.drain(sock)[:1] in (b"", b"\x15")
    wait.until(lambda: d.metric("gatherd_client_connections") == 0, "connections to be gone")
    assert_serves(d, pki)


def test_a_hello_byte_by_byte_is_served_or_timed_out(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    talk = tls.client_context(pki.ca).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        talk.do_handshake()
    hello = outgoing.read()
    with socket.create_connection(("127.0.0.1", d.port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(hello)):
            sock.send(hello[i:i + 1])
        assert sock.recv(5)[0] == 0x16
    d = gatherd(HELLO, listener={**tls.listener(pair), "timeouts": {"handshake": "1s"}})
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", d.port)) as sock:
        with pytest.raises(OSError):  # slowness wins no time
            for i in range(len(hello) - 1):
                sock.send(hello[i:i + 1])
                time.sleep(0.05)
    assert time.monotonic() - began > 0.9
    wait.until(lambda: d.metric("gatherd_client_handshakes_total", reason="request_timeout") == 1, "it to be counted")


# ---- after the handshake

def said_until(child, is_said):
    """What a program has said once it has said that, or at its end."""
    said = b""
    while not is_said(said):
        assert select.select([child.stdout], [], [], wait.PATIENCE)[0], said[-600:]
        more = os.read(child.stdout.fileno(), 65536)
        if not more:
            return said
        said += more
    return said


def test_renegotiation_is_refused(gatherd, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    said = tls.s_client(d.port, "-tls1_2", "-quiet", "-legacy_renegotiation", send=b"R\n")
    assert "RENEGOTIATING" not in said or "no renegotiation" in said or "error" in said.lower(), said
    child = subprocess.Popen(["openssl", "s_client", "-tls1_2", "-connect", "127.0.0.1:%d" % d.port], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    child.stdin.write(b"R\n")
    child.stdin.flush()
    out = said_until(child, lambda said: b"RENEGOTIATING" in said and b":error:" in said)
    out += child.communicate(timeout=wait.PATIENCE)[0]
    assert b"RENEGOTIATING" in out and (b"no renegotiation" in out or b"handshake failure" in out), out[-600:]


def test_early_data_is_not_served_twice(gatherd, upstream, pki, pair, tmp_path):
    """Whoever records a client's early data could send it again: it is not taken at all (RFC 8470)."""
    up = upstream()
    d = gatherd([{"path": "/x", "methods": "any", "calls": {"one": {"upstream": "up", "path": "/one"}}}], {"up": up},
                listener=tls.listener(pair))
    request = b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    early = tmp_path / "early"
    early.write_bytes(request)
    assert "Max Early Data: 0" in tls.s_client(d.port, "-tls1_3", "-sess_out", tmp_path / "s", "-ign_eof", send=request)
    assert len(up.requests) == 1
    said = tls.s_client(d.port, "-tls1_3", "-sess_in", tmp_path / "s", "-early_data", early, "-ign_eof", send=request)
    assert "Early data was accepted" not in said
    assert len(up.requests) == 2


@pytest.mark.parametrize("letter", ["K", "k"])
def test_key_updates_without_end_are_borne(gatherd, pki, pair, letter):
    d = gatherd(HELLO, listener=tls.listener(pair))
    child = subprocess.Popen(["openssl", "s_client", "-tls1_3", "-connect", "127.0.0.1:%d" % d.port], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = b""
    for _ in range(50):
        child.stdin.write(letter.encode() + b"\n")  # a command is one line that stands alone in what is read
        child.stdin.flush()
        out += said_until(child, lambda said: b"KEYUPDATE" in said)
    assert_serves(d, pki)
    child.stdin.write(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    child.stdin.flush()
    wait.until(lambda: d.metric("gatherd_requests_total") == 2, "its request to be served")
    out += child.communicate(timeout=wait.PATIENCE)[0]
    assert b"hello" in out and out.count(b"KEYUPDATE") == 50


def test_records_that_are_forged_end_the_connection(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    for forged in (b"\x17\x03\x03\x00\x20" + bytes(32), b"\x17\x03\x03\xff\xff" + bytes(2000), b"\x17\x03\x03\x00\x00" * 50,
                   b"\x14\x03\x03\x00\x01\x01" * 50, b"\x16\x03\x03\x00\x04\x00\x00\x00\x00", REQUEST):
        with tls.Client(d.port, pki.ca) as client:
            assert client.request("/hello").status == 200
            plain = socket.socket(fileno=os.dup(client.sock.fileno()))
            plain.settimeout(wait.PATIENCE)
            plain.sendall(forged)
            tls.drain(plain)
            plain.close()
    wait.until(lambda: d.metric("gatherd_client_connections") == 0, "connections to be gone")
    assert_serves(d, pki)


# ---- certificates and sessions

def test_huge_client_certificates_are_refused_or_borne(gatherd, pki, pair, tmp_path):
    alice = pki.issue("alice", ",".join("DNS:n%d.example.org" % i for i in range(1500)))
    plenty = tmp_path / "plenty.pem"
    plenty.write_text(open(alice[0]).read() + "".join(open(pki.ca).read() for _ in range(400)))
    d = gatherd(HELLO, listener=tls.listener(pair, client_ca=pki.ca, client_auth="required"))
    for _ in range(3):
        with tls.Client(d.port, pki.ca, context=tls.client_context(pki.ca, alice)) as client:
            assert client.request("/hello").status == 200
        with pytest.raises(OSError):
            with tls.Client(d.port, pki.ca, context=tls.client_context(pki.ca, (str(plenty), alice[1]))) as client:
                client.request("/hello")
    assert d.metric("gatherd_client_handshakes_total", reason="none") == 3


@pytest.mark.threads
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_tickets_outlive_a_hangup_in_every_worker(gatherd, pair, tmp_path, version):
    d = gatherd(HELLO, listener=tls.listener(pair), workers=2)
    request = b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert "New, " in tls.s_client(d.port, version, "-sess_out", tmp_path / "s", "-ign_eof", send=request)
    for n in range(3):
        d.signal(signal.SIGHUP)
        wait.until(lambda: d.stderr().count("certificates read again") > n, "the files to be read")
        for _ in range(4):
            assert "Reused, " in tls.s_client(d.port, version, "-sess_in", tmp_path / "s", "-ign_eof", send=request)


@pytest.mark.threads
def test_certificates_change_under_load(gatherd, pki, pair, tmp_path):
    d = gatherd(HELLO, listener=tls.listener(pair), workers=2)
    pairs = [pki.issue("one"), pki.issue("two", kind="rsa")]
    times = 200 if daemon_module.is_sanitized() else 3000
    n = 0
    while n <= 3:  # a load may be over before they have changed
        loads = [subprocess.Popen([daemon_module.tool("tlsload"), "-n", str(times), "-c", "8", mode, str(d.port), "/hello"],
                                  stdout=subprocess.PIPE, text=True) for mode in ("full", "requests")]
        while any(load.poll() is None for load in loads):
            for old, new in zip(pair, pairs[n % 2]):
                shutil.copy(new, old + ".tmp")
                os.rename(old + ".tmp", old)
            d.signal(signal.SIGHUP)
            n += 1
            time.sleep(0.03)
        assert [load.wait() for load in loads] == [0, 0], "no handshake and no request has failed"
    assert_serves(d, pki)


# ---- floods

def test_thousands_of_half_open_handshakes(gatherd, pki, pair):
    """With 200 allowed: who is established does not notice, new ones come through, and memory is bounded."""
    more = {"limits": {"handshakes": 200, "connections": 20000}}
    d = gatherd(HELLO, listener={**tls.listener(pair), **more})
    count = 500 if daemon_module.is_sanitized() else 4000
    hello = client_hello(server_name(b"localhost"))
    with tls.Client(d.port, pki.ca) as client:
        assert client.request("/hello").status == 200
        before = d.memory()
        flood = []
        for i in range(count):
            sock = socket.create_connection(("127.0.0.1", d.port))
            sock.send(hello if i % 3 == 0 else hello[:100] if i % 3 == 1 else b"\x16")
            flood.append(sock)
            if i % 50 == 0:
                assert client.request("/hello").body == b"hello"
        assert_serves(d, pki)
        d.check_memory(before, count * 1500 + 200 * 60000 + (4 << 20))
        for sock in flood:
            sock.close()
        wait.until(lambda: d.metric("gatherd_client_connections") == 1, "the flood to be gone")
        assert client.request("/hello").status == 200
    assert d.metric("gatherd_client_handshakes_total", reason="overloaded") > 0


def test_clients_that_never_read_are_let_go(gatherd, pki, pair):
    """Requests without end, and nothing of the answers is read: what is held for such a client is bounded."""
    body = "x" * 60000
    d = gatherd([{"path": "/hello", "reply": {"body": "hello"}}, {"path": "/big", "reply": {"body": body}}],
                listener={**tls.listener(pair), "timeouts": {"write_stall": "1s"}})
    before = d.memory()
    clients = [tls.Client(d.port, pki.ca) for _ in range(20)]
    for client in clients:
        client.sock.settimeout(0.2)
        with pytest.raises(OSError):
            while True:
                client.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
    d.check_memory(before, 16 << 20)
    assert_serves(d, pki)
    wait.until(lambda: d.metric("gatherd_client_connections") == 0, "those to be disconnected")
    for client in clients:
        client.sock.close()

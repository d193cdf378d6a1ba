"""What a kernel does that encrypts (kTLS): run where one is, by `make check-ktls` in a virtual machine."""
import os
import ssl
import subprocess
import time

import pytest

from harness import tls, wait
from harness.websocket import ANSWER, OFFER

HELLO = {"path": "/hello", "reply": {"body": "hello"}}
ECHO = {"path": "/echo", "methods": "any", "proxy": {"upstream": "up"}}
TUNNEL = {"path": "/ws", "proxy": {"upstream": "up", "upgrade": ["websocket"]}}
# what is asked for in the configuration, and whether the kernel is given it
CIPHERS = [("1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", True), ("1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", True),
           ("1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", True), ("1.2", "ECDHE-ECDSA-AES128-CCM", False),
           ("1.2", "ECDHE-ECDSA-AES128-SHA", False),
           ("1.3", "TLS_AES_128_GCM_SHA256", True), ("1.3", "TLS_AES_256_GCM_SHA384", True),
           ("1.3", "TLS_CHACHA20_POLY1305_SHA256", True)]


def kernel(counter):
    with open("/proc/net/tls_stat") as f:
        return int(dict(line.split() for line in f)[counter])


@pytest.fixture(autouse=True)
def nothing_stays_behind():
    yield
    wait.until(lambda: kernel("TlsCurrTxSw") == 0, "the kernel to forget the connections")
    assert kernel("TlsRxSw") == 0, "reading is the daemon's own"


def with_cipher(version, cipher):
    return {"ciphers" if version == "1.2" else "ciphersuites": cipher}


def version_of(version):
    only = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
    return {"minimum_version": only, "maximum_version": only}


def echo(conn):
    conn.reply(conn.request.body, content_type="application/octet-stream")


@pytest.mark.parametrize("version,cipher,is_kernels", CIPHERS)
def test_bodies_cross_whole(gatherd, upstream, pki, pair, version, cipher, is_kernels):
    d = gatherd([HELLO, ECHO], {"up": upstream(echo)}, listener=tls.listener(pair, ktls=True, **with_cipher(version, cipher)))
    context = tls.client_context(pki.ca, **version_of(version))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with tls.Client(d.port, pki.ca, context=context) as client:
        assert client.sock.cipher()[0] == cipher
        for size in (0, 1, 16383, 16384, 16385, 100000, 3 << 20):
            body = os.urandom(size)
            is_whole = client.request("/echo", "POST", body=body).body == body
            assert is_whole, size
            assert client.request("/hello").body == b"hello"
        assert not is_kernels or kernel("TlsCurrTxSw") > 0
    assert d.metric("gatherd_client_ktls_total") == is_kernels


# ---- clients that are slow, and ends

@pytest.fixture
def little_room():
    """Sockets hold as little as over a real network, not megabytes as on the loopback."""
    path = "/proc/sys/net/ipv4/tcp_wmem"
    with open(path) as f:
        before = f.read()
    with open(path, "w") as f:
        f.write("4096 16384 65536")
    yield
    with open(path, "w") as f:
        f.write(before)


def slowly(read):
    """All that read() gives, and the last of it is the end."""
    came = []
    while not came or came[-1]:
        came.append(read())
        time.sleep(0.0005)
    return b"".join(came)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_slow_client_gets_all_and_an_orderly_end(gatherd, upstream, pki, pair, little_room, version):
    body = os.urandom(150000)
    sizes = iter(range(100000, 150000, 1777))
    up = upstream(lambda conn: conn.reply(body[:next(sizes)], content_type="application/octet-stream"))
    d = gatherd([ECHO], {"up": up}, listener=tls.listener(pair, ktls=True))
    for size in range(100000, 150000, 1777):
        client = tls.BareClient(d.port, pki.ca, receive_buffer=4096, **version_of(version))
        client.send(b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        is_whole = slowly(lambda: client.read(2000)).endswith(b"\r\n\r\n" + body[:size])
        assert is_whole, size
        client.close()
    assert d.metric("gatherd_client_ktls_total") == len(range(100000, 150000, 1777))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_slow_client_that_has_ended_hears_the_rest(gatherd, upstream, pki, pair, little_room, version):
    """Both directions of the tunnel have ended, and the last bytes are still with the kernel."""
    body = os.urandom(150000)
    sizes = iter(range(100000, 150000, 1777))

    def late(conn):
        conn.send(ANSWER)
        conn.reader.to_eof()
        conn.send(body[:next(sizes)])
        conn.close()
    d = gatherd([TUNNEL], {"up": upstream(late)}, listener=tls.listener(pair, ktls=True))
    asked = "".join("%s: %s\r\n" % field for field in OFFER)
    for size in range(100000, 150000, 1777):
        client = tls.BareClient(d.port, pki.ca, receive_buffer=4096, **version_of(version))
        client.send(("GET /ws HTTP/1.1\r\nHost: x\r\n%s\r\n" % asked).encode())
        client.until(b"\r\n\r\n")
        client.half_close()
        came = slowly(lambda: client.read(2000))
        assert (len(came), came == body[:size]) == (size, True)
        client.close()


# ---- keys, tickets, clients that leave

def after_other_keys(d, letter):
    """What s_client prints of a request after its command `letter`: k: its own keys change; K: both sides' shall."""
    child = subprocess.Popen(["openssl", "s_client", "-tls1_3", "-connect", "127.0.0.1:%d" % d.port], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = b""
    for line, mark in ((letter + b"\n", b"KEYUPDATE"), (LAST, b"closed\n")):
        child.stdin.write(line)
        child.stdin.flush()
        while mark not in out and (more := os.read(child.stdout.fileno(), 65536)):
            out += more
    child.communicate(timeout=20)
    assert b"KEYUPDATE" in out, out
    return out


LAST = b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_a_client_may_change_its_own_keys(gatherd, pki, pair):
    d = gatherd([HELLO], listener=tls.listener(pair, ktls=True))
    assert b"\r\n\r\nhello" in after_other_keys(d, b"k")


def test_a_client_that_asks_for_other_keys_is_disconnected(gatherd, pki, pair):
    """The kernel has been given keys and takes no others; tests/unit/net/test_stream_tls.c has it without a kernel. At
    the latest when its request is due: s_client waits for the other keys before it sends one."""
    d = gatherd([HELLO], listener={**tls.listener(pair, ktls=True), "timeouts": {"header": "5s"}})
    assert b"hello" not in after_other_keys(d, b"K")
    with tls.Client(d.port, pki.ca) as client:
        assert client.request("/hello").body == b"hello"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_sessions_are_resumed(gatherd, pair, version):
    d = gatherd([HELLO], listener=tls.listener(pair, ktls=True))
    assert tls.tlsload("resumed", d.port, "/hello", "-V", version, "-n", 50)["done"] == 50
    assert d.metric("gatherd_client_resumptions_total") >= 49
    assert d.metric("gatherd_client_ktls_total") == d.metric("gatherd_client_handshakes_total", reason="none")


def test_aborted_handshakes_leave_nothing(gatherd, pair):
    d = gatherd([HELLO], listener={**tls.listener(pair, ktls=True), "timeouts": tls.WAITS_END})
    tls.survive_aborts(d, 2000)


# ---- what it costs

def cpu(d):
    """Seconds of the process, in user mode and in the kernel."""
    with open("/proc/%d/stat" % d.process.pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:13]]


def test_what_it_costs(gatherd, upstream, pki, pair):
    """No verdict: a machine that is emulated says something of relations alone."""
    body = os.urandom(4 << 20)
    up = upstream(lambda conn: conn.reply(body, content_type="application/octet-stream"))
    d = {has: gatherd([HELLO, ECHO], {"up": up}, listener=tls.listener(pair, ktls=has)) for has in (False, True)}

    def large(port):
        for _ in range(4):
            subprocess.run(["curl", "-sk", "-o", "/dev/null", "https://localhost:%d/echo" % port], check=True, timeout=60)
    said = []
    loads = {"200 handshakes": lambda port: tls.tlsload("full", port, "/hello", "-n", 200),
             "200 resumed": lambda port: tls.tlsload("resumed", port, "/hello", "-n", 200),
             "4000 small answers": lambda port: tls.tlsload("requests", port, "/hello", "-n", 4000, "-c", 20),
             "4 answers of 4 MiB": large}
    for name, load in loads.items():
        for has in (False, True, False, True):
            before = cpu(d[has])
            load(d[has].port)
            user, system = (now - then for now, then in zip(cpu(d[has]), before))
            said.append("%-20s ktls %-5s user %5.2f s, system %5.2f s, together %5.2f s" % (name, has, user, system, user + system))
    with open("/dev/console", "w") as console:  # pytest's workers keep what is printed
        console.write("\n".join(["", *said, ""]))

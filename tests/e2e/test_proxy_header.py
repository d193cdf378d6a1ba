"""The PROXY protocol: who the client is when something in front passes connections on."""
import shutil
import socket
import struct
import subprocess

import pytest
from harness import tls, wait, wire

pytestmark = pytest.mark.sanitize

REPLY = {"path": "/hello", "reply": {"status": 200, "body": "hello"}}
TRUSTING = {"proxy_protocol": True, "trusted_proxies": ["127.0.0.0/8"]}
REQUEST = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(source, port=5000, command=0x21, extensions=b""):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    there = socket.inet_pton(family, "::1" if ":" in source else "127.0.0.1")
    addresses = socket.inet_pton(family, source) + there + struct.pack("!HH", port, 443) + extensions
    return SIGNATURE + bytes([command, 0x21 if ":" in source else 0x11]) + struct.pack("!H", len(addresses)) + addresses


@pytest.mark.parametrize("header, client", [
    (b"PROXY TCP4 203.0.113.9 198.51.100.1 5000 443\r\n", "203.0.113.9"),
    (b"PROXY TCP6 2001:db8::9 2001:db8::1 5000 443\r\n", "2001:db8::9"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (v2("203.0.113.9"), "203.0.113.9"),
    (v2("2001:db8::9"), "2001:db8::9"),
    (v2("::ffff:203.0.113.9"), "203.0.113.9"),
    (v2("203.0.113.9", extensions=b"\x04" + struct.pack("!H", 3000) + bytes(3000)), "203.0.113.9"),
    (v2("203.0.113.9", command=0x20), "127.0.0.1"),
    (SIGNATURE + b"\x20\0\0\0", "127.0.0.1"),
    (SIGNATURE + b"\x21\0\0\3abc", "127.0.0.1"),
    (SIGNATURE + b"\x21\x31\0\xd8" + bytes(216), "127.0.0.1"),
])
def test_the_client_is_who_the_header_names(gatherd, header, client):
    d = gatherd([REPLY], listener=TRUSTING)
    with d.client() as c:
        c.send(header + REQUEST)
        assert c.read_response().body == b"hello"
        assert c.request("/hello").body == b"hello", "one header per connection"
    with d.client() as c:
        for byte in header:
            c.send(bytes([byte]))
        c.send(REQUEST)
        assert c.read_response().body == b"hello"
    assert [record["client"] for record in d.access_log(3)] == [client] * 3


@pytest.mark.parametrize("begin", [
    REQUEST, b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n" + REQUEST, b"PROXY TCP4 ::1 1.2.3.4 1 2\r\n" + REQUEST,
    b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n" + REQUEST, SIGNATURE + b"\x21\x11\0\x08" + bytes(8) + REQUEST,
    SIGNATURE + b"\x21\x12\0\x0c" + bytes(12) + REQUEST, SIGNATURE + b"\x31\x11\0\x0c" + bytes(12) + REQUEST,
    b"PROXY TCP4 203.0.113.9 198.51.100.1 5000 443\n" + REQUEST, SIGNATURE + b"\x21\x11\xff\xff" + REQUEST])
def test_what_is_no_header_is_closed_without_an_answer(gatherd, begin):
    d = gatherd([REPLY], listener=TRUSTING)
    with d.client() as c:
        c.send(begin)
        assert c.is_closed()
    assert d.metric("gatherd_client_proxy_headers_refused_total", listener="public") == 1
    assert "sent no valid PROXY header; closed" in d.stderr()


def test_only_trusted_proxies_may_name_a_client(gatherd):
    d = gatherd([REPLY], listener={"proxy_protocol": True, "trusted_proxies": ["10.0.0.0/8"]})
    with d.client() as c:
        assert c.is_closed()
    assert "is not one of trusted_proxies; closed" in d.stderr()


def test_without_proxy_protocol_a_header_is_a_bad_request(gatherd):
    d = gatherd([REPLY], listener={"trusted_proxies": ["127.0.0.0/8"]})
    with d.client() as c:
        c.send(b"PROXY TCP4 203.0.113.9 198.51.100.1 5000 443\r\n" + REQUEST)
        assert c.read_response().status == 400


def test_a_header_has_its_time(gatherd):
    d = gatherd([REPLY], listener={**TRUSTING, "timeouts": {"header": "200ms"}})
    with d.client() as c:
        c.send(b"PROXY TCP4")
        assert c.is_closed()
    assert "sent no whole PROXY header in time; closed" in d.stderr()


def test_whoever_may_open_a_unix_socket_may_name_clients(gatherd, tmp_path):
    path = str(tmp_path / "http.sock")
    d = gatherd([REPLY], listener={"address": "unix:" + path, "proxy_protocol": True})
    with wire.Client(path) as c:
        c.send(v2("203.0.113.9") + REQUEST)
        assert c.read_response().body == b"hello"
    assert d.access_log()[0]["client"] == "203.0.113.9"


def test_the_header_comes_before_tls(gatherd, tmp_path):
    pki = tls.Pki(tmp_path)
    pair = pki.issue("site")
    d = gatherd([REPLY], listener={**TRUSTING, "tls": {"certificate": pair[0], "key": pair[1]}})
    asked = subprocess.run(["curl", "-sS", "--max-time", "20", "--haproxy-protocol", "--cacert", pki.ca,
                            "https://localhost:%d/hello" % d.port], capture_output=True, text=True, timeout=wait.PATIENCE)
    assert asked.stdout == "hello", asked.stderr
    assert d.metric("gatherd_client_handshakes_total", listener="public", reason="none") == 1


def test_connections_without_a_header_do_not_hold_up_the_end(gatherd):
    d = gatherd([REPLY], listener={**TRUSTING, "timeouts": {"header": "1h"}})
    with d.client() as silent, d.client() as half:
        half.send(b"PROXY ")
        wait.until(lambda: d.metric("gatherd_client_connections", listener="public") == 2, "two connections")
        d.signal(15)
        assert d.wait() == 0
        assert silent.is_closed() and half.is_closed()


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
def test_haproxy_in_front(gatherd, tmp_path, version):
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if haproxy is None:
        pytest.skip("Debian's package haproxy is not there")
    d = gatherd([REPLY], listener=TRUSTING)
    front = str(tmp_path / "front.sock")
    conf = tmp_path / "haproxy.cfg"
    conf.write_text("defaults\n mode tcp\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n"
                    "listen front\n bind unix@%s\n server one 127.0.0.1:%d %s\n" % (front, d.port, version))
    process = subprocess.Popen([haproxy, "-db", "-f", str(conf)])
    try:
        def connected():
            try:
                return wire.Client(front)
            except OSError:
                return None
        with wait.until(connected, "haproxy") as c:
            assert c.request("/hello").body == b"hello"
    finally:
        process.terminate()
        process.wait(wait.PATIENCE)


# ---- to upstreams

ROUTES = [{"path": "/p/{rest...}", "proxy": {"upstream": "back", "path": "/hello"}},
          {"path": "/c", "calls": {"it": {"upstream": "back", "path": "/hello", "as": "text"}}}]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("client", ["203.0.113.9", "2001:db8::9"])
def test_upstreams_are_told_who_the_client_is(gatherd, version, client):
    back = gatherd([REPLY], listener=TRUSTING)
    front = gatherd(ROUTES, {"back": {"servers": ["http://127.0.0.1:%d" % back.port], "proxy_protocol": version}},
                    listener={"trusted_proxies": ["127.0.0.0/8"]})
    with front.client() as c:
        for named in (client, "192.0.2.77"):
            for target, body in (("/p/x", b"hello"), ("/c", b'{"it":"hello"}')):
                answer = c.request(target, fields=[("X-Forwarded-For", named)])
                assert (answer.status, answer.body) == (200, body)
    assert [record["client"] for record in back.access_log(4)] == [client] * 2 + ["192.0.2.77"] * 2
    assert back.metric("gatherd_client_connections_total", listener="public") == 4, "one client, one connection"


def test_a_client_without_an_address_is_unknown(gatherd, upstream, tmp_path):
    back = gatherd([REPLY], listener=TRUSTING)
    path = str(tmp_path / "front.sock")
    gatherd(ROUTES, {"back": {"servers": ["http://127.0.0.1:%d" % back.port], "proxy_protocol": "v2"}},
            listener={"address": "unix:" + path})
    with wire.Client(path) as c:
        assert c.request("/p/x").body == b"hello"
    assert back.access_log()[0]["client"] == "127.0.0.1"

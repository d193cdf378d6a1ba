"""What becomes of two connections after an upgrade, byte by byte: nothing is lost, ends are passed on, memory is bounded."""
import hashlib
import random
import socket
import subprocess
import threading
import time

import pytest
from harness import expect, tls, wait, wire
from harness.websocket import ANSWER, OFFER

pytestmark = pytest.mark.sanitize

ROUTES = [{"path": "/ws", "proxy": {"upstream": "up", "upgrade": ["websocket"]}},
          {"path": "/warm", "proxy": {"upstream": "up", "upgrade": ["websocket"]}},
          {"path": "/attach", "methods": "any", "proxy": {"upstream": "up", "upgrade": ["tcp", "SPDY/3.1"]}}]


def accepting(then, answer=ANSWER):
    """Answers the upgrade; `then` goes on with the connection."""
    def handler(conn):
        conn.send(answer)
        then(conn)
        conn.close()
    return handler


def upgrade(d, more=b""):
    """A client that has asked, and sent `more` in the same write."""
    client = d.client()
    lines = ["GET /ws HTTP/1.1", "Host: x"] + ["%s: %s" % field for field in OFFER]
    client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + more)
    return client


def warm(d, up):
    """What the first tunnel brings into memory is not its own cost."""
    up.on("/warm", accepting(lambda conn: None))
    with d.client() as client:
        client.write_request("/warm", fields=OFFER)
        assert client.read_head().status == 101
    return d.memory()


def numbered(seed, size):
    return random.Random(seed).randbytes(size)


def swap(conn):
    """Sends 3 MB while it reads to the end; notes what that was, and ends its own direction when both are done."""
    conn.heard = conn.reader.swap(numbered(2, 3000000))


def transports():
    return pytest.mark.parametrize("front,back", [("plain", "plain"), ("tls", "plain"), ("plain", "tls"), ("tls", "tls")])


def start(gatherd, upstream, pki, handler, front, back, **how):
    pair = pki.issue("site")
    up = upstream(pair, handler, kind=tls.TlsUpstream) if back == "tls" else upstream(handler)
    conf = {"servers": [up.url], **({"tls": {"ca": pki.ca}} if back == "tls" else {})}
    return gatherd(ROUTES, {"up": conf}, listener={"tls": {"certificate": pair[0], "key": pair[1]}} if front == "tls" else {},
                   **how), up


class Plain:
    """As tls.BareClient, without TLS."""

    def __init__(self, port):
        self.wire = wire.Client(port)
        self.sock, self.send, self.half_close, self.close = self.wire.sock, self.wire.send, self.wire.half_close, self.wire.close

    def until(self, mark):
        return self.wire.reader.until(mark) + mark

    def to_eof(self):
        return self.wire.reader.to_eof()

    def swap(self, data):
        return self.wire.reader.swap(data, self.half_close)


def open_tunnel(d, pki, front, more=b""):
    client = tls.BareClient(d.port, pki.ca) if front == "tls" else Plain(d.port)
    lines = ["GET /ws HTTP/1.1", "Host: x"] + ["%s: %s" % field for field in OFFER]
    client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + more)
    return client


# ---- half-close

@transports()
def test_a_client_that_ends_first_hears_the_rest(gatherd, upstream, pki, front, back):
    def late(conn):
        conn.heard = conn.reader.to_eof()
        conn.send(numbered(1, 1000000))
    d, up = start(gatherd, upstream, pki, accepting(late), front, back)
    client = open_tunnel(d, pki, front, b"all that I have")
    assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    client.half_close()
    expect.is_same(client.to_eof(), numbered(1, 1000000), "what the client heard")
    assert up.conns[0].heard == b"all that I have"
    client.close()
    assert d.access_log()[0]["reason"] == "none"


@transports()
def test_a_server_that_ends_first_hears_the_rest(gatherd, upstream, pki, front, back):
    def early(conn):
        conn.send(b"that is all.")
        if back == "tls":  # ssl's sockets cannot do it: the server stays silent, then
            conn.heard = conn.reader.exactly(1000000)
            return
        conn.sock.shutdown(socket.SHUT_WR)
        conn.heard = conn.reader.to_eof()
    d, up = start(gatherd, upstream, pki, accepting(early), front, back)
    client = open_tunnel(d, pki, front)
    client.until(b"that is all.")
    if back == "plain":
        assert client.to_eof() == b""
    client.send(numbered(3, 1000000))
    client.half_close()
    wait.until(lambda: hasattr(up.conns[0], "heard"), "the server to hear it")
    expect.is_same(up.conns[0].heard, numbered(3, 1000000), "what the server heard")
    client.close()
    assert d.access_log()[0]["reason"] == "none"


@transports()
def test_megabytes_both_ways_at_once(gatherd, upstream, pki, front, back):
    d, up = start(gatherd, upstream, pki, accepting(swap), front, back)
    client = open_tunnel(d, pki, front)
    client.until(b"\r\n\r\n")
    said = numbered(1, 3000000)
    expect.is_same(client.swap(said), numbered(2, 3000000), "what the client heard")
    expect.is_same(up.conns[0].heard, said, "what the server heard")
    client.close()
    record = d.access_log()[0]
    assert record["bytes_in"] > len(said) and record["bytes_out"] > 3000000
    assert record["calls"][0]["bytes"] == 3000000


# ---- what comes with the heads

@transports()
def test_bytes_behind_either_head_are_not_lost(gatherd, upstream, pki, front, back):
    def talkative(conn):
        assert conn.reader.exactly(11) == b"too early, "
        conn.heard = conn.reader.to_eof()
    d, up = start(gatherd, upstream, pki, accepting(talkative, ANSWER + "with the head"), front, back)
    client = open_tunnel(d, pki, front, b"too early, ")
    client.until(b"with the head")
    client.send(b"in time")
    client.half_close()
    assert client.to_eof() == b""
    assert up.conns[0].heard == b"in time"
    client.close()


def test_early_bytes_of_a_refused_upgrade_are_no_request(gatherd, upstream):
    """They are of the other protocol: what a client passes on in it must not become a request of that client."""
    up = upstream().on("/ws", lambda conn: conn.reply(b"no", 403))
    d = gatherd(ROUTES, {"up": up})
    client = upgrade(d, b"GET /attach HTTP/1.1\r\nHost: x\r\n\r\n")
    response = client.read_response()
    assert (response.status, response.body, response.header("Connection")) == (403, b"no", "close")
    assert client.is_closed()
    assert up.only_request().path == "/ws"
    client.close()


def test_another_protocol_after_a_request_with_a_body(gatherd, upstream):
    """As docker does it."""
    def attach(conn):
        conn.heard = conn.reader.to_eof()
        conn.send(conn.heard.upper())
    answer = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    up = upstream(accepting(attach, answer))
    d = gatherd(ROUTES, {"up": up})
    with d.client() as client:
        client.write_request("/attach", "POST", fields=[("Connection", "Upgrade"), ("Upgrade", "tcp")], body=b'{"Tty":true}')
        assert client.read_head().header("Upgrade") == "tcp"
        client.send(b"echo hello\n")
        client.half_close()
        assert client.reader.to_eof() == b"ECHO HELLO\n"
    assert up.only_request().body == b'{"Tty":true}'


# ---- slow ones, and bounds

def test_a_slow_client_stops_the_server_and_costs_bounded_memory(gatherd, upstream):
    sent = threading.Event()

    def pour(conn):
        piece = bytes(65536)
        for _ in range(1024):
            conn.send(piece)
            conn.sent += len(piece)
        sent.set()
    up = upstream(accepting(pour))
    d = gatherd(ROUTES, {"up": up})
    before = warm(d, up)
    client = upgrade(d)
    assert client.read_head().status == 101
    conn = up.conns[1]
    wait.until(lambda: conn.sent > 65536, "the first bytes")
    last = -1
    while last != conn.sent:
        last = conn.sent
        time.sleep(0.3)
    assert not sent.is_set() and conn.sent < 32 << 20
    d.check_memory(before, 1 << 20, 16 << 20)
    got = len(client.reader.buffer)
    while got < 64 << 20:
        got += len(client.sock.recv(1 << 20))
    assert sent.wait(wait.PATIENCE)
    client.close()


def test_a_slow_server_stops_the_client_and_costs_bounded_memory(gatherd, upstream):
    go = threading.Event()

    def reluctant(conn):
        go.wait(wait.PATIENCE)
        digest, n = hashlib.sha256(), 0
        while piece := conn.sock.recv(1 << 20):
            digest.update(piece)
            n += len(piece)
        conn.heard = (n, digest.digest())
    up = upstream(accepting(reluctant), receive_buffer=16384)
    d = gatherd(ROUTES, {"up": up})
    before = warm(d, up)
    client = upgrade(d)
    assert client.read_head().status == 101
    data, at = numbered(1, 48 << 20), 0
    client.sock.settimeout(0.5)
    try:
        while at < len(data):
            at += client.sock.send(data[at:at + 65536])
    except TimeoutError:
        pass
    assert at < 32 << 20
    d.check_memory(before, 1 << 20, 16 << 20)
    go.set()
    client.sock.settimeout(wait.PATIENCE)
    client.send(data[at:])
    client.half_close()
    wait.until(lambda: hasattr(up.conns[1], "heard"), "the server to hear it")
    assert up.conns[1].heard == (len(data), hashlib.sha256(data).digest())
    client.close()


# ---- ends that are none

def test_a_client_that_resets(gatherd, upstream):
    def watch(conn):
        try:
            conn.reader.to_eof()
            conn.end = "eof"
        except ConnectionResetError:
            conn.end = "reset"
    up = upstream(accepting(watch))
    d = gatherd(ROUTES, {"up": up})
    client = upgrade(d)
    assert client.read_head().status == 101
    client.reset()
    wait.until(lambda: hasattr(up.conns[0], "end"), "the server to notice")
    assert up.conns[0].end == "reset"
    record = d.access_log()[0]
    assert (record["status"], record["reason"]) == (101, "client_gone")


def test_a_server_that_resets(gatherd, upstream):
    up = upstream(accepting(lambda conn: (conn.reader.exactly(1), conn.reset())))
    d = gatherd(ROUTES, {"up": up})
    client = upgrade(d)
    assert client.read_head().status == 101
    client.send(b"x")
    with pytest.raises(ConnectionResetError):
        client.reader.to_eof()
    client.close()
    assert d.access_log()[0]["reason"] == "reset"


def test_a_server_that_says_goodbye_and_closes_is_heard(gatherd, upstream):
    """What the client still sends meets nobody; the last words of the server must not be destroyed by that."""
    up = upstream(accepting(lambda conn: conn.send(numbered(1, 200000))))
    d = gatherd(ROUTES, {"up": up})
    heard = 0
    for _ in range(20):
        client = upgrade(d)
        assert client.read_head().status == 101
        # a kernel that still had some of them to send would drop them by itself
        heard += 200000
        wait.until(lambda: d.metric("gatherd_tunnel_sent_bytes_total") == heard, "all of them to be with gatherd")
        wait.until(lambda: not up.open_conns(), "the server to close")
        for _ in range(5):
            client.send(bytes(1000))
            time.sleep(0.01)
        expect.is_same(client.reader.to_eof(), numbered(1, 200000), "what the client heard")
        client.close()


def test_a_client_that_leaves_while_it_waits_for_the_answer(gatherd, upstream):
    up = upstream(lambda conn: conn.wait_for_eof())
    d = gatherd(ROUTES, {"up": up})
    client = upgrade(d)
    up.wait_requests(1)
    client.close()
    wait.until(lambda: up.conns[0].saw_eof.is_set(), "the server to be told")
    assert d.access_log()[0]["status"] == 499


# ---- answers that are none

@pytest.mark.parametrize("answer", [
    ANSWER.replace("Upgrade: websocket", "Upgrade: h2c"), ANSWER.replace("Connection: Upgrade\r\n", ""),
    ANSWER.replace("Sec-WebSocket-Accept: s", "Sec-WebSocket-Accept: S"), ANSWER.replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n"),
    ANSWER.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n")])
def test_a_wrong_answer_is_502(gatherd, upstream, answer):
    up = upstream(lambda conn: (conn.send(answer), conn.wait_for_eof()))
    d = gatherd(ROUTES, {"up": up})
    with d.client() as client:
        client.write_request("/ws", fields=OFFER)
        response = client.read_response()
        assert (response.status, response.json()["reason"]) == (502, "invalid_upgrade")
        assert client.is_closed()
    assert up.conns[0].saw_eof.wait(wait.PATIENCE)


@pytest.mark.parametrize("fields,status,reason", [
    ([f for f in OFFER if f[0] != "Sec-WebSocket-Key"], 400, "bad_upgrade"),
    ([(n, "8" if n == "Sec-WebSocket-Version" else v) for n, v in OFFER], 426, "websocket_version")])
def test_a_wrong_handshake_does_not_leave(gatherd, upstream, fields, status, reason):
    up = upstream()
    d = gatherd(ROUTES, {"up": up})
    with d.client() as client:
        client.write_request("/ws", fields=fields)
        response = client.read_response()
        assert (response.status, response.json()["reason"]) == (status, reason)
        if status == 426:
            assert (response.header("Upgrade"), response.header("Sec-WebSocket-Version")) == ("websocket", "13")
        assert client.is_closed()
    assert not up.conns


# ---- what no route has asked for

ALL_KINDS = [
    {"path": "/plain", "proxy": {"upstream": "up"}},
    {"path": "/calls", "calls": {"one": {"upstream": "up", "path": "/one"}}},
    {"path": "/lines", "format": "ndjson", "calls": {"one": {"upstream": "up", "path": "/one"}}},
    {"path": "/reply", "reply": {"json": {}}},
    {"path": "/batch", "batch": {}}]


@pytest.mark.parametrize("path", ["/ws", "/plain", "/calls", "/lines", "/reply", "/batch"])
def test_an_upgrade_that_was_not_asked_for_is_refused(gatherd, upstream, path):
    """Nothing is done for it, and what is behind it, which may be of the other protocol, is no request."""
    up = upstream()
    d = gatherd(ROUTES + ALL_KINDS, {"up": up})
    method = "POST" if path == "/batch" else "GET"
    with d.client() as client:
        client.send("%s %s HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, upgrade\r\nUpgrade: h2c, chat/2\r\nContent-Length: 2\r\n\r\n{}"
                    "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n" % (method, path))
        response = client.read_response()
        assert (response.status, response.json()["reason"]) == (403, "upgrade_refused")
        assert response.header("Connection") == "close" and client.is_closed()
    assert [(r["status"], r["reason"]) for r in d.access_log()] == [(403, "upgrade_refused")]
    assert d.metric("gatherd_request_failures_total", reason="upgrade_refused") == 1
    assert not up.conns


def test_the_admin_listener_takes_no_upgrade(gatherd, upstream):
    d = gatherd(ROUTES, {"up": upstream()})
    with wire.Client(d.admin) as client:
        response = client.request("/healthz", fields=OFFER)
        assert (response.status, response.json()["reason"]) == (403, "upgrade_refused")
    assert d.is_serving()


def test_an_upgrade_that_was_not_asked_for_waits_for_no_permit(gatherd, upstream):
    go = threading.Event()
    up = upstream(lambda conn: (go.wait(wait.PATIENCE), conn.reply(b"{}")))
    d = gatherd(ROUTES + ALL_KINDS, {"up": up}, overload={"concurrency": {"limit": 1}, "queue": {"size": 0}})
    with d.client() as busy:
        busy.write_request("/plain")
        up.wait_requests(1)
        for path in ("/ws", "/calls"):
            assert d.request(path, fields=[("Connection", "Upgrade"), ("Upgrade", "chat")]).status == 403
        go.set()
        assert busy.read_response().status == 200


@pytest.mark.parametrize("offer", ["h2c", "TLS/1.2", "TLS/1.0, h2c", "tls/1.3,H2C"])
@pytest.mark.parametrize("path", ["/ws", "/plain", "/calls", "/reply"])
def test_offers_that_clients_make_by_habit_are_ignored(gatherd, upstream, offer, path):
    up = upstream()
    d = gatherd(ROUTES + ALL_KINDS, {"up": up})
    with d.client() as client:
        for _ in range(2):
            assert client.request(path, fields=[("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", offer),
                                                ("HTTP2-Settings", "AAMA")]).status == 200
    for request in up.requests:
        assert not {"upgrade", "http2-settings", "connection"} & set(request.names())


@pytest.mark.parametrize("head", [
    "GET /plain HTTP/1.1\r\nHost: x\r\nUpgrade: chat\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nUpgrade: chat\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\r\n",
    "GET /plain HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"])
def test_what_is_no_offer_is_ignored(gatherd, upstream, head):
    """RFC 9110 7.8"""
    up = upstream()
    d = gatherd(ROUTES + ALL_KINDS, {"up": up})
    with d.client() as client:
        client.send(head)
        assert client.read_response().status == 200
    assert "upgrade" not in up.only_request().names()


@pytest.mark.parametrize("path", ["/ws", "/plain", "/calls", "/reply"])
def test_curl_that_asks_for_h2c_is_content(gatherd, upstream, path):
    up = upstream()
    d = gatherd(ROUTES + ALL_KINDS, {"up": up})
    done = subprocess.run(["curl", "-sS", "-i", "--http2", "--max-time", "30", "http://127.0.0.1:%d%s" % (d.port, path)],
                          capture_output=True, timeout=60)
    assert done.stdout.startswith(b"HTTP/1.1 200 OK\r\n")
    for request in up.requests:
        assert not {"upgrade", "http2-settings", "connection"} & set(request.names())

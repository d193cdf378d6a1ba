"""HTTP/1.1 towards clients: connections, limits, refusals. The wire vectors go deeper (test_wire_vectors.py)."""
import contextlib
import threading
import time

import pytest
from harness import expect, wait, wire
from harness.upstream import gate, json_reply

REPLY = {"path": "/hello", "methods": ["GET"], "reply": {"status": 200, "body": "hello"}}
ECHO = {"path": "/echo", "methods": ["POST"], "calls": {"it": {"upstream": "up", "method": "POST", "path": "/", "body": "{body}"}}}


@pytest.mark.sanitize
def test_keep_alive_and_close(gatherd):
    d = gatherd([REPLY])
    with d.client() as client:
        for _ in range(3):
            response = client.request("/hello")
            assert (response.status, response.body, response.minor) == (200, b"hello", 1)
            assert response.header("Connection") is None
        response = client.request("/hello", fields=[("Connection", "close")])
        assert response.header("Connection") == "close"
        assert client.is_closed()


def test_http_1_0_closes_unless_asked_to_keep(gatherd):
    d = gatherd([REPLY])
    with d.client() as client:
        assert client.request("/hello", version="1.0").body == b"hello"
        assert client.is_closed()


def test_answers_without_a_length_work_for_http_1_0(gatherd, upstream):
    def chunked(conn):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    d = gatherd([{"path": "/p", "proxy": {"upstream": "up"}}], {"up": upstream(chunked)})
    with d.client() as client:
        response = client.request("/p", version="1.0")
        assert response.header("Transfer-Encoding") is None
        assert response.body == b"hello"


@pytest.mark.sanitize
def test_pipelined_requests_are_answered_in_order(gatherd, upstream):
    up = upstream(json_reply(lambda r: b'"%s"' % r.path.encode()))
    up.on("/slow", json_reply(b'"/slow"', delay=0.2))
    route = {"path": "/{what}", "calls": {"it": {"upstream": "up", "path": "/{what}"}}}
    d = gatherd([route], {"up": up})
    with d.client() as client:
        client.send(b"".join(b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % what for what in (b"slow", b"b", b"c")))
        assert [client.read_response().json()["it"] for _ in range(3)] == ["/slow", "/b", "/c"]


def test_head_is_get_without_the_body(gatherd, upstream):
    d = gatherd([REPLY, {"path": "/g", "methods": ["GET"], "calls": {"it": {"upstream": "up", "path": "/"}}}], {"up": upstream()})
    with d.client() as client:
        for target in ("/hello", "/g"):
            got, head = client.request(target), client.request(target, "HEAD")
            assert head.status == 200 and head.body == b""
            assert head.header("Content-Length") == got.header("Content-Length") == str(len(got.body))
            assert head.header("Content-Type") == got.header("Content-Type")


def test_unknown_path_and_method(gatherd):
    d = gatherd([REPLY, {"path": "/hello2", "methods": ["POST", "DELETE"], "reply": {"status": 204}}])
    with d.client() as client:
        expect.is_problem(client.request("/nowhere"), 404, "no_route")
        response = client.request("/hello", "POST", body=b"x")
        expect.is_problem(response, 405, "method_not_allowed")
        assert {m.strip() for m in response.header("Allow").split(",")} >= {"GET", "HEAD"}
        response = client.request("/hello2")
        expect.is_problem(response, 405, "method_not_allowed")
        assert {m.strip() for m in response.header("Allow").split(",")} >= {"POST", "DELETE"}
        assert client.request("/hello").status == 200


def test_most_specific_route_wins(gatherd):
    def reply(path, body):
        return {"path": path, "reply": {"status": 200, "body": body}}
    d = gatherd([reply("/{rest...}", "tail"), reply("/a/{x}", "param"), reply("/a/b", "literal"), reply("/a/{x}/c", "longer")])
    with d.client() as client:
        for target, body in (("/a/b", b"literal"), ("/a/z", b"param"), ("/a/z/c", b"longer"), ("/a/z/d", b"tail"),
                             ("/q", b"tail"), ("/a/%62", b"literal"), ("/a/b%2Fc", b"param")):
            assert client.request(target).body == body, target


def test_reply_renders_its_templates(gatherd):
    route = {"path": "/old/{rest...}", "reply": {"status": 301, "headers": {"Location": "/files/{rest}"}}}
    response = gatherd([route]).get("/old/a/b%20c")
    assert (response.status, response.header("Location")) == (301, "/files/a/b%20c")


def test_expect_continue_is_answered_before_the_body(gatherd, upstream):
    d = gatherd([ECHO], {"up": upstream()})
    with d.client() as client:
        client.write_request("/echo", "POST", fields=[("Expect", "100-continue"), ("Content-Length", "3")])
        assert client.reader.head()[0].startswith(b"HTTP/1.1 100")
        client.send(b"abc")
        assert client.read_response().status == 200


def test_expect_continue_is_refused_before_the_body(gatherd, upstream):
    d = gatherd([ECHO], {"up": upstream()}, listener={"limits": {"body": "1KiB"}})
    with d.client() as client:
        client.write_request("/echo", "POST", fields=[("Expect", "100-continue"), ("Content-Length", "2000")])
        response = client.read_response()
        expect.is_problem(response, 413, "body_too_large")
        assert not response.interim
    with d.client() as client:
        client.write_request("/echo", "POST", fields=[("Expect", "200-maybe"), ("Content-Length", "3")])
        expect.is_problem(client.read_response(), 417, "expectation_failed")


def test_chunked_request_bodies_are_read(gatherd, upstream):
    up = upstream()
    d = gatherd([ECHO], {"up": up})
    with d.client() as client:
        client.write_request("/echo", "POST", fields=[("Transfer-Encoding", "chunked")])
        client.send(b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n")
        assert client.read_response().status == 200
        assert up.only_request().body == b"abcdefg"
        assert client.request("/echo", "POST", body=b"again").status == 200


@pytest.mark.parametrize("bytes_sent, status, reason", [
    (b"GET /hello HTTP/1.1\r\n\r\n", 400, "bad_host"),
    (b"GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "bad_host"),
    (b"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad_host"),
    (b"GET /hello HTTP/1.1\nHost: a\n\n", 400, None),
    (b"GET /hello HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400, "bad_field"),
    (b"GET /hello HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n", 400, "bad_field"),
    (b"GET /hello HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400, "bad_field"),
    (b"GET /hel\x00lo HTTP/1.1\r\nHost: a\r\n\r\n", 400, None),
    (b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_target"),
    (b"GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400, None),
    (b"nonsense\r\n\r\n", 400, "bad_request"),
    (b"GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 505, "version_unknown"),
    (b"POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400, "bad_framing"),
    (b"POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400, "bad_framing"),
    (b"POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_framing"),
    (b"POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "coding_unknown"),
    (b"POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, "bad_framing"),
])
def test_ambiguous_requests_are_refused_and_the_connection_closed(gatherd, bytes_sent, status, reason):
    d = gatherd([{**REPLY, "methods": "any"}])
    with d.client() as client:
        client.send(bytes_sent)
        response = client.read_response()
        assert response.status == status, response
        if reason:
            expect.is_problem(response, status, reason)
        assert response.header("Connection") == "close"
        assert client.is_closed()


def test_bad_chunks_are_refused(gatherd, upstream):
    up = upstream()
    d = gatherd([ECHO], {"up": up})
    for bad in (b"x\r\n", b"3\r\nabcd\r\n", b"-1\r\n", b"3\nabc\r\n", b"fffffffffffffffff\r\n", b"0x3\r\nabc\r\n"):
        with d.client() as client:
            client.write_request("/echo", "POST", fields=[("Transfer-Encoding", "chunked")])
            client.send(bad + b"0\r\n\r\n")
            expect.is_problem(client.read_response(), 400, "bad_chunk")
            assert client.is_closed()
    assert not up.requests


@pytest.mark.sanitize
def test_limits_of_the_head(gatherd):
    d = gatherd([REPLY], listener={"limits": {"header_bytes": "2KiB", "headers": 20}})
    with d.client() as client:
        client.write_request("/hello", fields=[("X", "y" * 3000)])
        expect.is_problem(client.read_response(), 431, "head_too_large")
        assert client.is_closed()
    with d.client() as client:
        client.write_request("/hello", fields=[("X-%d" % n, "y") for n in range(30)])
        expect.is_problem(client.read_response(), 431, "head_too_large")
    with d.client() as client:
        client.write_request("/" + "x" * 3000)
        expect.is_problem(client.read_response(), 414, "uri_too_long")
        assert client.is_closed()


def test_limit_of_the_body(gatherd, upstream):
    up = upstream()
    d = gatherd([ECHO], {"up": up}, listener={"limits": {"body": "1KiB"}})
    with d.client() as client:
        client.write_request("/echo", "POST", fields=[("Content-Length", "1025")])
        expect.is_problem(client.read_response(), 413, "body_too_large")
    with d.client() as client:
        client.write_request("/echo", "POST", fields=[("Transfer-Encoding", "chunked")])
        client.send(b"400\r\n" + b"x" * 1024 + b"\r\n1\r\nx\r\n")
        expect.is_problem(client.read_response(), 413, "body_too_large")
    assert not up.requests
    assert d.request("/echo", "POST", body=b"x" * 1024).status == 200


def test_slow_heads_are_answered_408(gatherd):
    d = gatherd([REPLY], listener={"timeouts": {"header": "300ms"}})
    with d.client() as client:
        started = time.monotonic()
        client.send(b"GET /hello HTTP/1.1\r\nHo")
        expect.is_problem(client.read_response(), 408, "request_timeout")
        assert client.is_closed()
        assert time.monotonic() - started > 0.25


def test_dripping_heads_do_not_extend_their_time(gatherd):
    d = gatherd([REPLY], listener={"timeouts": {"header": "500ms"}})
    with d.client() as client:
        client.send(b"GET /hello HTTP/1.1\r\nHost: h\r\n")
        client.sock.settimeout(0.05)

        def answered():
            with contextlib.suppress(TimeoutError):
                client.send(b"X: y\r\n")
                return client.reader.more()
        wait.until(answered, "the end of its time")
        client.sock.settimeout(wait.PATIENCE)
        expect.is_problem(client.read_response(), 408, "request_timeout")


def test_slow_bodies_are_answered_408(gatherd, upstream):
    up = upstream()
    d = gatherd([ECHO], {"up": up}, listener={"timeouts": {"body": "300ms"}})
    with d.client() as client:
        client.write_request("/echo", "POST", fields=[("Content-Length", "10")])
        client.send(b"abc")
        expect.is_problem(client.read_response(), 408, "request_timeout")
        assert client.is_closed()
    assert not up.requests


def test_idle_connections_are_closed_silently(gatherd):
    d = gatherd([REPLY], listener={"timeouts": {"idle": "300ms"}})
    with d.client() as client:
        started = time.monotonic()
        assert client.request("/hello").status == 200
        assert client.is_closed()
        assert time.monotonic() - started > 0.2


def test_connections_over_the_limit_do_not_hurt_the_others(gatherd):
    d = gatherd([REPLY], listener={"limits": {"connections": 10}})
    clients = [d.client() for _ in range(10)]
    assert all(c.request("/hello").status == 200 for c in clients)
    extra = d.client()
    try:
        extra.write_request("/hello")
        assert extra.is_closed() or extra.reader.buffer.startswith(b"HTTP/1.1 503")
    except ConnectionError:
        pass
    assert all(c.request("/hello").status == 200 for c in clients)
    for client in clients:
        client.close()


def test_absolute_form_replaces_host(gatherd, upstream):
    up = upstream()
    d = gatherd([{"path": "/p", "proxy": {"upstream": "up"}}], {"up": up})
    with d.client() as client:
        client.send(b"GET http://right.example/p HTTP/1.1\r\nHost: wrong.example\r\n\r\n")
        assert client.read_response().status == 200
    assert up.only_request().header("X-Forwarded-Host") == "right.example"
    assert b"wrong.example" not in up.only_request().raw


# ---- clients that leave

@pytest.mark.sanitize
@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_leaves_cancels_every_call(gatherd, upstream, leave):
    up = upstream(lambda conn: conn.wait_for_eof())
    calls = {n: {"upstream": "up", "path": "/" + n} for n in ("a", "b", "c")}
    d = gatherd([{"path": "/all", "timeout": "20s", "calls": calls}], {"up": up})
    client = d.client()
    client.write_request("/all")
    up.wait_requests(3)
    getattr(client, leave)()
    for conn in up.conns:
        assert conn.saw_eof.wait(wait.PATIENCE), "a call was not cancelled"
    record = d.access_log()[0]
    assert record["status"] == 499
    assert record["reason"] == "client_gone"
    assert [call["reason"] for call in record["calls"]] == ["cancelled"] * 3
    assert d.metric("gatherd_request_failures_total", reason="client_gone") == 1
    assert d.metric("gatherd_requests_total", status="503") == 0


def test_a_client_that_leaves_while_queued_gives_up_its_place(gatherd, upstream):
    opened = threading.Event()
    up = upstream(gate(opened))
    route = {"path": "/q", "timeout": "20s", "calls": {"it": {"upstream": "up", "path": "/"}}}
    d = gatherd([route], {"up": up.conf(concurrency={"limit": 1}, queue={"size": 1})})
    holder, waiting, last = d.client(), d.client(), d.client()
    holder.write_request("/q")
    up.wait_requests(1)
    waiting.write_request("/q")
    wait.until(lambda: d.waiting("up") == 1, "a place in the queue")
    expect.is_shed(d.get("/q"), "queue_full", "it")
    waiting.close()
    wait.until(lambda: d.waiting("up") == 0, "the place to be given up")
    last.write_request("/q")
    wait.until(lambda: d.waiting("up") == 1, "a place in the queue")
    opened.set()
    assert holder.read_response().status == 200
    assert last.read_response().status == 200
    assert len(up.requests) == 2


def test_half_closed_clients_still_get_their_answer_or_a_499(gatherd, upstream):
    d = gatherd([REPLY])
    with d.client() as client:
        client.write_request("/hello", fields=[("Connection", "close")])
        client.half_close()
        try:
            assert client.read_response().status == 200
        except wire.Closed:
            assert d.access_log()[0]["status"] == 499

"""Proxy routes: streamed both ways, back-pressure instead of memory, any method, nothing hop-by-hop."""
import hashlib
import os
import threading
import time

import pytest
from harness import expect, wait, wire
from harness.upstream import HeadUpstream, json_reply, raw

ANY = {"path": "/{rest...}", "methods": "any", "proxy": {"upstream": "up"}}
PIECE = bytes(range(256)) * 256
MEBIBYTE = 1 << 20


@pytest.mark.sanitize
def test_forwards_as_a_reverse_proxy_does(gatherd, upstream):
    up = upstream(json_reply(b"body", status=418, fields=[("X-Up", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("ETag", '"x"')],
                             content_type="x/y"))
    d = gatherd([ANY], {"up": up})
    response = d.request("/a/b%2Fc?d=e&f", "POST", body=b"abc", fields=[("X-Mine", "1"), ("Cookie", "c=3"), ("User-Agent", "t/1")])
    assert (response.status, response.body) == (418, b"body")
    assert response.all("Set-Cookie") == ["a=1", "b=2"]
    assert response.header("X-Up") == "1" and response.header("ETag") == '"x"'
    assert response.header("Content-Type") == "x/y"
    assert response.header("Via").startswith("1.1 ")
    assert response.header("Date")
    request = up.only_request()
    assert (request.method, request.target, request.body) == ("POST", "/a/b%2Fc?d=e&f", b"abc")
    assert request.header("X-Mine") == "1" and request.header("Cookie") == "c=3" and request.header("User-Agent") == "t/1"
    assert request.header("Host").startswith("127.0.0.1:") and request.header("X-Forwarded-Host") == "gatherd.test"


def test_hop_by_hop_fields_stay_behind_in_both_directions(gatherd, upstream):
    up = upstream(json_reply(b"1", fields=[("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=9"), ("X-Stay", "1"),
                                           ("Proxy-Authenticate", "Basic"), ("Upgrade", "h2c"), ("Via", "1.0 other")]))
    d = gatherd([ANY], {"up": up})
    response = d.get("/", fields=[("Connection", "X-Gone, keep-alive, Upgrade, HTTP2-Settings"), ("X-Gone", "1"), ("X-Kept", "1"),
                                  ("Proxy-Connection", "keep-alive"), ("Keep-Alive", "1"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMA"),
                                  ("TE", "trailers, deflate"), ("Via", "1.0 before")])
    assert not {"x-hop", "keep-alive", "upgrade"} & {n.lower() for n, _ in response.fields}
    assert response.header("X-Stay") == "1"
    assert response.all("Via")[0].startswith("1.0 other") and "1.1 " in ", ".join(response.all("Via"))
    names = up.only_request().names()
    assert not {"x-gone", "proxy-connection", "keep-alive", "upgrade", "http2-settings"} & set(names)
    assert "x-kept" in names
    assert ", ".join(up.only_request().all("Via")).startswith("1.0 before, 1.1 ")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "QUERY", "BREW"])
def test_any_method_passes(gatherd, upstream, method):
    up = upstream()
    assert gatherd([ANY], {"up": up}).request("/m", method).status == 200
    assert up.only_request().method == method


def test_path_can_be_rewritten(gatherd, upstream):
    up = upstream()
    route = {"path": "/files/{rest...}", "proxy": {"upstream": "up", "path": "/store/{rest}"}}
    assert gatherd([route], {"up": up}).get("/files/a/b%20c?q=1").status == 200
    assert up.only_request().path == "/store/a/b%20c"


def test_head_passes_without_a_body(gatherd, upstream):
    up = upstream(json_reply(b"12345"))
    d = gatherd([ANY], {"up": up})
    with d.client() as client:
        response = client.request("/x", "HEAD")
        assert response.header("Content-Length") == "5" and response.body == b""
        assert client.request("/x").body == b"12345"
    assert [r.method for r in up.requests] == ["HEAD", "GET"]


def test_no_content_and_not_modified_have_no_body(gatherd, upstream):
    up = upstream().on("/204", raw(b"HTTP/1.1 204 No Content\r\n\r\n", then="keep"))
    up.on("/304", raw(b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 100\r\n\r\n", then="keep"))
    d = gatherd([ANY], {"up": up})
    with d.client() as client:
        assert client.request("/204").status == 204
        assert client.request("/304").status == 304
        assert client.request("/x").status == 200


@pytest.mark.sanitize
def test_chunked_bodies_and_trailers_pass_both_ways(gatherd, upstream):
    up = upstream(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n2;x=\"y\"\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n",
                      then="keep"))
    d = gatherd([ANY], {"up": up})
    with d.client() as client:
        for _ in range(2):
            client.write_request("/", "POST", fields=[("Transfer-Encoding", "chunked")])
            client.send(b"5;ext\r\nhello\r\n")
            time.sleep(0.02)
            client.send(b"6\r\n world\r\n0\r\n\r\n")
            response = client.read_response()
            assert response.body == b"abcde"
    assert [r.body for r in up.requests] == [b"hello world"] * 2
    assert len(up.conns) == 1


def test_close_delimited_answers_become_chunked(gatherd, upstream):
    up = upstream(raw(b"HTTP/1.1 200 OK\r\n\r\nall of", 0.02, b" it"))
    d = gatherd([ANY], {"up": up})
    with d.client() as client:
        response = client.request("/")
        assert response.body == b"all of it"
        assert response.header("Transfer-Encoding") == "chunked"
        assert client.request("/").body == b"all of it"


def test_events_pass_one_by_one(gatherd, upstream):
    """Server-sent events: the next one leaves the upstream only when the client has the one before."""
    step = threading.Semaphore(0)

    def events(conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(20):
            event = b"data: %d\n\n" % number
            conn.send(b"%x\r\n%s\r\n" % (len(event), event))
            assert step.acquire(timeout=wait.PATIENCE), "the client did not get event %d" % number
        conn.send(b"0\r\n\r\n")
    d = gatherd([ANY], {"up": upstream(events)})
    with d.client() as client:
        client.write_request("/events", fields=[("Accept", "text/event-stream")])
        response = client.read_head()
        assert response.header("Content-Type") == "text/event-stream"
        client.reader.chunked(response, on_chunk=lambda _: step.release())
        assert response.body == b"".join(b"data: %d\n\n" % n for n in range(20))


def test_request_bodies_are_streamed(gatherd, upstream):
    """The upstream reads the first half of a body that is not small before the client has written the second."""
    half = b"x" * 100000
    up = upstream(kind=HeadUpstream)
    seen = threading.Event()

    def handler(conn):
        assert conn.reader.exactly(len(half)) == half
        seen.set()
        assert conn.reader.exactly(len(half)) == half
        conn.reply(b"1")
    up.handler = handler
    d = gatherd([ANY], {"up": up})
    with d.client() as client:
        client.write_request("/", "PUT", fields=[("Content-Length", str(2 * len(half)))])
        client.send(half)
        assert seen.wait(wait.PATIENCE), "the first half was held back"
        client.send(half)
        assert client.read_response().body == b"1"


def test_expect_continue_reaches_a_streamed_body(gatherd, upstream):
    up = upstream()
    d = gatherd([ANY], {"up": up})
    with d.client() as client:
        client.write_request("/", "PUT", fields=[("Content-Length", "5"), ("Expect", "100-continue")])
        assert client.reader.head()[0].startswith(b"HTTP/1.1 100")
        client.send(b"hello")
        assert client.read_response().status == 200
    assert up.only_request().body == b"hello"


def big_answer(size):
    def handler(conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while conn.sent < size:
            conn.sent += conn.sock.send(PIECE[:size - conn.sent])
    return handler


def read_hash(client, size):
    digest = hashlib.sha256(client.reader.buffer)
    size -= len(client.reader.buffer)
    while size:
        data = client.sock.recv(min(size, MEBIBYTE))
        assert data, "%d bytes short" % size
        digest.update(data)
        size -= len(data)
    return digest.hexdigest()


def test_a_slow_reader_holds_the_upstream_back(gatherd, upstream):
    """A large body through a client that does not read: the upstream stops sending, memory stays.

    GATHERD_BODY_MIB=10240 makes it 10 GiB.
    """
    size = int(os.environ.get("GATHERD_BODY_MIB", "256")) * MEBIBYTE
    up = upstream().on("/big", big_answer(size))
    d = gatherd([ANY], {"up": up})
    d.get("/nothing")
    before = d.memory()
    with d.client(receive_buffer=65536) as client:
        client.write_request("/big")
        assert client.read_head().status == 200
        conn = up.conns[-1]

        def has_stopped():
            sent = conn.sent
            time.sleep(0.3)
            return conn.sent == sent
        wait.until(has_stopped, "the upstream to be held back")
        assert conn.sent < 32 * MEBIBYTE
        d.check_memory(before, MEBIBYTE)
        digest = hashlib.sha256()
        for _ in range(size // len(PIECE)):
            digest.update(PIECE)
        assert read_hash(client, size) == digest.hexdigest()
    d.check_memory(before, MEBIBYTE)


def test_a_slow_upstream_holds_the_client_back(gatherd, upstream):
    size = 64 * MEBIBYTE
    opened = threading.Event()
    digest = hashlib.sha256()

    def handler(conn):
        opened.wait(wait.PATIENCE)
        left = size - len(conn.reader.buffer)
        digest.update(conn.reader.buffer)
        conn.reader.buffer.clear()
        while left:
            data = conn.sock.recv(MEBIBYTE)
            assert data
            digest.update(data)
            left -= len(data)
        conn.reply(b"1")
    up = upstream(kind=HeadUpstream, receive_buffer=65536)
    d = gatherd([ANY], {"up": up})
    up.handler = json_reply(b"1")
    d.get("/nothing")
    up.handler = handler
    before = d.memory()
    sent = [0]
    with d.client() as client:
        client.write_request("/", "PUT", fields=[("Content-Length", str(size))])

        def push():
            while sent[0] < size:
                sent[0] += client.sock.send(PIECE[:size - sent[0]])
        pusher = threading.Thread(target=push)
        pusher.start()

        def has_stopped():
            now = sent[0]
            time.sleep(0.3)
            return sent[0] == now
        wait.until(has_stopped, "the client to be held back")
        assert sent[0] < 32 * MEBIBYTE
        d.check_memory(before, 2 * MEBIBYTE)
        opened.set()
        pusher.join()
        assert client.read_response().body == b"1"
    expected = hashlib.sha256()
    for _ in range(size // len(PIECE)):
        expected.update(PIECE)
    assert digest.hexdigest() == expected.hexdigest()


def test_a_reader_that_stalls_is_dropped(gatherd, upstream):
    up = upstream(big_answer(64 * MEBIBYTE))
    d = gatherd([ANY], {"up": up}, listener={"timeouts": {"write_stall": "300ms"}})
    with d.client(receive_buffer=4096) as client:
        client.write_request("/big")
        assert client.read_head().status == 200
        wait.until(lambda: not up.open_conns(), "the stalled exchange to be given up")


@pytest.mark.sanitize
def test_a_client_that_leaves_ends_the_transfer(gatherd, upstream):
    up = upstream(big_answer(64 * MEBIBYTE))
    d = gatherd([ANY], {"up": up})
    client = d.client()
    client.write_request("/big")
    assert client.read_head().status == 200
    client.reset()
    wait.until(lambda: not up.open_conns(), "the upstream connection to end")
    assert d.access_log()[0]["status"] in (200, 499)


def test_an_upstream_that_answers_early_ends_the_upload(gatherd, upstream):
    """413 before the body is in: the client hears it and the connection is not reused."""
    up = upstream(kind=HeadUpstream)

    def handler(conn):
        conn.reply(b"too big", status=413)
        conn.close()
    up.handler = handler
    d = gatherd([ANY], {"up": up})
    with d.client() as client:
        client.write_request("/", "PUT", fields=[("Content-Length", str(10 * MEBIBYTE))])
        try:
            client.send(b"x" * MEBIBYTE)
        except ConnectionError:
            pass
        try:
            assert client.read_response().status in (413, 502)
        except (wire.Closed, ConnectionResetError):
            pass
    up.handler = json_reply(b"1")
    assert d.get("/").status == 200


def test_a_truncated_answer_is_not_made_whole(gatherd, upstream):
    up = upstream(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0.1))
    d = gatherd([ANY], {"up": up})
    with d.client() as client:
        client.write_request("/")
        with pytest.raises((wire.Closed, ConnectionResetError)):
            client.read_response()


def test_streams_of_many_clients_do_not_mix(gatherd, upstream):
    def handler(conn):
        mark = conn.request.path.encode()[1:] * 64
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(mark) * 400))
        for _ in range(400):
            conn.send(mark)
    d = gatherd([ANY], {"up": upstream(handler)}, workers=2)
    bad = []

    def ask(number):
        name = b"client-%04d" % number
        with d.client() as client:
            for _ in range(5):
                if client.request("/" + name.decode()).body != name * 64 * 400:
                    bad.append(number)
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not bad


def test_options_stop_at_the_last_hop_that_they_may_reach(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    d = gatherd([ANY], {"up": up})
    assert d.request("/", "OPTIONS", fields=[("Max-Forwards", "0")]).status == 204
    assert not up.requests
    assert d.request("/", "OPTIONS", fields=[("Max-Forwards", "3")]).status == 200
    assert up.only_request().header("Max-Forwards") == "2"


def test_options_at_the_last_hop_tell_the_methods(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    proxy = {"proxy": {"upstream": "up"}}
    d = gatherd([{"path": "/some", "methods": ["OPTIONS", "GET"], **proxy},
                 {"path": "/some", "methods": ["PUT", "PURGE"], **proxy},
                 {"path": "/any", "methods": "any", **proxy}], {"up": up})
    last = [("Max-Forwards", "0")]
    refused = d.request("/some", "DELETE")
    assert refused.status == 405
    assert d.request("/some", "OPTIONS", fields=last).header("Allow") == refused.header("Allow")
    assert refused.header("Allow") == "GET, HEAD, PUT, OPTIONS, PURGE"
    assert d.request("/any", "OPTIONS", fields=last).header("Allow") is None


# ---- fields that the route sets

SET = {"path": "/u/{id}/{rest...}", "methods": "any",
       "proxy": {"upstream": "up", "path": "/{rest}",
                 "headers": {"X-User": "{id}", "X-Page": "{query.page|1}", "X-From": "{client.ip}", "X-Was": "{header.x-is|}",
                             "Max-Forwards": "7"}}}


@pytest.mark.sanitize
def test_what_the_route_sets_replaces_what_the_client_says(gatherd, upstream):
    up = upstream()
    d = gatherd([SET], {"up": up})
    spoofed = [("X-User", "root"), ("x-uSER", "root"), ("X_User", "root"), ("x-from", "6.6.6.6"), ("X-Was", "root"), ("X-Users", "kept"),
               ("Connection", "X-User, X-From")]
    assert d.request("/u/a%2Fb/c?page=2%263&x=1", "OPTIONS", fields=spoofed + [("X-Is", "here")]).status == 200
    request = up.only_request()
    assert request.target == "/c?page=2%263&x=1"
    assert [request.all(name) for name in ("X-User", "X-Page", "X-From", "X-Was", "Max-Forwards")] == [
        ["a/b"], ["2&3"], ["127.0.0.1"], ["here"], ["7"]]
    assert "x_user" not in request.names() and "connection" not in request.names()
    assert request.all("X-Users") == ["kept"] and request.all("X-Is") == ["here"]
    assert d.request("/u/7/c", "POST", body=b"abc", fields=[("X-Was", "root")]).status == 200
    request = up.requests[-1]
    assert request.body == b"abc"
    assert [request.all(name) for name in ("X-User", "X-Page", "X-Was")] == [["7"], ["1"], [""]], "an empty default is an empty field"


@pytest.mark.sanitize
def test_no_field_is_set_that_cannot_be(gatherd, upstream):
    up = upstream()
    route = {"path": "/x", "methods": "any", "proxy": {"upstream": "up", "headers": {"X-Q": "{query.q}"}}}
    d = gatherd([route], {"up": up})
    expect.is_problem(d.get("/x", fields=[("X-Q", "mine")]), 400, "missing_reference")
    for value in ("a%0d%0aX-Admin:%201", "a%0aX-Admin:%201", "a%00b", "a%0db", "%7f"):
        expect.is_problem(d.get("/x?q=" + value), 400, "bad_parameter")
    with d.client() as client:
        client.write_request("/x", "POST", fields=[("Content-Length", "100000")])
        expect.is_problem(client.read_response(), 400, "missing_reference")
    assert not up.requests
    assert d.get("/x?q=fine").status == 200
    assert up.only_request().all("X-Q") == ["fine"]


def test_a_request_on_a_stale_connection_has_them_again(gatherd, upstream):
    up = upstream()
    up.handler = lambda conn: conn.close() if conn.served > 1 else conn.reply(b"1")
    d = gatherd([SET], {"up": up})
    for i in range(4):
        assert d.get("/u/%d/c" % i, fields=[("X-User", "root")]).status == 200
    assert [r.all("X-User") for r in up.requests] == [["0"]] + [[str(i)] for i in (1, 2, 3) for _ in range(2)]

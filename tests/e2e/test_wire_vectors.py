"""The wire vectors of tests/data/h1 against the running daemon: what is answered, and what crossed to an upstream.

One daemon and one recording upstream serve all of them; every vector leaves the daemon able to serve the next.
"""
import h1_vectors
import pytest
from harness import wire
from harness.daemon import Daemon
from harness.upstream import Upstream

# what gatherd itself puts into messages
OWN_OF_REQUESTS = {"host", "via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "traceparent", "content-length",
                   "transfer-encoding"}
OWN_OF_ANSWERS = {"via", "date", "content-length", "transfer-encoding", "connection"}
SILENCE = 0.15


def vectors(side):
    return [pytest.param(v, id=v.name) for v in h1_vectors.load(side) if v.only != "codec"]


@pytest.fixture(scope="module")
def served():
    up = Upstream()
    route = {"path": "/{rest...}", "methods": "any", "proxy": {"upstream": "up"}}
    d = Daemon([route], {"up": up},
               listener={"limits": {"header_bytes": "16KiB", "headers": 100}}).start()
    yield d, up
    d.stop()
    up.stop()


@pytest.fixture
def plain(served):
    d, up = served
    with up.lock:
        del up.requests[:]
        del up.failures[:]
    up.handler = lambda conn: conn.reply(b"{}")
    yield d, up
    assert not up.failures
    up.handler = lambda conn: conn.reply(b"{}")
    assert d.request("/still-there").status == 200


def crossing(fields, own):
    return [(n.lower(), v) for n, v in fields if n.lower() not in own]


def expected_fields(message):
    return [(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in message.fields]


def without_own(fields, own):
    return [(n, v) for n, v in fields if n not in own]


@pytest.mark.sanitize
@pytest.mark.parametrize("vector", vectors("request"))
def test_request(plain, vector):
    d, up = plain
    with d.client() as client:
        client.send(vector.bytes)
        if vector.reject:
            refused(client, vector, up)
        elif vector.is_incomplete:
            assert not client.is_closed(SILENCE) and not client.reader.buffer, client.reader.buffer
        else:
            accepted(client, vector, up)


def refused(client, vector, up):
    status, reason = vector.reject
    try:
        response = client.read_response()
        assert response.status == status, response
        assert response.json()["reason"] == reason, response
        assert response.header("Connection") == "close"
    finally:
        assert not up.requests, up.requests[0].raw
    assert client.is_closed()


def accepted(client, vector, up):
    message = vector.messages[-1]
    response = client.read_response(message.method)
    assert response.status == 200, response
    if message.closes:
        assert client.is_closed()
    up.wait_requests(1)
    request = up.requests[0]
    assert request.method == message.method
    assert request.target == message.target
    if message.authority not in ("-", ""):
        assert request.header("X-Forwarded-Host") == message.authority
    assert request.body == vector.body
    assert crossing(request.fields, OWN_OF_REQUESTS) == without_own(expected_fields(message), OWN_OF_REQUESTS)


@pytest.mark.sanitize
@pytest.mark.parametrize("vector", vectors("response"))
def test_response(plain, vector):
    d, up = plain
    ends = vector.is_incomplete or (vector.messages and vector.messages[-1].closes)

    def answer(conn):
        conn.send(vector.bytes)
        if ends:
            conn.close()
    up.handler = answer
    with d.client() as client:
        client.write_request("/", vector.asked)
        if vector.reject or vector.is_incomplete:
            broken(client, vector)
            return
        response = client.read_response(vector.asked)
        message = vector.messages[-1]
        assert response.status == message.status, response
        assert response.body == vector.body
        assert crossing(response.fields, OWN_OF_ANSWERS) == without_own(expected_fields(message), OWN_OF_ANSWERS)
    if vector.left:
        up.handler = lambda conn: conn.reply(b"clean")
        assert d.request("/").body == b"clean"


def broken(client, vector):
    """502, or a connection that breaks once the head is out: never a whole answer."""
    try:
        response = client.read_response(vector.asked)
    except (wire.Closed, ConnectionResetError):
        return
    assert response.status == 502, response
    if vector.reject:
        assert response.json()["reason"] == vector.reject[1], response

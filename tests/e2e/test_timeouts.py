"""Every wait has an end of its own, inside the route's budget, and a name when it ends."""
import socket
import time

import pytest
from harness import expect, wait
from harness.upstream import raw


def route(**call):
    return {"path": "/t", "timeout": call.pop("budget", "1h"), "calls": {"it": {"upstream": "up", "path": "/", **call}}}


def timed(d, low, target="/t"):
    """No more than that is told by the reason: every other time-out is an hour."""
    started = time.monotonic()
    response = d.get(target)
    assert time.monotonic() - started >= low, "took %.3f s: %r" % (time.monotonic() - started, response)
    return response


def hang(conn):
    conn.wait_for_eof()


@pytest.mark.sanitize
def test_call_timeout(gatherd, upstream):
    d = gatherd([route(timeout="200ms")], {"up": upstream(hang)})
    expect.is_problem(timed(d, 0.19), 504, "timeout", "it")


def test_total_timeout_of_the_upstream(gatherd, upstream):
    up = upstream(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1", then="hang"))
    d = gatherd([route()], {"up": up.conf(timeouts={"total": "200ms"})})
    expect.is_problem(timed(d, 0.19), 504, "timeout", "it")


def test_first_byte_timeout(gatherd, upstream):
    d = gatherd([route()], {"up": upstream(hang).conf(timeouts={"first_byte": "200ms"})})
    expect.is_problem(timed(d, 0.19), 504, "first_byte_timeout", "it")


def test_first_byte_timeout_ends_with_the_first_byte(gatherd, upstream):
    def attempt(ms):
        up = upstream(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", ms / 500, b"1"))
        d = gatherd([route()], {"up": up.conf(timeouts={"first_byte": "%dms" % ms})})
        assert timed(d, ms / 510).body == b'{"it":1}'
    wait.with_time(attempt, 200)


def test_the_route_bounds_every_call(gatherd, upstream):
    d = gatherd([route(budget="200ms", timeout="1h")], {"up": upstream(hang).conf(timeouts={"total": "1h"})})
    expect.is_problem(timed(d, 0.19), 504, "timeout", "it")


def test_an_optional_call_ends_with_its_own_timeout(gatherd, upstream):
    slow, fast = upstream(hang), upstream()
    calls = {"fast": {"upstream": "fast", "path": "/"},
             "slow": {"upstream": "slow", "path": "/", "timeout": "150ms", "required": False}}
    d = gatherd([{"path": "/t", "calls": calls}], {"slow": slow, "fast": fast})
    body = expect.is_partial(timed(d, 0.14), slow="timeout")
    assert body["_meta"]["calls"]["slow"]["ms"] >= 140
    assert body["fast"] == {"ok": True}
    assert slow.conns[0].saw_eof.wait(wait.PATIENCE), "the late call was not given up"


def test_an_optional_call_ends_with_the_route(gatherd, upstream):
    calls = {"fast": {"upstream": "fast", "path": "/"}, "slow": {"upstream": "slow", "path": "/", "required": False}}

    def attempt(ms):
        d = gatherd([{"path": "/t", "timeout": "%dms" % ms, "calls": calls}], {"slow": upstream(hang), "fast": upstream()})
        expect.is_partial(timed(d, 0.95 * ms / 1000), slow="timeout")
    wait.with_time(attempt, 200)


def test_connection_refused(gatherd, upstream):
    up = upstream()
    up.stop()
    d = gatherd([route()], {"up": up})
    expect.is_problem(timed(d, 0), 502, "connect_refused", "it")


def test_connect_timeout(gatherd):
    """A listener whose backlog is full drops further SYNs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        time.sleep(0.05)
        url = "http://127.0.0.1:%d" % listener.getsockname()[1]
        d = gatherd([route()], {"up": {"servers": [url], "timeouts": {"connect": "200ms"}}})
        expect.is_problem(timed(d, 0.19), 504, "connect_timeout", "it")
        for filler in fillers:
            filler.close()


def test_waiting_in_the_queue_counts_towards_the_budget(gatherd, upstream):
    up = upstream(hang)
    d = gatherd([route(budget="250ms")], {"up": up.conf(concurrency={"limit": 1}, queue={"size": 9})})
    with d.client() as first:
        first.write_request("/t")
        up.wait_requests(1)
        response = timed(d, 0.2)
        assert response.status in (503, 504), response


def test_late_calls_do_not_hold_back_the_next_request(gatherd, upstream):
    def attempt(ms):
        up = upstream()
        up.handler = lambda conn: conn.wait_for_eof() if len(up.requests) == 1 else conn.reply(b"1")
        d = gatherd([route(timeout="%dms" % ms)], {"up": up})
        with d.client() as client:
            assert client.request("/t").status == 504
            assert client.request("/t").body == b'{"it":1}'
    wait.with_time(attempt, 100)

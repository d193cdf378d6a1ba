"""Concurrency limits are exact over all workers; what is beyond them and their queues is refused at once."""
import threading
import time

import pytest
from harness import expect, wait, wire
from harness.upstream import crowd, gate, json_reply

ROUTE = {"path": "/q", "calls": {"it": {"upstream": "up", "path": "/"}}}


def ask_all(d, clients, each, target="/q"):
    """Responses of `clients` connections at once, `each` requests on every one."""
    responses, failures = [], []

    def ask():
        try:
            with d.client() as client:
                for _ in range(each):
                    responses.append(client.request(target))
        except (AssertionError, OSError, wire.Closed) as failure:
            failures.append(failure)
    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    return responses


@pytest.mark.threads
def test_two_workers_never_exceed_the_limit_and_reach_it(gatherd, upstream):
    up = upstream(crowd(7, json_reply(b"{}", delay=0.005)))
    d = gatherd([ROUTE], {"up": up.conf(concurrency={"limit": 7}, queue={"size": 1000})}, workers=2)
    responses = ask_all(d, 200, 10)
    assert [r.status for r in responses] == [200] * 2000
    assert up.max_in_flight == 7


@pytest.mark.sanitize
def test_sheds_when_queue_full(gatherd, upstream):
    opened = threading.Event()
    up = upstream(gate(opened))
    d = gatherd([ROUTE], {"up": up.conf(concurrency={"limit": 1}, queue={"size": 1})})
    with d.client() as first, d.client() as second:
        first.write_request("/q")
        up.wait_requests(1)
        second.write_request("/q")
        wait.until(lambda: d.waiting("up") == 1, "a place in the queue")
        expect.is_shed(d.get("/q"), "queue_full", "it")
        opened.set()
        assert first.read_response().status == second.read_response().status == 200


def test_sheds_without_a_queue(gatherd, upstream):
    opened = threading.Event()
    up = upstream(gate(opened))
    d = gatherd([ROUTE], {"up": up.conf(concurrency={"limit": 1}, queue={"size": 0})})
    with d.client() as first:
        first.write_request("/q")
        up.wait_requests(1)
        expect.is_shed(d.get("/q"), "queue_full", "it")
        opened.set()
        assert first.read_response().status == 200
        assert d.get("/q").status == 200


def test_sheds_when_waiting_takes_too_long(gatherd, upstream):
    up = upstream(lambda conn: conn.wait_for_eof())
    d = gatherd([ROUTE], {"up": up.conf(concurrency={"limit": 1}, queue={"size": 10, "timeout": "200ms"})})
    with d.client() as first:
        first.write_request("/q")
        up.wait_requests(1)
        started = time.monotonic()
        expect.is_shed(d.get("/q"), "queue_timeout", "it")
        assert time.monotonic() - started > 0.15


def test_a_request_that_cannot_be_served_starts_no_call(gatherd, upstream):
    opened = threading.Event()
    full, free = upstream(gate(opened)), upstream()
    both = {"path": "/both", "calls": {"free": {"upstream": "free", "path": "/"}, "it": {"upstream": "up", "path": "/"}}}
    d = gatherd([ROUTE, both], {"up": full.conf(concurrency={"limit": 1}, queue={"size": 0}), "free": free})
    with d.client() as first:
        first.write_request("/q")
        full.wait_requests(1)
        for _ in range(20):
            expect.is_shed(d.get("/both"), "queue_full", "it")
        opened.set()
        assert first.read_response().status == 200
    assert not free.requests and not free.conns


@pytest.mark.parametrize("queue, reason", [({"size": 1}, "queue_full"),
                                           ({"size": 9, "timeout": "100ms"}, "queue_timeout")])
def test_several_calls_to_one_upstream_start_together_or_not_at_all(gatherd, upstream, queue, reason):
    """One permit is free, two are needed."""
    opened = threading.Event()
    up = upstream()
    up.on("/held", gate(opened))
    held = {"path": "/held", "calls": {"it": {"upstream": "up", "path": "/held"}}}
    pair = {"path": "/pair", "calls": {n: {"upstream": "up", "path": "/" + n} for n in "ab"}}
    d = gatherd([held, pair], {"up": up.conf(concurrency={"limit": 2}, queue=queue)})
    with d.client() as first:
        first.write_request("/held")
        up.wait_requests(1)
        for _ in range(5):
            expect.is_shed(d.get("/pair"), reason, "a")
        assert [r.path for r in up.requests] == ["/held"]
        opened.set()
        assert first.read_response().status == 200
    assert d.get("/pair").status == 200


def test_calls_that_share_permits_are_not_shed_once_one_has_left(gatherd, upstream):
    """More calls than permits: they pass them on, whoever else waits."""
    opened = threading.Event()
    up = upstream(gate(opened, b"1"))
    many = {"path": "/many", "calls": {n: {"upstream": "up", "path": "/" + n} for n in "abcde"}}
    d = gatherd([ROUTE, many], {"up": up.conf(concurrency={"limit": 2}, queue={"size": 2, "timeout": "200ms"})})
    with d.client() as first, d.client() as second:
        first.write_request("/many")
        up.wait_requests(2)
        second.write_request("/q")
        assert second.read_response().status == 503  # and three of the calls have waited longer
        opened.set()
        assert first.read_response().json() == dict.fromkeys("abcde", 1)
    assert up.max_in_flight == 2


def test_a_shed_optional_call_is_left_out(gatherd, upstream):
    opened = threading.Event()
    full, free = upstream(gate(opened)), upstream()
    both = {"path": "/both", "calls": {"free": {"upstream": "free", "path": "/"},
                                       "it": {"upstream": "up", "path": "/", "required": False}}}
    d = gatherd([ROUTE, both], {"up": full.conf(concurrency={"limit": 1}, queue={"size": 0}), "free": free})
    with d.client() as first:
        first.write_request("/q")
        full.wait_requests(1)
        assert expect.is_partial(d.get("/both"), it="queue_full")["free"] == {"ok": True}
        opened.set()
        assert first.read_response().status == 200


def test_the_queue_is_first_in_first_out(gatherd, upstream):
    opened = threading.Event()
    up = upstream(gate(opened))
    route = {"path": "/q/{n}", "calls": {"it": {"upstream": "up", "path": "/{n}"}}}
    d = gatherd([route], {"up": up.conf(concurrency={"limit": 1}, queue={"size": 20})})
    clients = [d.client() for _ in range(10)]
    for number, client in enumerate(clients):
        client.write_request("/q/%d" % number)
        if number == 0:
            up.wait_requests(1)
        else:
            wait.until(lambda: d.waiting("up") == number, "its place in the queue")
    opened.set()
    assert all(client.read_response().status == 200 for client in clients)
    assert [r.path for r in up.requests] == ["/%d" % n for n in range(10)]
    for client in clients:
        client.close()


def test_the_daemon_sheds_over_its_own_limit(gatherd, upstream):
    opened = threading.Event()
    up = upstream(gate(opened))
    d = gatherd([ROUTE], {"up": up}, overload={"concurrency": {"limit": 2}, "queue": {"size": 0}})
    clients = [d.client(), d.client()]
    for client in clients:
        client.write_request("/q")
    up.wait_requests(2)
    with d.client() as third:
        expect.is_shed(third.request("/q"), "overloaded")
        opened.set()
        assert [c.read_response().status for c in clients] == [200, 200]
        assert third.request("/q").status == 200
    assert len(up.requests) == 3
    for client in clients:
        client.close()


def test_the_daemon_queues_before_it_sheds(gatherd, upstream):
    up = upstream(lambda conn: conn.wait_for_eof())
    d = gatherd([ROUTE], {"up": up}, overload={"concurrency": {"limit": 1}, "queue": {"size": 1, "timeout": "300ms"}})
    with d.client() as first, d.client() as second:
        first.write_request("/q")
        up.wait_requests(1)
        started = time.monotonic()
        second.write_request("/q")
        expect.is_shed(second.read_response(), "overload_timeout")
        assert time.monotonic() - started > 0.2


@pytest.mark.threads
def test_two_workers_share_the_daemons_limit(gatherd, upstream):
    up = upstream(crowd(5, json_reply(b"{}", delay=0.005)))
    d = gatherd([ROUTE], {"up": up}, workers=2, overload={"concurrency": {"limit": 5}, "queue": {"size": 1000}})
    responses = ask_all(d, 50, 10)
    assert [r.status for r in responses] == [200] * 500
    assert up.max_in_flight == 5


def test_proxy_routes_are_limited_too(gatherd, upstream):
    opened = threading.Event()
    up = upstream(gate(opened))
    d = gatherd([{"path": "/p", "proxy": {"upstream": "up"}}], {"up": up.conf(concurrency={"limit": 1}, queue={"size": 0})})
    with d.client() as first:
        first.write_request("/p")
        up.wait_requests(1)
        response = d.get("/p")
        assert response.status == 503 and response.json()["reason"] == "queue_full"
        assert response.header("Retry-After")
        opened.set()
        assert first.read_response().status == 200


def test_permits_come_back_after_every_kind_of_end(gatherd, upstream):
    """Failures, time-outs and clients that leave do not leak permits."""
    up = upstream().on("/bad", json_reply(b"nope")).on("/hang", lambda conn: conn.wait_for_eof())
    up.on("/drop", lambda conn: conn.close())
    routes = [{"path": "/do/{what}", "calls": {"it": {"upstream": "up", "path": "/{what}"}}},
              {"path": "/do/hang", "timeout": "200ms", "calls": {"it": {"upstream": "up", "path": "/hang"}}}]
    d = gatherd(routes, {"up": up.conf(concurrency={"limit": 2}, queue={"size": 0})})
    for _ in range(10):
        for what, status in (("bad", 502), ("hang", 504), ("drop", 502), ("fine", 200)):
            assert d.get("/do/" + what).status == status, what
        client = d.client()
        client.write_request("/do/hang")
        client.close()
    wait.until(lambda: d.get("/do/fine").status == 200, "permits to come back")

"""Upstream connections: reused, bounded, retired, replaced when stale, spread over servers."""
import threading
import time

from harness import expect, wait
from harness.upstream import crowd, json_reply, raw

ROUTE = {"path": "/x", "methods": "any", "calls": {"it": {"upstream": "up", "path": "/"}}}


def together(d, count):
    statuses = []

    def ask():
        statuses.append(d.get("/x").status)
    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def test_connections_are_reused(gatherd, upstream):
    up = upstream()
    d = gatherd([ROUTE], {"up": up})
    for _ in range(20):
        assert d.get("/x").status == 200
    assert len(up.conns) == 1


def test_max_connections_bounds_the_pool(gatherd, upstream):
    up = upstream(crowd(3, json_reply(b"1", delay=0.05)))
    d = gatherd([ROUTE], {"up": up.conf(pool={"max_connections": 3, "max_idle": 3})})
    assert together(d, 20) == [200] * 20
    assert up.max_in_flight == 3
    assert len(up.conns) == 3


def test_max_idle_closes_what_is_too_many(gatherd, upstream):
    up = upstream(crowd(8, json_reply(b"1")))
    d = gatherd([ROUTE], {"up": up.conf(pool={"max_connections": 10, "max_idle": 2})})
    assert together(d, 8) == [200] * 8
    wait.until(lambda: len(up.open_conns()) == 2, "the pool to shrink to max_idle")


def test_idle_connections_time_out(gatherd, upstream):
    up = upstream()
    d = gatherd([ROUTE], {"up": up.conf(pool={"idle_timeout": "200ms"})})
    started = time.monotonic()
    assert d.get("/x").status == 200
    wait.until(lambda: not up.open_conns(), "the idle connection to close")
    assert time.monotonic() - started > 0.1


def test_max_requests_retires_a_connection(gatherd, upstream):
    up = upstream()
    d = gatherd([ROUTE], {"up": up.conf(pool={"max_requests": 3})})
    for _ in range(9):
        assert d.get("/x").status == 200
    assert [c.served for c in up.conns] == [3, 3, 3]


def test_connection_close_from_the_upstream_is_obeyed(gatherd, upstream):
    up = upstream(json_reply(b"1", fields=[("Connection", "close")]))
    d = gatherd([ROUTE], {"up": up})
    assert d.get("/x").status == d.get("/x").status == 200
    assert len(up.conns) == 2


def test_a_stale_connection_is_replaced_for_free(gatherd, upstream):
    """The upstream drops the reused connection when the next request comes: once is nobody's fault."""
    up = upstream()

    def second_time_is_dropped(conn):
        conn.close() if conn.served > 1 else conn.reply(b"1")
    up.handler = second_time_is_dropped
    d = gatherd([ROUTE], {"up": up})
    for _ in range(5):
        assert d.get("/x").body == b'{"it":1}'


def test_a_fresh_connection_that_dies_is_not_retried(gatherd, upstream):
    up = upstream(raw())
    d = gatherd([ROUTE], {"up": up})
    expect.is_problem(d.get("/x"), 502, "reset", "it")
    assert len(up.requests) == 1


def test_a_post_is_not_sent_twice(gatherd, upstream):
    up = upstream()
    up.handler = lambda conn: conn.close() if conn.served > 1 else conn.reply(b"1")
    post = {"path": "/x", "methods": ["POST"], "calls": {"it": {"upstream": "up", "method": "POST", "path": "/", "body": "{body}"}}}
    d = gatherd([post], {"up": up})
    assert d.request("/x", "POST", body=b"1").status == 200
    response = d.request("/x", "POST", body=b"2")
    expect.is_problem(response, 502, "reset", "it")
    assert [r.body for r in up.requests] == [b"1", b"2"]


def test_round_robin_takes_turns(gatherd, upstream):
    ups = [upstream() for _ in range(3)]
    d = gatherd([ROUTE], {"up": {"servers": [u.url for u in ups], "balance": "round_robin"}})
    for _ in range(30):
        assert d.get("/x").status == 200
    assert [len(u.requests) for u in ups] == [10, 10, 10]


def test_least_loaded_avoids_the_slow_server(gatherd, upstream):
    slow, fast = upstream(json_reply(b"1", delay=0.3)), upstream(json_reply(b"1"))
    d = gatherd([ROUTE], {"up": {"servers": [slow.url, fast.url], "balance": "least_loaded"}})

    def is_avoided():
        before = len(fast.requests)
        for _ in range(10):
            assert together(d, 4) == [200] * 4
        return len(fast.requests) - before >= 32
    # four in five of forty: chance does that once in ten thousand times, and a busy machine may make the fast one slow
    wait.until(is_avoided, "the slow server to be avoided")


def test_an_upstream_that_comes_back_is_used_again(gatherd, upstream):
    up = upstream()
    d = gatherd([ROUTE], {"up": up})
    assert d.get("/x").status == 200
    up.stop()
    wait.until(lambda: not up.open_conns(), "the upstream to be gone")
    assert d.get("/x").status == 502
    up.start()
    wait.until(lambda: d.get("/x").status == 200, "the upstream to be used again")


def test_host_names_are_resolved_before_serving(gatherd, upstream):
    up = upstream()
    d = gatherd([ROUTE], {"up": {"servers": ["http://localhost:%d" % up.port]}})
    assert d.get("/x").status == 200
    assert up.only_request().header("Host") == "localhost:%d" % up.port


def test_a_name_that_does_not_resolve_is_said_at_start(gatherd, tmp_path):
    from harness import daemon
    good = gatherd([ROUTE], {"up": {"servers": ["http://127.0.0.1:1"]}})
    with open(good.config_path) as f:
        text = f.read().replace("http://127.0.0.1:1", "http://no-such-host.invalid:1")
    bad = tmp_path / "bad.yaml"
    bad.write_text(text)
    ran = daemon.run("run", "-c", str(bad))
    assert ran.returncode in (1, 78)
    assert "no-such-host.invalid" in ran.stderr


def test_unix_socket_listener_and_upstream(gatherd, tmp_path):
    """One gatherd behind another, joined by unix sockets."""
    back_path = str(tmp_path / "back.sock")
    back = gatherd([{"path": "/{id}", "reply": {"status": 200, "json": {"id": "{id}"}}}], listener={"address": "unix:" + back_path})
    front = gatherd([{"path": "/{id}", "calls": {"it": {"upstream": "up", "path": "/{id}"}}}],
                    {"up": {"servers": ["http+unix:" + back_path]}})
    assert front.get("/7").body == b'{"it":{"id":"7"}}'
    assert back.process.poll() is None


def test_ipv6_listener(gatherd):
    import socket
    from harness import ports, wire
    port = ports.Port()
    d = gatherd([{"path": "/", "reply": {"status": 200, "body": "six"}}], listener={"address": "[::1]:%d" % port.number})
    sock = socket.create_connection(("::1", port.number))
    sock.sendall(b"GET / HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
    response = wire.Response(*wire.Reader(sock).head(), [])
    assert response.status == 200
    port.release()
    assert d.process.poll() is None


def test_a_server_that_cannot_be_reached_fails_no_call(gatherd, upstream):
    """Nothing was sent when no connection came about: another server takes the call, whatever its method."""
    up, gone = upstream(), upstream()
    gone.stop()
    for balance in ("round_robin", "least_loaded"):
        d = gatherd([ROUTE, {"path": "/post", "methods": ["POST"], "calls": {
            "it": {"upstream": "up", "method": "POST", "path": "/", "body": "{body}"}}}],
            {"up": {"servers": [gone.url, up.url], "balance": balance}})
        assert [d.get("/x").status for _ in range(20)] == [200] * 20
        assert d.get("/post", method="POST", body=b"1").status == 200
        tried = d.metric("gatherd_upstream_redispatches_total", upstream="up")
        assert tried >= 1 and (balance == "round_robin" or tried < 10), tried


def test_no_server_can_be_reached(gatherd, upstream):
    gone = [upstream() for _ in range(3)]
    for up in gone:
        up.stop()
    d = gatherd([ROUTE], {"up": {"servers": [up.url for up in gone]}})
    expect.is_problem(d.get("/x"), 502, "connect_refused", "it")

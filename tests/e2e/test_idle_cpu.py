"""Waiting costs nothing: in every state where bytes lie unread or nothing can go on, the loop sleeps."""
import os
import resource
import threading
import time

import pytest
from harness import wait
from harness.upstream import HeadUpstream, gate, raw

SECONDS = 0.5
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(d):
    with open("/proc/%d/stat" % d.process.pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def is_running(d):
    """A thread that does not sleep is running, or waits for a processor that others have: state R (proc(5)) all the time."""
    folder = "/proc/%d/task" % d.process.pid
    for thread in os.listdir(folder):
        with open("%s/%s/stat" % (folder, thread)) as f:
            if f.read().rsplit(")", 1)[1].split()[0] == "R":
                return True
    return False


def assert_sleeps(d, what):
    """For half a second, once what led to this state is over. Its share of a busy machine's processors would say little."""
    def sleeps():
        before, running = cpu_seconds(d), 0
        for _ in range(50):
            time.sleep(SECONDS / 50)
            running += is_running(d)
        return running <= 10 and cpu_seconds(d) - before <= 0.1 * SECONDS
    wait.until(sleeps, "the loop to sleep while " + what, 20)


@pytest.fixture
def held(gatherd, upstream):
    opened = threading.Event()
    up = upstream(gate(opened))
    routes = [{"path": "/q", "methods": "any", "timeout": "60s", "calls": {"it": {"upstream": "up", "path": "/"}}},
              {"path": "/p/{rest...}", "methods": "any", "timeout": "60s", "proxy": {"upstream": "up"}}]
    d = gatherd(routes, {"up": up.conf(timeouts={"first_byte": "50s", "total": "55s"})},
                listener={"timeouts": {"write_stall": "50s"}})
    yield d, up, opened
    opened.set()


def test_sleeps_with_idle_connections(held):
    d, up, opened = held
    opened.set()
    with d.client() as client:
        assert client.request("/q").status == 200
        assert_sleeps(d, "a keep-alive connection is idle on both sides")


@pytest.mark.parametrize("target", ["/q", "/p/x"])
def test_sleeps_while_pipelined_bytes_wait(held, target):
    d, up, opened = held
    with d.client() as client:
        client.write_request(target)
        up.wait_requests(1)
        client.sock.settimeout(0.3)
        try:
            for _ in range(2000):
                client.write_request(target, fields=[("X-Fill", "y" * 1000)])
        except TimeoutError:
            pass
        assert_sleeps(d, "more pipelined bytes lie there than are read ahead")


def test_sleeps_while_half_a_head_is_there(held):
    d, _, _ = held
    with d.client() as client:
        client.send(b"GET /q HTTP/1.1\r\nHos")
        assert_sleeps(d, "half a head is there")


def test_sleeps_while_half_a_body_is_there(held):
    d, up, _ = held
    with d.client() as client:
        client.write_request("/p/x", "PUT", fields=[("Content-Length", "1000000")])
        client.send(b"x" * 100000)
        assert_sleeps(d, "half a body is there")


def test_sleeps_while_the_client_does_not_read(gatherd, upstream):
    piece = b"x" * 65536

    def flood(conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            conn.send(piece)
    d = gatherd([{"path": "/", "timeout": "60s", "proxy": {"upstream": "up"}}], {"up": upstream(flood)},
                listener={"timeouts": {"write_stall": "50s"}})
    with d.client(receive_buffer=4096) as client:
        client.write_request("/")
        client.read_head()
        time.sleep(0.3)
        assert_sleeps(d, "a client does not read its answer")


def test_sleeps_while_the_upstream_does_not_read(gatherd, upstream):
    up = upstream(lambda conn: conn.upstream.stopping.wait(wait.PATIENCE), kind=HeadUpstream, receive_buffer=4096)
    d = gatherd([{"path": "/", "methods": "any", "timeout": "60s", "proxy": {"upstream": "up"}}], {"up": up.conf(timeouts={"total": "50s"})})
    with d.client() as client:
        client.write_request("/", "PUT", fields=[("Content-Length", "100000000")])
        client.sock.settimeout(0.5)
        try:
            client.send(b"x" * 50000000)
        except TimeoutError:
            pass
        assert_sleeps(d, "an upstream does not read its request")


def test_sleeps_after_an_upstream_closed_its_idle_connection(gatherd, upstream):
    up = upstream()
    d = gatherd([{"path": "/q", "calls": {"it": {"upstream": "up", "path": "/"}}}], {"up": up})
    assert d.get("/q").status == 200
    up.stop()
    assert_sleeps(d, "an idle upstream connection was closed")


def test_sleeps_after_bytes_came_on_an_idle_upstream_connection(gatherd, upstream):
    up = upstream(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", 0.1, b"HTTP/1.1 408 Too Late\r\n\r\n", then="keep"))
    d = gatherd([{"path": "/q", "calls": {"it": {"upstream": "up", "path": "/"}}}], {"up": up})
    assert d.get("/q").status == 200
    assert_sleeps(d, "bytes came on an idle upstream connection")
    assert d.get("/q").status == 200


def test_sleeps_at_the_connection_limit(gatherd):
    d = gatherd([{"path": "/", "reply": {"status": 200}}], listener={"limits": {"connections": 5}})
    clients = [d.client() for _ in range(5)]
    assert all(c.request("/").status == 200 for c in clients)
    more = [d.client() for _ in range(5)]
    assert_sleeps(d, "more clients came than may")
    for client in clients + more:
        client.close()


def test_sleeps_when_out_of_descriptors(gatherd):
    d = gatherd([{"path": "/", "reply": {"status": 200}}])
    with d.client() as first:
        assert first.request("/").status == 200
        soft, hard = resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, (d.fds() + 5, hard))
        clients = [d.client() for _ in range(30)]
        assert_sleeps(d, "no descriptor is left for new clients")
        assert first.request("/").status == 200, "those who are connected are served"
        resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        for client in clients:
            client.close()
    wait.until(lambda: _works(d), "new clients to be served again")


def _works(d):
    try:
        return d.get("/").status == 200
    except OSError:
        return False


def test_sleeps_while_draining(held):
    import signal
    d, up, opened = held
    with d.client() as client:
        client.write_request("/q")
        up.wait_requests(1)
        d.signal(signal.SIGTERM)
        assert_sleeps(d, "a drain waits for a request")
        opened.set()
        assert client.read_response().status == 200

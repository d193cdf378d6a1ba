"""A hundred thousand requests with ids: every answer is its own, and nothing grows."""
import json
import random
import subprocess
import threading
import time

import pytest
from harness import daemon, wait

pytestmark = pytest.mark.alone
MEBIBYTE = 1 << 20
CALLS = {name: {"upstream": name, "path": "/%s/{id}" % name} for name in ("a", "b", "c")}
FRONT = [{"path": "/ids/{id}", "calls": CALLS},
         {"path": "/some/{id}", "calls": {**CALLS, "b": {**CALLS["b"], "default": None}}}]
BACK = [{"path": "/%s/{id}" % name, "reply": {"status": 200, "json": {"id": "{id}"}}} for name in ("a", "b", "c")]


def idload(d, target, requests, *options):
    ran = subprocess.run([daemon.tool("idload"), "-n", str(requests), *options, str(d.port), target], capture_output=True,
                         text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


def settled(d):
    """Open fds once the clients' connections are gone."""
    last = [d.fds(), time.monotonic()]

    def is_flat():
        now = d.fds()
        if now != last[0]:
            last[:] = [now, time.monotonic()]
        return time.monotonic() - last[1] > 0.3
    wait.until(is_flat, "fds to settle")
    return last[0]


def pair(gatherd, workers, **upstream):
    """A daemon that gathers and another behind it that answers."""
    back = gatherd(BACK, workers=1)
    url = "http://127.0.0.1:%d" % back.port
    pool = {"max_connections": 100, "max_idle": 100, "idle_timeout": "60s"}
    front = gatherd(FRONT, {name: {"servers": [url], "pool": pool, **upstream} for name in ("a", "b", "c")}, workers=workers)
    return front, back


def test_100000_requests_each_get_their_own_answer_and_nothing_grows(gatherd):
    front, _ = pair(gatherd, workers=2)
    idload(front, "/ids/@", 10000, "-k", "3", "-c", "50")
    fds, memory = settled(front), front.memory()
    assert idload(front, "/ids/@", 100000, "-k", "3", "-c", "50")["right"] == 100000
    assert settled(front) <= fds + 300  # idle upstream connections may differ by what was open at once
    front.check_memory(memory, 4 * MEBIBYTE)
    idload(front, "/ids/@", 1000, "-k", "3", "-c", "1")
    front_log = front.access_log(111000)
    assert len(front_log) == 111000


@pytest.mark.threads
def test_a_few_thousand_requests_with_clients_that_leave(gatherd):
    front, _ = pair(gatherd, workers=2)
    idload(front, "/ids/@", 5000, "-k", "3", "-c", "20", "-l", "50")


def test_clients_leave_and_upstreams_die_at_random(gatherd):
    """Two upstream processes behind each name are killed and started again all the time."""
    backs = [gatherd(BACK, workers=1) for _ in range(2)]
    urls = ["http://127.0.0.1:%d" % back.port for back in backs]
    pool = {"max_connections": 100, "max_idle": 100}
    front = gatherd(FRONT, {name: {"servers": urls, "pool": pool, "balance": "round_robin"} for name in ("a", "b", "c")}, workers=2)
    idload(front, "/ids/@", 5000, "-k", "3", "-c", "50", "-l", "20", "-e")
    fds, memory = settled(front), front.memory()
    ended = threading.Event()

    def kill_and_start():
        while not ended.wait(random.random() * 0.2):
            back = random.choice(backs)
            back.kill()
            back.restart()
    killer = threading.Thread(target=kill_and_start)
    killer.start()
    try:
        counts = idload(front, "/ids/@", 100000, "-k", "3", "-c", "50", "-l", "20", "-e")
    finally:
        ended.set()
        killer.join()
    assert counts["right"] > 10000, counts
    assert counts["left"] > 500, counts
    assert idload(front, "/ids/@", 2000, "-k", "3", "-c", "10")["right"] == 2000
    assert [front.upstream_state(name)["in_flight"] for name in "abc"] == [0, 0, 0]
    assert settled(front) <= fds + 300  # likewise
    front.check_memory(memory, 8 * MEBIBYTE)


def test_idle_connections_cost_little(gatherd):
    d = gatherd([{"path": "/", "reply": {"status": 200, "body": "hello"}}], listener={"limits": {"connections": 3000}})
    with d.client() as client:
        client.request("/")
    before = d.memory()
    clients = []
    for _ in range(2000):
        clients.append(d.client())
        assert clients[-1].request("/").status == 200
    each = (d.memory() - before) / len(clients)
    for client in clients:
        client.close()
    if not daemon.is_sanitized():
        assert each < 2048, "%d bytes for an idle connection" % each

"""Everything that composition can do, at once, while clients leave and upstreams fail: nothing is lost, nothing grows."""
import contextlib
import json
import random
import threading
import time

import pytest
from harness import daemon, wait, wire
from harness.upstream import Upstream

MEBIBYTE = 1 << 20
LIST = b'{"list":[' + b",".join(b'{"id":%d,"x":"a/b%%\\r\\n%d","n":null}' % (n % 7, n) for n in range(40)) + b'],"ref":"../x","n":1e3}'
GARBAGE = [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"\x00\x01\x02\r\n\r\n",
           b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 999 \r\n\r\n",
           b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"HTTP/1.1 100 Continue\r\n\r\n" * 40]


def upstream_of(chooser, lock):
    """A handler that is mostly right, and else slow, garbage, a wrong list, cut off or reset."""
    def handler(conn):
        with lock:
            fate, delay, garbage = chooser.random(), chooser.random() * 0.02, chooser.choice(GARBAGE)
        if fate < 0.01:
            conn.send(garbage)
            conn.close()
        elif fate < 0.02:
            conn.reset()
        elif fate < 0.03:
            conn.pause(0.6)  # beyond the time-outs
            conn.reply(LIST)
        elif fate < 0.05:
            conn.reply(b'{"error":"' + b"e" * 5000 + b'"}', status=404 if fate < 0.04 else 503)
        elif fate < 0.06:
            conn.reply(b'{"list":7,"ref":{"a":[1,{}]}}' if fate < 0.055 else b"{" * 200)
        else:
            conn.pause(delay)
            answer(conn)
    return handler


def answer(conn):
    path = conn.request.path
    if path == "/batch":
        ids = json.loads(conn.request.body)["ids"]
        conn.reply(json.dumps([{"id": i, "name": "n" * 50} for i in reversed(ids)]))
    elif path == "/big":
        conn.reply(b'{"big":"' + b"b" * 150000 + b'"}')
    else:
        conn.reply(LIST, fields=[("Set-Cookie", "a=1"), ("Cache-Control", "max-age=5"), ("X-Back", "yes")])


def call(path, **more):
    return {"upstream": "up", "path": path, **more}


def routes():
    every = "{calls.first.body.list[]"
    first = {"first": call("/first/{id}", pass_errors=[404])}
    each = call("/item/{item}", for_each=every + ".id}", parallel=6, required=False, headers={"X-Id": "{item}"})
    batch = call("/batch", method="POST", for_each=every + ".id}", distinct=True, batch={"max": 3, "match": "id"},
                 json={"ids": "{items}"}, default=None)
    return [{"name": kind, "timeout": "1s", **route} for kind, route in {
        "graph": {"path": "/graph/{id}", "calls": {
            **first, "second": call("/x/{calls.first.body.ref|none}", query={"all": every + ".x}"}, required=False),
            "third": call("/t", method="POST", json={"all": every + "}", "n": "{calls.first.result.n}"}, default=[]),
            "maybe": call("/m", when="{calls.first.body.n} >= 1000 and {query.level} in [1, 2]", required=False)}},
        "each": {"path": "/each/{id}", "response": {"errors": "detail", "status": [{"when": "{calls.first.status} == 200", "status": 200}]},
                 "calls": {**first, "each": {**each, "into": "first.list[].product"}, "strict": call(
                     "/s/{item.x}", for_each=every + "}", parallel=3, max_items=5, truncate=True, required=False)}},
        "fold": {"path": "/fold/{id}", "response": {"errors": "detail", "headers": {"copy": ["first: *"]}},
                 "calls": {**first, "fold": batch, "must": call("/i/{item}", for_each=every + ".id}", distinct=True, required=True)}},
        "any": {"path": "/any/{id}", "need": "any", "calls": {n: call("/" + n) for n in "abc"}},
        "two": {"path": "/two/{id}", "need": 2, "calls": {"a": call("/a"), "b": call("/big"), "c": each | {"for_each": "{query.i[]}"}}},
        "many": {"path": "/many/{id}", "calls": {n: call("/big", required=n < "e") for n in "abcdefgh"}},
        "ndjson": {"path": "/ndjson/{id}", "format": "ndjson", "calls": {**first, "each": each, "big": call("/big", required=False)}},
        "sse": {"path": "/sse/{id}", "format": "sse", "calls": {**first, "fold": batch, "big": call("/big", required=False)}},
        "multipart": {"path": "/multipart/{id}", "format": "multipart", "calls": {**first, "big": call("/big")}},
        "bytes": {"path": "/bytes/{id}", "response": {"body": "{calls.big.body}"}, "calls": {"big": call("/big")}},
        "proxy": {"path": "/proxy/{id}", "proxy": {"upstream": "up"}},
        "entries": {"path": "/entries/{id}", "batch": {"parallel": 3, "max": 20}},
    }.items()]


class Visitor(threading.Thread):
    """One client after the other: some read their answer, some leave in the middle, rudely or not."""

    def __init__(self, d, seed, ended):
        super().__init__()
        self.d, self.chooser, self.ended = d, random.Random(seed), ended
        self.answers, self.failure = {}, None

    def target(self):
        name = self.chooser.choice(self.d.routes)["name"]
        return "/%s/%d?level=%s&i=1&i=a%%2Fb" % (name, self.chooser.randrange(9), self.chooser.choice(["1", "nan", "7", "%00"]))

    def visit(self):
        target, leaves = self.target(), self.chooser.random() < 0.3
        how = {}
        if target.startswith("/entries"):
            how = {"method": "POST", "body": json.dumps([{"path": self.target()} for _ in range(8)]).encode()}
        with self.d.client(receive_buffer=self.chooser.choice([None, 4096])) as client:
            client.write_request(target, **how)
            if leaves:
                time.sleep(self.chooser.random() * 0.03)
                client.sock.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    client.sock.recv(self.chooser.choice([1, 3000]))
                if self.chooser.random() < 0.5:
                    client.reset()
                return
            self.check(client.read_response(), is_ours=not target.startswith("/proxy"))

    def check(self, response, is_ours):
        assert response.status in (200, 404, 405, 400, 500, 502, 503, 504), response
        if is_ours and response.header("Content-Type") in ("application/json", "application/problem+json"):
            json.loads(response.body)
        self.answers[response.status] = self.answers.get(response.status, 0) + 1

    def run(self):
        try:
            while not self.ended.is_set():
                with contextlib.suppress(wire.Closed, ConnectionError):  # a streamed answer that cannot go on
                    self.visit()
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure


def counts_of(visitors):
    return {status: sum(v.answers.get(status, 0) for v in visitors) for v in visitors for status in list(v.answers)}


def storm(d, ups, seconds, seed):
    """Visitors until the time is over and enough of them have got something, while upstreams are stopped and started; how
    many got which status."""
    until, ended = time.monotonic() + seconds, threading.Event()
    visitors = [Visitor(d, seed + n, ended) for n in range(16)]
    chooser = random.Random(seed)
    for visitor in visitors:
        visitor.start()

    def is_enough():
        counts = counts_of(visitors)
        return counts.get(200, 0) > 5 and set(counts) & {502, 503, 504}
    while time.monotonic() < until or (not is_enough() and time.monotonic() < until + wait.PATIENCE):
        time.sleep(chooser.random() * 0.8)
        up = chooser.choice(ups)
        up.stop()
        time.sleep(chooser.random() * 0.05)
        up.start()
    ended.set()
    for visitor in visitors:
        visitor.join()
    failures = [v.failure for v in visitors if v.failure]
    assert not failures, failures
    return counts_of(visitors)


def at_rest(d):
    state = d.upstream_state("up")
    return state["in_flight"] == state["queued"] == 0 and d.metric("gatherd_requests_inflight") == 0


def run(gatherd, upstream, seconds):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    lock, chooser = threading.Lock(), random.Random(seed)
    ups = [upstream(upstream_of(chooser, lock), kind=Upstream) for _ in range(2)]
    d = gatherd(routes(), {"up": {
        "servers": [up.url for up in ups], "balance": "round_robin",
        "concurrency": {"limit": 6}, "queue": {"size": 40, "timeout": "300ms"},
        "timeouts": {"first_byte": "400ms", "total": "800ms"}, "pool": {"max_connections": 8, "max_idle": 4}}},
        workers=2, overload={"concurrency": {"limit": 12}, "queue": {"size": 20, "timeout": "500ms"}})
    storm(d, ups, min(seconds, 4) / 2, seed)
    wait.until(lambda: at_rest(d), "every permit to be back")
    fds, memory = d.fds(), d.memory()
    counts = storm(d, ups, seconds, seed + 1000)
    wait.until(lambda: at_rest(d), "every permit to be back")
    print(counts, d.memory() - memory)
    assert counts.get(200, 0) > 5 and set(counts) & {502, 503, 504}, counts
    wait.until(lambda: d.fds() <= fds + 16, "fds to be closed")
    return d.memory() - memory


@pytest.mark.sanitize
@pytest.mark.threads
def test_a_few_seconds_of_storm_leave_nothing_behind(gatherd, upstream):
    run(gatherd, upstream, 3)


@pytest.mark.alone
def test_half_a_minute_of_storm_leaves_nothing_behind_and_memory_flat(gatherd, upstream):
    grown = run(gatherd, upstream, 25)
    assert daemon.is_sanitized() or grown < 32 * MEBIBYTE  # a sanitizer keeps what was freed

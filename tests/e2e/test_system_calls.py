"""On the steady path the kernel is asked to read, to write and to wait, and nothing else."""
import collections
import os
import shutil
import signal
import subprocess
import time

import pytest
from harness import tls, wait
from harness.upstream import json_reply

REQUESTS = 200
# what belongs to the steady path, and to nothing else; what is too long to be joined leaves by sendmsg
STEADY = {"recvfrom", "sendto", "sendmsg", "epoll_wait"}
# once a second, however many requests: the timer that gives unused memory back
PER_SECOND = {"timerfd_settime"}
# and with an access log: its lines leave together, when there are many of them or after FLUSH_SECONDS
LOGGING = {"timerfd_settime", "futex", "write"}
# what the allocator asks for, until there are as many chunks of lines as a late writer lets go round
HEAP = {"mprotect", "mmap", "munmap", "madvise", "brk"}
FLUSH_SECONDS = 0.05
CHUNK_BYTES = 50000


def attached(pid):
    """All its threads: the tracer takes them one after the other."""
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, thread)) as f:
            if "TracerPid:\t0\n" in f.read():
                return False
    return True


@pytest.fixture
def traced(tmp_path):
    """traced(process, action): the system calls of all its threads meanwhile, by name, and the seconds that it took."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")

    def run(process, action):
        out = tmp_path / "strace"
        counts = collections.Counter()
        tracer = subprocess.Popen(["strace", "-f", "-q", "-o", str(out), "-p", str(process.pid)], stderr=subprocess.DEVNULL)
        wait.until(lambda: attached(process.pid) or tracer.poll() is not None, "strace to attach")
        if tracer.poll() is not None:
            pytest.skip("this process may not be traced")
        began = time.monotonic()
        action()
        counts["seconds"] = time.monotonic() - began
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        for line in out.read_text().splitlines():
            call = line.split(None, 1)[1]
            # a warning that the machine is slow is no part of the path
            if "(" in call and not call.startswith(("<...", "---", "+++", "write(2,")):
                counts[call.split("(")[0]] += 1
                counts["MSG_MORE"] += "MSG_MORE" in call
        return counts
    return run


def route_of(calls):
    """No calls: proxied."""
    if calls == 0:
        return {"path": "/x", "proxy": {"upstream": "u0", "path": "/c"}}
    return {"path": "/x", "calls": {"c%d" % i: {"upstream": "u%d" % i, "path": "/c"} for i in range(calls)}}


@pytest.fixture
def counted(gatherd, upstream, traced):
    """counted(calls, workers): the system calls of REQUESTS requests on one connection; the other worker has none."""
    def run(calls, workers, body_bytes=400, **options):
        ups = {"u%d" % i: upstream(json_reply(b'{"id":%d,"text":"%s"}' % (i, b"x" * body_bytes)))
               for i in range(max(1, calls))}
        d = gatherd([route_of(calls)], ups, workers=workers, **options)

        def ask(count):
            for _ in range(count):
                assert client.request("/x").status == 200
        with d.client() as client:
            ask(50)
            return traced(d.process, lambda: ask(REQUESTS))
    return run


def check_messages(counts, calls, timers):
    """One read and one write for each message, but for what another thread of the test has cut in two."""
    messages = (max(1, calls) + 1) * REQUESTS
    assert counts["sendto"] + counts["sendmsg"] == messages
    assert messages <= counts["recvfrom"] <= 1.1 * messages
    assert counts["epoll_wait"] <= messages + REQUESTS + timers


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("calls", [0, 3, 10])
def test_a_request_is_read_written_and_waited_for(counted, calls, workers):
    counts = counted(calls, workers, observe={"access_log": {"path": "none"}})
    timers = 2 * counts.pop("seconds") + 5
    for name, count in counts.items():
        limit = timers if name in PER_SECOND else 0
        assert name in STEADY or count <= limit, "%d of %s in %d requests" % (count, name, REQUESTS)
    check_messages(counts, calls, timers)


@pytest.mark.parametrize("calls", [0, 3])
def test_a_longer_answer_is_read_at_once_too(counted, calls):
    counts = counted(calls, 1, body_bytes=16000, observe={"access_log": {"path": "none"}})
    check_messages(counts, calls, 2 * counts["seconds"] + 5)


def test_pieces_of_one_turn_leave_in_one_write(gatherd, upstream, traced):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"64\r\n%s\r\n" % (b"x" * 100) * 10 + b"0\r\n\r\n"
    d = gatherd([route_of(0)], {"u0": upstream(lambda conn: conn.send(chunked))}, observe={"access_log": {"path": "none"}})
    with d.client() as client:
        def ask(count):
            for _ in range(count):
                assert client.request("/x").body == b"x" * 1000
        ask(20)
        counts = traced(d.process, lambda: ask(REQUESTS))
    check_messages(counts, 0, 2 * counts["seconds"] + 5)


def test_answers_of_one_turn_leave_in_one_write(gatherd, traced):
    """Sixteen requests that come together, most of them answered by the daemon itself, over and over."""
    d = gatherd([{"path": "/short", "reply": {"body": "short"}}, {"path": "/long", "reply": {"body": "x" * 20000}}],
                observe={"access_log": {"path": "none"}})
    paths = ["/short"] * 14 + ["/long", "/none"]
    with d.client() as client:
        def ask(count):
            for _ in range(count):
                client.send(b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode() for path in paths))
                answers = [client.read_response() for _ in paths]
                assert [(a.status, len(a.body)) for a in answers[:15]] == [(200, 5)] * 14 + [(200, 20000)]
                assert answers[15].status == 404
        ask(20)
        counts = traced(d.process, lambda: ask(REQUESTS))
    assert counts["recvfrom"] == REQUESTS
    # what is short leaves with the long one, and what is behind it by itself
    assert counts["sendto"] + counts["sendmsg"] == 2 * REQUESTS, counts


@pytest.mark.parametrize("path", ["/reply", "/c", "/all"])
@pytest.mark.parametrize("how", [{"fields": [("Connection", "close")]}, {"version": "1.0"}])
def test_the_last_answer_leaves_with_its_end(gatherd, upstream, traced, path, how):
    """In one segment, for which the kernel has to know that something follows."""
    calls = {name: {"upstream": "u0", "path": "/" + name} for name in "ab"}
    d = gatherd([{"path": "/reply", "reply": {"json": {"ok": True}}}, {"path": "/c", "proxy": {"upstream": "u0"}},
                 {"path": "/all", "calls": calls}], {"u0": upstream()}, observe={"access_log": {"path": "none"}})

    def ask(count):
        for _ in range(count):
            with d.client() as client:
                response = client.request(path, **how)
                assert response.status == 200 and response.json(), response
                assert client.is_closed()
    ask(5)
    counts = traced(d.process, lambda: ask(50))
    assert counts["MSG_MORE"] == counts["shutdown"] == 50, counts


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("calls", [0, 3, 10])
def test_an_access_log_takes_calls_by_time_not_by_request(counted, calls, workers):
    counts = counted(calls, workers)
    seconds = counts.pop("seconds")
    flushes = seconds / FLUSH_SECONDS + REQUESTS * 512 * (calls + 1) / CHUNK_BYTES + 5
    assert counts["write"] <= flushes
    # each time the worker wakes the writer, which sleeps; a lock that both want takes some more
    limits = dict.fromkeys(LOGGING | HEAP, 12 * counts["write"] + 12)
    for name, count in counts.items():
        assert name in STEADY or count <= limits.get(name, 0), "%d of %s in %d requests" % (count, name, REQUESTS)
    check_messages(counts, calls, 2 * seconds + flushes)


def test_only_a_kernel_that_has_tls_is_asked_to_encrypt(gatherd, traced, tmp_path):
    pki = tls.Pki(tmp_path)
    pair = pki.issue("site")
    d = gatherd([{"path": "/hello", "reply": {"body": "hello"}}],
                listener={"tls": {"certificate": pair[0], "key": pair[1], "ktls": True}})

    def shake_hands():
        for _ in range(5):
            with tls.Client(d.port, pki.ca) as client:
                assert client.request("/hello").body == b"hello"
    counts = traced(d.process, shake_hands)
    with open("/proc/sys/net/ipv4/tcp_available_ulp") as f:
        has_kernel = "tls" in f.read().split()
    assert counts["accept4"] > 0
    assert (counts["setsockopt"] > 0) == has_kernel

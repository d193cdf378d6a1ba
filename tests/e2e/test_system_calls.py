"""On the steady path the kernel is asked to read, to write and to wait, and nothing else."""
import collections
import shutil
import signal
import subprocess
import time

import pytest
from harness import tls, wait
from harness.upstream import json_reply

REQUESTS = 200
# what belongs to the steady path, and to nothing else
STEADY = {"recvfrom", "sendmsg", "epoll_wait"}
# once a second, however many requests: the timer that gives unused memory back
PER_SECOND = {"timerfd_settime", "read"}


def attached(pid):
    with open("/proc/%d/status" % pid) as f:
        return "TracerPid:\t0\n" not in f.read()


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
        return counts
    return run


@pytest.mark.parametrize("calls", [3, 10])
def test_a_gather_reads_writes_and_waits(gatherd, upstream, traced, calls):
    ups = {"u%d" % i: upstream(json_reply(b'{"id":%d,"text":"%s"}' % (i, b"x" * 400))) for i in range(calls)}
    route = {"path": "/x", "calls": {"c%d" % i: {"upstream": "u%d" % i, "path": "/c"} for i in range(calls)}}
    d = gatherd([route], ups, observe={"access_log": {"path": "none"}})

    def ask(count):
        for _ in range(count):
            assert client.request("/x").status == 200
    with d.client() as client:
        ask(50)
        counts = traced(d.process, lambda: ask(REQUESTS))
    seconds = counts.pop("seconds")
    for name, count in counts.items():
        limit = 2 * seconds + 5 if name in PER_SECOND else 0
        assert name in STEADY or count <= limit, "%d of %s in %d requests" % (count, name, REQUESTS)
    # one read and one write for each message, but for what another thread of the test has cut in two
    assert counts["sendmsg"] == (calls + 1) * REQUESTS
    assert (calls + 1) * REQUESTS <= counts["recvfrom"] <= 1.1 * (calls + 1) * REQUESTS
    assert counts["epoll_wait"] <= (calls + 2) * REQUESTS + 2 * seconds


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

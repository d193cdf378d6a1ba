"""The demo's configuration does what the demo says."""
import os
import re
import shutil
import socket
import subprocess
import time

import pytest
import yaml
from harness import daemon, expect, wait

DEMO = os.path.join(daemon.ROOT, "conf", "demo.yaml")


@pytest.fixture
def demo(gatherd):
    with open(DEMO, encoding="utf-8") as f:
        conf = yaml.safe_load(f)
    return gatherd(conf["routes"], conf["upstreams"])


@pytest.mark.alone
def test_the_slowest_service_decides(demo):
    """auth 2 s, inventory 1 s, payment 3 s: 3.0 s, not 6. That it is no more at all is told by a clock that no machine holds
    up: test_explain.py."""
    started = time.monotonic()
    body = expect.is_json(demo.get("/checkout/42"))
    took = time.monotonic() - started
    assert list(body) == ["auth", "inventory", "payment"]
    assert 2.95 <= took < 5, "took %.3f s" % took


def test_the_partial_answer(demo):
    expect.is_partial(demo.get("/checkout/42/quick"), payment="timeout")


def test_the_shed_request(demo):
    def both():
        with demo.client() as first, demo.client() as second:
            for client in (first, second):
                client.write_request("/tickets/1")
            return [first.read_response(), second.read_response()]
    # the first one takes a second: the other may come too late to meet it
    responses = wait.until(lambda: [r for r in [both()] if sorted(a.status for a in r) == [200, 503]], "two at once")[0]
    expect.is_shed([r for r in responses if r.status == 503][0], "queue_full", "ticket")


@pytest.mark.alone
def test_demo_once_answers_and_ends():
    demo = subprocess.run([os.path.join(daemon.ROOT, "scripts", "demo"), "--once"], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, DEMO_GATHERD=daemon.BINARY))
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert re.search(r"total +=+ [34]\.\d\d s", demo.stdout), demo.stdout
    assert '"payment"' in demo.stdout


def test_demo_once_fails_when_an_answer_is_not_right(tmp_path):
    """The same demo over a copy of the file in which one service says something else."""
    shutil.copytree(os.path.join(daemon.ROOT, "scripts"), tmp_path / "scripts")
    (tmp_path / "conf").mkdir()
    with open(DEMO, encoding="utf-8") as f:
        (tmp_path / "conf" / "demo.yaml").write_text(f.read().replace("price: 19.90", "price: 19.9"))
    demo = subprocess.run([tmp_path / "scripts" / "demo", "--once"], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, DEMO_GATHERD=daemon.BINARY))
    assert demo.returncode == 1 and "the answer is not right" in demo.stderr


def test_demo_finds_another_port_when_its_own_is_taken():
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8080))
            taken.listen(1)
        except OSError:
            pass  # somebody else has it: just as good
        demo = subprocess.run([os.path.join(daemon.ROOT, "scripts", "demo"), "--once"], capture_output=True, text=True, timeout=300,
                              stdin=subprocess.DEVNULL, env=dict(os.environ, DEMO_GATHERD=daemon.BINARY))
        assert demo.returncode == 0, demo.stdout + demo.stderr

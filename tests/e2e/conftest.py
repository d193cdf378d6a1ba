"""Fixtures of the end-to-end tests: `gatherd` starts daemons, `upstream` starts upstreams; both are stopped
at the end of the test, and a daemon that ended badly or left a sanitizer's report fails it."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import daemon as daemon_module  # noqa: E402
from harness import tls  # noqa: E402
from harness import upstream as upstream_module  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitize: also run against the build with sanitizers")
    config.addinivalue_line("markers", "threads: also run against the build with the thread sanitizer")
    config.addinivalue_line("markers", "alone: measures time or load and wants the machine for itself")
    if not os.access(daemon_module.BINARY, os.X_OK):
        pytest.exit("%s is not there; build first or set GATHERD_BUILD" % daemon_module.BINARY, returncode=4)


@pytest.fixture
def pki(tmp_path):
    return tls.Pki(tmp_path)


@pytest.fixture
def pair(pki):
    """A certificate of localhost and its key."""
    return pki.issue("site")


@pytest.fixture
def upstream():
    started = []

    def start(*arguments, kind=upstream_module.Upstream, **named):
        started.append(kind(*arguments, **named))
        return started[-1]
    yield start
    for each in started:
        each.stop()
    failures = [failure for each in started for failure in each.failures]
    assert not failures, failures


@pytest.fixture
def gatherd():
    started = []

    def start(routes=(), upstreams=None, **named):
        started.append(daemon_module.Daemon(routes, upstreams, **named))
        return started[-1].start()
    yield start
    problems = []
    for each in started:
        try:
            each.stop()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)

"""The daemon under test: a real process with a configuration of its own on ports of its own."""
import contextlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import yaml

from . import ports, wait, wire
from .upstream import Upstream

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD = os.path.realpath(os.environ.get("GATHERD_BUILD") or os.path.join(ROOT, "build"))
BINARY = os.path.join(BUILD, "gatherd")

REPORTS = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|LeakSanitizer|Assertion .* failed")
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"')


def is_sanitized():
    with open(BINARY, "rb") as f:
        program = f.read()
    return b"__asan_init" in program or b"__tsan_init" in program


def tool(name):
    """A test tool that the build made."""
    return os.path.join(BUILD, "tests", "tools", name)


def run(*arguments, **how):
    """Runs gatherd with arguments to its end."""
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=wait.PATIENCE, **how)


def plain(value):
    """A configuration with Upstream objects in it, as YAML wants it."""
    if isinstance(value, Upstream):
        return value.conf()
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


ACTIVATE = """
import fcntl, os, sys
count = int(sys.argv[1])
passed = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[3:3 + count]]
for number, fd in enumerate(passed):
    os.dup2(fd, 3 + number)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[1], LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3 + count], sys.argv[3 + count:])
"""


def launcher(sockets):
    """A command line that becomes the command behind it, with the sockets passed as systemd does: sd_listen_fds(3)."""
    return [sys.executable, "-c", ACTIVATE, str(len(sockets)), ":".join(sockets),
            *(str(s.fileno()) for s in sockets.values())]


# No time-out of the daemon's own defaults decides anything on a machine with much else to do: a test names those that it
# is about. So what ends early in a test has ended for the reason that it is to have, however long that took.
AGES = "1h"
UNHURRIED = {"upstream": {"timeouts": {"connect": AGES, "first_byte": AGES, "total": AGES}, "queue": {"timeout": AGES}},
             "route": {"timeout": AGES}}
UNHURRIED_LISTENER = {"timeouts": {name: AGES for name in ("header", "body", "idle", "write_stall")}}


def over(base, top):
    """`top`, and of `base` what it does not say otherwise, map by map."""
    return {**base, **{key: over(base.get(key, {}), value) if isinstance(value, dict) and isinstance(base.get(key, {}), dict)
                       else value for key, value in top.items()}}


class Daemon:
    """Started by start(), asked to stop and looked over by stop(). Its configuration is put together of the
    arguments, or is `text`, a whole file with a listener at 127.0.0.1:8080 and neither `admin` nor `observe`."""

    def __init__(self, routes=(), upstreams=None, listener=None, admin=None, workers=1, environment=None, text=None,
                 sockets=None, **top):
        self.routes, self.upstreams, self.listener, self.top = routes, upstreams or {}, listener or {}, top
        self.admin_conf = admin or {}
        self.workers = workers
        self.text = text
        self.environment = environment or {}
        self.sockets = sockets or {}  # by name: what systemd would hand over
        self.folder = tempfile.mkdtemp(prefix="gatherd-e2e-")
        self.admin = os.path.join(self.folder, "admin.sock")
        self.log_path = os.path.join(self.folder, "access.log")
        self.config_path = os.path.join(self.folder, "gatherd.yaml")
        self.stderr_path = os.path.join(self.folder, "stderr")
        self.process = None
        self.claimed = None
        self.notified = []

    def config(self):
        listener = over(UNHURRIED_LISTENER, {"address": "127.0.0.1:%d" % self.port, **self.listener})
        if "tls" in listener:
            listener["timeouts"].setdefault("handshake", AGES)
            if "GATHERD_KTLS" in os.environ:  # see tests/vm
                listener["tls"] = {"ktls": os.environ["GATHERD_KTLS"] == "true", **listener["tls"]}
        if "overload" in self.top:
            self.top["overload"] = over({"queue": {"timeout": AGES}}, self.top["overload"])
        top = {"version": 1, "listeners": {"public": listener},
               "admin": {"socket": self.admin, **self.admin_conf},
               "observe": {"access_log": {"path": self.log_path}},
               "workers": self.workers, "upstreams": self.upstreams, "routes": list(self.routes), **self.top,
               "defaults": over(UNHURRIED, self.top.get("defaults", {}))}
        return plain({key: value for key, value in top.items() if value not in (None, {}, [])})

    def config_text(self):
        if self.text is None:
            return yaml.safe_dump(self.config(), sort_keys=False, allow_unicode=True, width=10000)
        own = {"admin": {"socket": self.admin}, "observe": {"access_log": {"path": self.log_path}}, "workers": self.workers}
        return self.text.replace("127.0.0.1:8080", "127.0.0.1:%d" % self.port) + "\n" + yaml.safe_dump(own)

    def start(self):
        for _ in range(10):
            self.claimed = ports.Port()
            self.port = self.claimed.number
            with open(self.config_path, "w", encoding="utf-8") as f:
                f.write(self.config_text())
            self._spawn()
            if self._is_ready():
                return self
            if "Address already in use" not in self.stderr():
                raise AssertionError("gatherd did not start:\n%s" % self.stderr())
            self.claimed.release()
        raise AssertionError("no port found for gatherd:\n%s" % self.stderr())

    def _spawn(self):
        environment = dict(os.environ, ASAN_OPTIONS="exitcode=99:detect_leaks=1", TSAN_OPTIONS="exitcode=99",
                           UBSAN_OPTIONS="print_stacktrace=1", LSAN_OPTIONS="exitcode=99", **self.environment)
        environment.pop("JOURNAL_STREAM", None)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(self.folder, "notify.sock")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.notify.bind(path)
        environment["NOTIFY_SOCKET"] = path
        with open(self.stderr_path, "ab") as stderr:
            self.process = subprocess.Popen([*self._launcher(), BINARY, "run", "-c", self.config_path],
                                            stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, env=environment,
                                            pass_fds=[s.fileno() for s in self.sockets.values()])

    def _launcher(self):
        return launcher(self.sockets) if self.sockets else []

    def _is_ready(self):
        """Waits for READY=1, for /readyz (a build without systemd says nothing), or for the process to end."""
        until = time.monotonic() + wait.PATIENCE
        while time.monotonic() < until:
            readable, _, _ = select.select([self.notify], [], [], 0.02)
            if readable:
                self.notified.append(self.notify.recv(4096).decode())
            if self.process.poll() is not None:
                return False
            if any("READY=1" in n for n in self.notified) or self.is_serving():
                return True
        raise AssertionError("gatherd is not ready:\n%s" % self.stderr())

    def is_serving(self):
        try:
            return self.ask_admin("/readyz").status == 200
        except (OSError, wire.Closed):
            return False

    # ---- talking to it

    def client(self, **how):
        return wire.Client(self.port, **how)

    def request(self, target="/", method="GET", **how):
        """One request on a connection of its own."""
        with self.client() as client:
            return client.request(target, method, **how)

    get = request

    def ask_admin(self, target, method="GET"):
        with wire.Client(self.admin) as client:
            return client.request(target, method)

    def metrics(self):
        """Samples of /metrics: a list of (name, labels, value)."""
        samples = []
        for line in self.ask_admin("/metrics").body.decode().split("\n"):
            match = SAMPLE.match(line)
            if match:
                samples.append((match.group(1), dict(LABEL.findall(match.group(2) or "")), float(match.group(3))))
        return samples

    def metric(self, name, **labels):
        """The sum of the samples of that name that carry these labels."""
        found = [v for n, has, v in self.metrics() if n == name and labels.items() <= has.items()]
        return sum(found)

    def upstream_state(self, name):
        """What the admin listener tells of an upstream: in_flight, queued, limit."""
        return next(u for u in self.ask_admin("/upstreams").json()["upstreams"] if u["name"] == name)

    def waiting(self, upstream):
        """Calls in the upstream's queue."""
        return self.upstream_state(upstream)["queued"]

    # ---- looking at it

    def stderr(self):
        with open(self.stderr_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def access_log(self, count=1, path=None):
        """The records of the access log, once there are `count` of them."""
        def records():
            try:
                with open(path or self.log_path, encoding="utf-8") as f:
                    lines = f.read().split("\n")[:-1]
            except FileNotFoundError:
                return None
            return [json.loads(line) for line in lines] if len(lines) >= count else None
        return wait.until(records, "%d access-log records" % count)

    def fds(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def memory(self):
        """Resident bytes."""
        with open("/proc/%d/status" % self.process.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1)) * 1024

    def check_memory(self, before, growth, sanitized=None):
        """Resident bytes come back to less than `growth` more than `before`: while what it proves holds on, a moment in which
        more was in use is none. A sanitizer keeps what was freed: it has a bound of its own, or none."""
        limit = sanitized if is_sanitized() else growth
        if limit is not None:
            wait.until(lambda: self.memory() - before < limit, "memory below %d + %d; it is %d" % (before, limit, self.memory()))

    # ---- ending it

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=wait.PATIENCE):
        return self.process.wait(timeout)

    def stop(self):
        """SIGTERM, unless it ended already; then it must have ended well and left no report."""
        try:
            if self.process and self.process.poll() is None:
                self.signal(signal.SIGTERM)
                try:
                    self.wait()
                except subprocess.TimeoutExpired:
                    self.process.send_signal(signal.SIGABRT)
                    self.process.wait()
                    raise AssertionError("gatherd did not end after SIGTERM:\n" + self.stderr()) from None
            self.check_end()
        finally:
            self.clean_up()

    def check_end(self):
        said = self.stderr()
        assert not REPORTS.search(said), said
        assert self.process.returncode == 0, "exit status %d\n%s" % (self.process.returncode, said)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        """The same configuration on the same port, after kill()."""
        self.notify.close()
        self.notified = []
        self._spawn()
        assert self._is_ready(), self.stderr()

    def clean_up(self):
        if self.process and self.process.poll() is None:
            self.kill()
        self.notify.close()
        self.claimed.release()
        shutil.rmtree(self.folder, ignore_errors=True)

"""Listening sockets: those that systemd hands over, and the options of those that are made here."""
import os
import signal
import socket
import stat
import subprocess
import sys

import pytest
from harness import daemon, ports, wait, wire

REPLY = {"path": "/hello", "reply": {"status": 200, "body": "hello"}}


def listening(family=socket.AF_INET, at=("127.0.0.1", 0)):
    s = socket.socket(family)
    s.bind(at)
    s.listen(128)
    return s


def run_with(sockets, config_path):
    """A start that is expected to fail."""
    return subprocess.run([*daemon.launcher(sockets), daemon.BINARY, "run", "-c", config_path], capture_output=True,
                          text=True, timeout=wait.PATIENCE, pass_fds=[s.fileno() for s in sockets.values()])


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "gatherd.yaml"
    path.write_text("version: 1\nlisteners:\n  public: { address: systemd:http }\n"
                    "routes:\n  - { path: /hello, reply: { body: hello } }\n")
    return str(path)


# ---- socket activation

@pytest.mark.sanitize
@pytest.mark.parametrize("workers", [1, 3])
def test_serves_on_a_socket_of_systemd(gatherd, workers):
    with listening() as s:
        d = gatherd([REPLY], listener={"address": "systemd:http"}, sockets={"http": s}, workers=workers)
        for _ in range(20):
            with wire.Client(s.getsockname()[1]) as client:
                assert client.request("/hello").body == b"hello"
        assert "listener public: 127.0.0.1:%d" % s.getsockname()[1] in d.stderr()


def test_several_sockets_of_systemd(gatherd, tmp_path):
    path = str(tmp_path / "http.sock")
    with listening() as tcp, listening(socket.AF_UNIX, path) as unix:
        d = gatherd([REPLY], sockets={"unix": unix, "tcp": tcp}, workers=2, listeners={
            "one": {"address": "systemd:tcp"}, "two": {"address": "systemd:unix"}, "three": {"address": "127.0.0.1:0"}})
        for where in (tcp.getsockname()[1], path):
            with wire.Client(where) as client:
                assert client.request("/hello").body == b"hello"
        d.signal(signal.SIGTERM)
        assert d.wait() == 0
        assert os.path.exists(path), "a socket that systemd made is not ours to remove"


def test_clients_wait_while_it_is_started_anew(gatherd):
    with listening() as s:
        d = gatherd([REPLY], listener={"address": "systemd:http"}, sockets={"http": s})
        d.signal(signal.SIGTERM)
        assert d.wait() == 0
        with wire.Client(s.getsockname()[1]) as client:
            client.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            d.restart()
            assert client.read_response().body == b"hello"


def test_a_socket_that_was_not_passed_is_said(config):
    refused = daemon.run("run", "-c", config)
    assert refused.returncode == 1
    assert "listener public: systemd:http: the service manager passed no socket of that name" in refused.stderr
    with listening() as s:
        refused = run_with({"https": s}, config)
    assert refused.returncode == 1
    assert "systemd:http: the service manager passed no socket of that name" in refused.stderr


def test_sockets_that_cannot_be_used_are_said(config):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        assert "does not listen for streams" in run_with({"http": udp}, config).stderr
    one, two = socket.socketpair()
    with one, two:
        assert "does not listen for streams" in run_with({"http": one}, config).stderr


def test_a_socket_that_nobody_uses_is_said(gatherd):
    with listening() as s:
        d = gatherd([REPLY], sockets={"other": s})
        assert "no listener has the address systemd:other" in d.stderr()
        assert d.get("/hello").body == b"hello"


def test_systemd_socket_activate(config):
    """The real thing; it starts the daemon when the first client comes, who is then answered."""
    activate = "/usr/bin/systemd-socket-activate"
    if not os.access(activate, os.X_OK):
        pytest.skip("Debian's package systemd is not there")
    port = ports.Port()
    process = subprocess.Popen([activate, "--fdname=http", "-l", "127.0.0.1:%d" % port.number, daemon.BINARY, "run",
                                "-c", config], stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr)

    def connected():
        try:
            return wire.Client(port.number)
        except ConnectionRefusedError:
            return None
    try:
        with wait.until(connected, "systemd-socket-activate") as client:
            assert client.request("/hello").body == b"hello"
    finally:
        process.terminate()
        assert process.wait(wait.PATIENCE) == 0
        port.release()


# ---- options

@pytest.mark.parametrize("mode", ["0600", "660", "0777"])
def test_mode_and_group_of_a_unix_socket(gatherd, tmp_path, mode):
    path = str(tmp_path / "http.sock")
    group = ([os.getgid()] + os.getgroups())[-1]
    d = gatherd([REPLY], listener={"address": "unix:" + path, "socket": {
        "mode": mode, "owner": str(os.getuid()), "group": str(group)}}, workers=2)
    made = os.stat(path)
    assert stat.S_IMODE(made.st_mode) == int(mode, 8)
    assert (made.st_uid, made.st_gid) == (os.getuid(), group)
    with wire.Client(path) as client:
        assert client.request("/hello").body == b"hello"
    d.signal(signal.SIGTERM)
    assert d.wait() == 0
    assert not os.path.exists(path)


def test_ipv6_takes_ipv4_only_when_asked(gatherd):
    port = ports.Port()
    at = {"address": "[::]:%d" % port.number}
    gatherd([REPLY], listener=at)
    with pytest.raises(ConnectionRefusedError):
        wire.Client(port.number)
    port.release()


def test_ipv4_clients_of_ipv6_keep_their_addresses(gatherd):
    port = ports.Port()
    d = gatherd([REPLY], listener={"address": "[::]:%d" % port.number, "socket": {"v6only": False}})
    with wire.Client(port.number) as client:
        assert client.request("/hello").body == b"hello"
    assert d.access_log()[0]["client"] == "127.0.0.1"
    port.release()


def test_tcp_options(gatherd):
    d = gatherd([REPLY], listener={"socket": {"backlog": 16, "keep_alive": "30s", "defer_accept": "5s", "fast_open": 16}})
    assert d.get("/hello").body == b"hello"
    shown = subprocess.run(["ss", "-Htln", "sport = :%d" % d.port], capture_output=True, text=True)
    assert shown.returncode != 0 or " 16 " in shown.stdout, shown.stdout

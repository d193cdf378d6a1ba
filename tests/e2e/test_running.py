"""Starting, being looked at, and stopping."""
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest
from harness import daemon, expect, wait, wire
from harness.upstream import gate, json_reply, raw

REPLY = {"path": "/hello", "reply": {"status": 200, "body": "hello"}}
ROUTE = {"path": "/q", "name": "questions", "calls": {"it": {"upstream": "up", "path": "/"}}}


# ---- starting

def test_tells_systemd_when_it_is_ready_and_when_it_stops(gatherd):
    d = gatherd([REPLY])
    if not d.notified:
        d.notify.settimeout(wait.PATIENCE)
        d.notified.append(d.notify.recv(4096).decode())
    assert "READY=1" in d.notified[0]
    d.signal(signal.SIGTERM)
    d.notify.settimeout(wait.PATIENCE)
    told = ""
    while "STOPPING=1" not in told:
        told += d.notify.recv(4096).decode()
    assert d.wait() == 0


def test_readiness_and_health(gatherd):
    d = gatherd([REPLY])
    for target in ("/healthz", "/readyz"):
        assert d.ask_admin(target).status == 200
        assert d.ask_admin(target, "HEAD").status == 200
    assert d.ask_admin("/nowhere").status == 404
    assert d.ask_admin("/healthz", "POST").status == 405


def test_admin_on_tcp(gatherd):
    from harness import ports
    port = ports.Port()
    d = gatherd([REPLY], admin={"address": "127.0.0.1:%d" % port.number})
    with wire.Client(port.number) as client:
        assert client.request("/healthz").status == 200
        assert b"gatherd_" in client.request("/metrics").body
    port.release()
    assert d.process.poll() is None


def test_an_address_in_use_is_said(gatherd):
    """Also by another gatherd, whose shared sockets would let a second one in."""
    first = gatherd([REPLY], workers=2)
    second = daemon.run("run", "-c", first.config_path)
    assert second.returncode == 1, second
    assert "listener public: cannot listen on 127.0.0.1:%d: Address already in use" % first.port in second.stderr
    assert first.get("/hello").status == 200


def test_an_admin_socket_in_use_is_said(gatherd, tmp_path):
    first = gatherd([REPLY], workers=2)
    with open(first.config_path) as f:
        text = f.read().replace("127.0.0.1:%d" % first.port, "127.0.0.1:0")
    again = tmp_path / "again.yaml"
    again.write_text(text)
    second = daemon.run("run", "-c", str(again))
    assert second.returncode == 1, second
    assert "admin.sock: Address already in use" in second.stderr
    assert first.ask_admin("/healthz").status == 200


def test_usage_and_version():
    assert daemon.run("--version").stdout.startswith("gatherd ")
    assert daemon.run("-h").returncode == 0
    assert daemon.run("nonsense").returncode == 2
    assert daemon.run().returncode == 2
    assert daemon.run("run", "-c", "/nowhere/at/all.yaml").returncode == 78


# ---- mock services

def test_mock_services_refer_to_the_body_of_the_call(gatherd):
    mock = [{"path": "/orders", "methods": ["POST"], "json": {"items": "{body.items}"}}]
    call = {"upstream": "orders", "method": "POST", "path": "/orders", "body": "{body}", "into": "."}
    d = gatherd([{"path": "/orders", "methods": ["POST"], "calls": {"order": call}}], {"orders": {"mock": mock}})
    assert d.request("/orders", "POST", body=b'{"items":[1.0]}').body == b'{"items":[1.0]}'
    assert d.request("/orders", "POST", body=b"none").status == 502


def test_mock_services_are_served_over_a_real_socket(gatherd):
    mock = [{"path": "/reviews/{id}", "delay": "100ms", "status": 200, "json": {"product": "{id}", "stars": 4}},
            {"path": "/text", "status": 200, "headers": {"X-Mock": "1"}, "body": "plain"}]
    calls = {"review": {"upstream": "reviews", "path": "/reviews/{id}"}, "text": {"upstream": "reviews", "path": "/text", "as": "text"}}
    d = gatherd([{"path": "/p/{id}", "calls": calls}], {"reviews": {"mock": mock}})
    started = time.monotonic()
    assert d.get("/p/a%2F7").json() == {"review": {"product": "a/7", "stars": 4}, "text": "plain"}
    assert time.monotonic() - started > 0.09


# ---- stopping

@pytest.mark.sanitize
def test_drains_on_sigterm(gatherd, upstream):
    opened = threading.Event()
    up = upstream(gate(opened))
    d = gatherd([ROUTE, REPLY], {"up": up})
    with d.client() as busy, d.client() as idle, d.client() as late:
        assert idle.request("/hello").status == 200
        assert late.request("/hello").header("Connection") is None
        busy.write_request("/q")
        up.wait_requests(1)
        began = time.monotonic()
        d.signal(signal.SIGTERM)
        wait.until(lambda: _is_refused(d), "the listener to close")
        try:
            response = late.request("/hello")
            assert response.status == 200 and response.header("Connection") == "close"
        except (wire.Closed, ConnectionError):
            assert time.monotonic() - began > 1, "a request may still come within a second"
        assert idle.is_closed(), "idle keep-alive connections are closed"
        opened.set()
        response = busy.read_response()
        assert response.status == 200 and response.header("Connection") == "close"
        assert busy.is_closed()
    assert d.wait() == 0


def _is_refused(d):
    try:
        d.client().close()
        return False
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it closed while this connection was being made
        return False


def test_readyz_says_no_while_draining(gatherd, upstream):
    opened = threading.Event()
    up = upstream(gate(opened))
    d = gatherd([ROUTE], {"up": up})
    with d.client() as busy:
        busy.write_request("/q")
        up.wait_requests(1)
        d.signal(signal.SIGTERM)
        wait.until(lambda: d.ask_admin("/readyz").status == 503, "/readyz to say 503")
        assert d.ask_admin("/healthz").status == 200
        opened.set()
        assert busy.read_response().status == 200


@pytest.mark.sanitize
def test_drain_has_a_deadline(gatherd, upstream):
    up = upstream(lambda conn: conn.wait_for_eof())
    d = gatherd([ROUTE], {"up": up}, drain_timeout="300ms")
    with d.client() as busy:
        busy.write_request("/q")
        up.wait_requests(1)
        started = time.monotonic()
        d.signal(signal.SIGTERM)
        assert d.wait() == 0
        assert time.monotonic() - started > 0.25
        try:
            expect.is_problem(busy.read_response(), 503, "draining")
        except (wire.Closed, ConnectionResetError):
            pass


@pytest.mark.sanitize
def test_a_second_sigterm_stops_at_once(gatherd, upstream):
    up = upstream(lambda conn: conn.wait_for_eof())
    d = gatherd([ROUTE], {"up": up}, drain_timeout="1h")
    with d.client() as busy:
        busy.write_request("/q")
        up.wait_requests(1)
        d.signal(signal.SIGTERM)
        wait.until(lambda: _is_refused(d), "the drain to begin")
        d.signal(signal.SIGTERM)
        assert d.wait() == 0


@pytest.mark.sanitize
def test_signals_at_the_very_end_do_no_harm(gatherd):
    """The end is short; signals all the way through it find nothing that is freed."""
    for _ in range(10):
        d = gatherd([REPLY], workers=2)
        d.get("/hello")
        while d.process.poll() is None:
            d.signal(signal.SIGTERM)
            d.signal(signal.SIGHUP)
        d.check_end()


def test_stops_on_sigint(gatherd):
    d = gatherd([REPLY])
    d.signal(signal.SIGINT)
    assert d.wait() == 0


# ---- the access log

@pytest.mark.sanitize
def test_one_record_per_request_with_every_call_in_it(gatherd, upstream):
    up = upstream(json_reply(b'{"a":1}', delay=0.05)).on("/bad", json_reply(b"no", status=500))
    calls = {"good": {"upstream": "up", "path": "/"}, "bad": {"upstream": "up", "path": "/bad", "required": False}}
    d = gatherd([{"path": "/all/{id}", "name": "everything", "calls": calls}], {"up": up})
    with d.client() as client:
        for number in (1, 2):
            response = client.request("/all/%d?q=1" % number, fields=[("User-Agent", "t\"e\\st")])
    record = d.access_log(2)[1]
    assert record["method"] == "GET" and record["path"] == "/all/2?q=1" and record["status"] == 200
    assert record["route"] == "everything"
    assert record["client"].startswith("127.0.0.1")
    assert record["bytes_out"] >= len(response.body)
    assert record["ms"] >= 50
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$", record["time"])
    good, bad = record["calls"]
    assert (good["name"], good["upstream"], good["status"], good["reason"]) == ("good", "up", 200, "none")
    assert (bad["name"], bad["status"], bad["reason"]) == ("bad", 500, "status_not_accepted")
    assert good["server"].endswith(":%d" % up.port)
    assert good["reused"] is True
    for key in ("queue_ms", "connect_ms", "first_byte_ms", "total_ms"):
        assert good[key] >= 0, key
    assert 50 <= good["first_byte_ms"] <= good["total_ms"] + 1
    assert good["bytes"] >= len(b'{"a":1}')


def test_a_proxied_request_has_its_call_in_the_record(gatherd, upstream):
    up = upstream(json_reply(b"hello", delay=0.02))
    d = gatherd([{"path": "/p/{rest...}", "name": "files", "methods": "any", "proxy": {"upstream": "up"}}], {"up": up})
    d.request("/p/x", "PUT", body=b"body")
    record = d.access_log()[0]
    assert (record["method"], record["route"], record["status"]) == ("PUT", "files", 200)
    assert len(record["calls"]) == 1
    call = record["calls"][0]
    assert (call["upstream"], call["status"], call["reason"], call["reused"]) == ("up", 200, "none", False)
    assert call["server"].endswith(":%d" % up.port) and call["total_ms"] >= 20
    assert d.metric("gatherd_calls_total", upstream="up", reason="none") == 1


def test_refused_requests_are_logged_too(gatherd):
    d = gatherd([REPLY])
    d.get("/nowhere")
    with d.client() as client:
        client.send(b"nonsense\r\n\r\n")
        client.read_response()
    first, second = d.access_log(2)
    assert (first["status"], first["reason"]) == (404, "no_route")
    assert (second["status"], second["reason"]) == (400, "bad_request")


def test_hostile_bytes_stay_inside_their_record(gatherd):
    d = gatherd([REPLY])
    with d.client() as client:
        client.send(b'GET /hello?"\\{\xff\x80} HTTP/1.1\r\nHost: h\r\nUser-Agent: "\\\xff\t,}\r\n\r\n')
        client.read_response()
    assert len(d.access_log(1)) == 1


def test_sighup_reopens_the_access_log(gatherd):
    d = gatherd([REPLY])
    d.get("/hello")
    d.access_log(1)
    os.rename(d.log_path, d.log_path + ".1")
    d.signal(signal.SIGHUP)
    wait.until(lambda: os.path.exists(d.log_path), "the log to be reopened")
    d.get("/hello")
    assert len(d.access_log(1)) == 1
    assert len(d.access_log(1, d.log_path + ".1")) == 1
    assert "reload of the configuration is not supported yet" in d.stderr(), "SIGHUP says that it does not reload yet"


def test_access_log_to_stderr(gatherd):
    d = gatherd([REPLY], observe={"access_log": {"path": "stderr"}})
    d.get("/hello")
    wait.until(lambda: any(_record(line) for line in d.stderr().split("\n")), "a record on standard error")


def _record(line):
    try:
        return json.loads(line)["status"] == 200
    except (ValueError, KeyError, TypeError):
        return False


# ---- metrics

def test_metrics_are_what_prometheus_wants(gatherd, upstream):
    up = upstream().on("/bad", raw())
    calls = {"it": {"upstream": "up", "path": "/{what}", "required": False}}
    d = gatherd([{"path": "/m/{what}", "name": "m", "calls": calls}, REPLY], {"up": up}, workers=2)
    for target in ("/m/good", "/m/bad", "/hello", "/nowhere"):
        d.get(target)
    response = d.ask_admin("/metrics")
    assert response.header("Content-Type").startswith("text/plain; version=0.0.4")
    checked = subprocess.run([shutil.which("promtool") or "/usr/bin/promtool", "check", "metrics"], input=response.body,
                             capture_output=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert not checked.stderr.strip() and not checked.stdout.strip(), checked.stdout + checked.stderr


def test_metrics_count_requests_calls_and_sheds(gatherd, upstream):
    opened = threading.Event()
    up = upstream(gate(opened))
    d = gatherd([ROUTE, REPLY], {"up": up.conf(concurrency={"limit": 1}, queue={"size": 0})})
    with d.client() as client:
        client.write_request("/q")
        up.wait_requests(1)
        assert d.upstream_state("up")["in_flight"] == 1
        d.get("/q")
        opened.set()
        client.read_response()
    d.access_log(2)
    assert d.upstream_state("up")["in_flight"] == 0
    assert d.metric("gatherd_requests_total", route="questions") == 2
    assert d.metric("gatherd_requests_total", route="questions", status="503") == 1


# ---- the other commands

def test_check_accepts_and_refuses(gatherd, tmp_path):
    good = gatherd([REPLY])
    assert daemon.run("check", "-c", good.config_path).returncode == 0
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nlisteners:\n  a: { adress: 127.0.0.1:1 }\nroutes:\n  - { path: /x, repli: {} }\n")
    checked = daemon.run("check", "-c", str(bad))
    assert checked.returncode == 78
    assert re.search(r"bad\.yaml:3:\d+: listeners\.a\.adress: .*address", checked.stderr), checked.stderr
    assert re.search(r"bad\.yaml:5:\d+: routes\[0\]\.repli: .*reply", checked.stderr), checked.stderr


def test_run_refuses_what_check_refuses(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 2\n")
    ran = daemon.run("run", "-c", str(bad))
    assert ran.returncode == 78 and "bad.yaml:1:" in ran.stderr


def test_secrets_are_expanded_and_never_dumped(gatherd, upstream, tmp_path):
    up = upstream()
    secret = tmp_path / "secret"
    secret.write_text("file-secret\n")
    call = {"upstream": "up", "path": "/", "headers": {"X-Env": "${GATHERD_TEST_KEY}", "X-File": "${file:%s}" % secret}}
    environment = {"GATHERD_TEST_KEY": "environment-secret"}
    d = gatherd([{"path": "/x", "calls": {"it": call}}], {"up": up}, environment=environment)
    assert d.get("/x").status == 200
    assert up.only_request().header("X-Env") == "environment-secret"
    assert up.only_request().header("X-File") == "file-secret"
    dumped = daemon.run("dump", "--effective", "-c", d.config_path, env=dict(os.environ, **environment))
    assert dumped.returncode == 0, dumped.stderr
    assert "environment-secret" not in dumped.stdout and "file-secret" not in dumped.stdout
    assert "${GATHERD_TEST_KEY}" in dumped.stdout


def test_effective_dump_is_a_configuration_that_means_the_same(gatherd, upstream, tmp_path):
    d = gatherd([ROUTE, REPLY], {"up": upstream()})
    dumped = daemon.run("dump", "--effective", "-c", d.config_path)
    assert dumped.returncode == 0, dumped.stderr
    again = tmp_path / "again.yaml"
    again.write_text(dumped.stdout)
    twice = daemon.run("dump", "--effective", "-c", str(again))
    assert twice.returncode == 0, twice.stderr
    assert twice.stdout == dumped.stdout


def test_schema_is_json_and_knows_the_keys():
    schema = json.loads(daemon.run("schema").stdout)
    assert schema["$schema"]
    assert {"version", "listeners", "upstreams", "routes"} <= schema["properties"].keys()

"""Names of servers: looked up while the daemon runs, against dnsmasq and against a server that lies."""
import os
import re
import socket
import threading

import pytest

from harness import daemon as daemon_module
from harness import dns, expect, tls, wait
from harness.upstream import json_reply

ROUTE = {"path": "/x", "calls": {"it": {"upstream": "up", "path": "/", "into": "."}}}
FAST = {"timeout": "5m", "attempt": "1m", "ttl": {"min": "100ms", "negative": "300ms"}, "hosts": "none", "search": "none"}


@pytest.fixture
def dns_server():
    started = []

    def start(kind, *arguments, **named):
        started.append(kind(*arguments, **named))
        return started[-1]
    yield start
    for each in started:
        each.stop()


@pytest.fixture
def pair(upstream):
    """Two servers at two addresses and one port, and what each answers."""
    first = upstream(json_reply(b'{"from":1}'))
    second = upstream(json_reply(b'{"from":2}'), address="127.0.0.2", port=first.port)
    return first, second


def conf(*servers, **more):
    return {**FAST, "servers": [s.server for s in servers], **more}


def up(port, name="users.test", **more):
    return {"up": {"servers": ["http://%s:%d" % (name, port)], **more}}


class Asker:
    """Asks all the time, until stop(); what was no 200 is in `failed`."""

    def __init__(self, d):
        self.d, self.failed, self.answers, self.is_stopped = d, [], [], False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        with self.d.client() as client:
            while not self.is_stopped:
                response = client.request("/x")
                self.answers.append(response.body)
                if response.status != 200:
                    self.failed.append((response.status, response.body))

    def stop(self):
        self.is_stopped = True
        self.thread.join()
        assert not self.failed, self.failed[:3]
        return self.answers


def from_server(d, number):
    return d.get("/x").body == b'{"from":%d}' % number


@pytest.mark.sanitize
@pytest.mark.threads
def test_addresses_come_and_go_without_a_failed_request(gatherd, dns_server, pair):
    server = dns_server(dns.Dnsmasq, {"users.test": ["127.0.0.1"]})
    d = gatherd([ROUTE], up(pair[0].port, balance="round_robin"), dns=conf(server), workers=2)
    asker = Asker(d)
    for addresses in (["127.0.0.1", "127.0.0.2"], ["127.0.0.2"], ["127.0.0.1"], ["127.0.0.2"]):
        server.change({"users.test": addresses})
        wait.until(lambda: d.metric("gatherd_dns_servers", upstream="up") == len(addresses), "as many addresses")
        for number in (1, 2):
            if "127.0.0.%d" % number in addresses:
                wait.until(lambda: from_server(d, number), "an answer from server %d" % number)
    asker.stop()
    wait.until(lambda: not pair[0].open_conns() or all(c.saw_eof.is_set() for c in pair[0].open_conns()),
               "connections to the address that has gone to be closed")
    count = len(pair[0].requests)
    for _ in range(20):
        assert from_server(d, 2)
    assert len(pair[0].requests) == count
    assert "+127.0.0.2:%d" % pair[0].port in d.stderr() and "-127.0.0.1:%d" % pair[0].port in d.stderr()
    assert {r["calls"][0]["server"] for r in d.access_log(10)} == {"127.0.0.1:%d" % pair[0].port, "127.0.0.2:%d" % pair[0].port}


def test_a_call_ends_at_the_address_that_has_gone(gatherd, dns_server, upstream):
    moved = threading.Event()
    first = upstream(lambda conn: (len(first.requests) > 1 or moved.wait(wait.PATIENCE), conn.reply(b'{"from":1}')))
    second = upstream(json_reply(b'{"from":2}'), address="127.0.0.2", port=first.port)
    server = dns_server(dns.Dnsmasq, {"users.test": ["127.0.0.1"]})
    d = gatherd([ROUTE], up(first.port), dns=conf(server))
    got = []
    thread = threading.Thread(target=lambda: got.append(d.get("/x").body))
    thread.start()
    first.wait_requests(1)
    server.change({"users.test": ["127.0.0.2"]})
    wait.until(lambda: from_server(d, 2), "the other server")
    moved.set()
    thread.join()
    assert got == [b'{"from":1}']
    assert second.requests


@pytest.mark.sanitize
def test_the_last_addresses_stay_when_nobody_answers(gatherd, dns_server, pair):
    server = dns_server(dns.Dnsmasq, {"users.test": ["127.0.0.1"]})
    d = gatherd([ROUTE], up(pair[0].port, on_resolve_failure="start"), dns=conf(server, timeout="500ms", attempt="100ms"))
    wait.until(lambda: d.get("/x").status == 200, "an address")
    asker = Asker(d)
    server.halt()
    wait.until(lambda: d.metric("gatherd_dns_names_failing", upstream="up") == 1, "the look-up to fail")
    assert from_server(d, 1)
    server.hosts = {"users.test": ["127.0.0.2"]}
    server.start()
    wait.until(lambda: from_server(d, 2), "the other server")
    asker.stop()
    assert "the last addresses stay in use" in d.stderr() and "found again" in d.stderr()
    assert d.metric("gatherd_dns_names_failing", upstream="up") == 0
    failed = [reason for reason in ("dns_timeout", "dns_failed")
              if d.metric("gatherd_dns_lookups_total", upstream="up", reason=reason)]
    assert failed


def test_the_last_addresses_stay_when_the_name_is_denied(gatherd, dns_server, pair):
    server = dns_server(dns.Dnsmasq, {"users.test": ["127.0.0.1"]})
    d = gatherd([ROUTE], up(pair[0].port), dns=conf(server))
    asker = Asker(d)
    server.change({})
    wait.until(lambda: d.metric("gatherd_dns_lookups_total", upstream="up", reason="dns_not_found") >= 2, "denials")
    server.change({"users.test": ["127.0.0.2"]})
    wait.until(lambda: from_server(d, 2), "the other server")
    asker.stop()


def test_refuse_ends_the_daemon_at_start(gatherd, dns_server, pair, tmp_path):
    server = dns_server(dns.Dnsmasq, {"users.test": ["127.0.0.1"]})
    good = gatherd([ROUTE], up(pair[0].port), dns=conf(server))
    with open(good.config_path, encoding="utf-8") as f:
        text = f.read().replace("users.test", "nobody.test")
    bad = tmp_path / "bad.yaml"
    bad.write_text(text)
    ran = daemon_module.run("run", "-c", str(bad))
    assert ran.returncode == 78
    line = next(n for n, l in enumerate(text.split("\n"), 1) if "nobody.test" in l)
    assert "%s:%d:" % (bad, line) in ran.stderr and "upstreams.up.servers[0]" in ran.stderr, ran.stderr
    assert "nobody.test: the name of the upstream's server has no address (dns_not_found)" in ran.stderr
    assert "on_resolve_failure" in ran.stderr


@pytest.mark.sanitize
def test_start_begins_without_an_address(gatherd, dns_server, pair):
    server = dns_server(dns.Dnsmasq, {})
    d = gatherd([ROUTE], up(pair[0].port, on_resolve_failure="start"), dns=conf(server))
    expect.is_problem(d.get("/x"), 502, "dns_not_found", "it")
    assert "calls fail until it has one" in d.stderr()
    assert d.upstream_state("up")["names"] == [{"name": "users.test", "reason": "dns_not_found", "servers": []}]
    server.change({"users.test": ["127.0.0.1"]})
    wait.until(lambda: d.get("/x").status == 200, "an address")
    assert from_server(d, 1)
    assert d.upstream_state("up")["names"] == [
        {"name": "users.test", "reason": "none", "servers": ["127.0.0.1:%d" % pair[0].port]}]


def test_the_page_has_a_file_that_is_fine(tmp_path):
    with open(os.path.join(daemon_module.ROOT, "doc", "names.md"), encoding="utf-8") as f:
        block = re.search(r"```yaml\n(.*?)```", f.read(), re.S).group(1)
    path = tmp_path / "names.yaml"
    path.write_text("version: 1\nlisteners: { public: { address: 127.0.0.1:8080 } }\n" + block +
                    "routes: [ { path: /x, calls: { it: { upstream: users, path: / } } } ]\n")
    ran = daemon_module.run("check", "-c", str(path))
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("handler, status, reason", [
    (lambda query, is_tcp: None, 504, "dns_timeout"),
    (lambda query, is_tcp: dns.answer(query, rcode=2), 502, "dns_failed"),
    (lambda query, is_tcp: dns.answer(query, rcode=5), 502, "dns_failed"),
    (lambda query, is_tcp: dns.answer(query), 502, "dns_not_found"),
    (lambda query, is_tcp: dns.answer(query, rcode=3), 502, "dns_not_found"),
    (lambda query, is_tcp: dns.answer(query, [dns.a("other.test", "127.0.0.1")]), 502, "dns_not_found"),
    (lambda query, is_tcp: dns.answer(query, [b"\xc0\xff" + b"\0" * 20]), 502, "dns_failed"),
    (lambda query, is_tcp: dns.answer(query, [dns.a("users.test", "127.0.0.1")])[:-2], 502, "dns_failed"),
], ids=["silence", "servfail", "refused", "empty", "nxdomain", "another name", "garbage", "cut"])
def test_every_failure_has_its_reason(gatherd, dns_server, pair, handler, status, reason):
    server = dns_server(dns.Dns, handler)
    d = gatherd([ROUTE], up(pair[0].port, on_resolve_failure="start"), dns=conf(server, timeout="300ms" if reason == "dns_timeout" else "5m"))
    expect.is_problem(d.get("/x"), status, reason, "it")
    assert d.metric("gatherd_calls_total", upstream="up", reason=reason) == 1
    assert reason in d.stderr()


@pytest.mark.sanitize
def test_what_nobody_asked_for_is_not_believed(gatherd, dns_server, pair):
    """Wrong identifier, wrong question, and a record of another name beside the right one."""
    def lie(query, is_tcp):
        name, kind, _ = dns.question_of(query)
        wrong_id = bytes([query[0] ^ 0xff]) + query[1:]
        other = query.replace(b"\x05users", b"\x05evils")
        honest = [dns.a("evils.test", "127.0.0.1")] + ([dns.a(name, "127.0.0.2")] if kind == 1 else [])
        return [dns.answer(wrong_id, [dns.a(name, "127.0.0.1")]), dns.answer(other, [dns.a("evils.test", "127.0.0.1")]),
                b"", b"\0" * 5, dns.answer(query, honest)]
    server = dns_server(dns.Dns, lie)
    d = gatherd([ROUTE], up(pair[0].port), dns=conf(server))
    for _ in range(5):
        assert from_server(d, 2)
    assert not pair[0].requests


@pytest.mark.sanitize
def test_a_truncated_answer_is_asked_for_by_tcp(gatherd, dns_server, pair):
    """More addresses than a datagram of 512 bytes takes: dnsmasq cuts them."""
    many = ["127.0.0.1"] + ["127.0.1.%d" % i for i in range(1, 60)]
    server = dns_server(dns.Dnsmasq, {"users.test": many}, ["edns-packet-max=512"])
    d = gatherd([ROUTE], up(pair[0].port), dns=conf(server))
    assert d.metric("gatherd_dns_servers", upstream="up") == 32


def test_tcp_only_after_the_cut(gatherd, dns_server, pair):
    def handler(query, is_tcp):
        name, kind, _ = dns.question_of(query)
        if not is_tcp:
            return dns.answer(query, [dns.a(name, "127.0.0.1")] if kind == 1 else [], flags=0x0200)
        return dns.answer(query, [dns.a(name, "127.0.0.2")] if kind == 1 else [])
    server = dns_server(dns.Dns, handler)
    d = gatherd([ROUTE], up(pair[0].port), dns=conf(server))
    assert from_server(d, 2)
    assert {is_tcp for _, _, is_tcp in server.asked()} == {True, False}


def test_requests_never_wait_for_a_look_up(gatherd, dns_server, pair):
    is_slow, is_over = threading.Event(), threading.Event()

    def handler(query, is_tcp):
        if is_slow.is_set():
            is_over.wait(wait.PATIENCE)
        return server.from_zone(query, is_tcp)
    server = dns_server(dns.Dns, handler)
    server.zone = {("users.test", "A"): [dns.a("users.test", "127.0.0.1", ttl=0)]}
    d = gatherd([ROUTE], up(pair[0].port), dns=conf(server))
    is_slow.set()
    count = len(server.queries)
    wait.until(lambda: len(server.queries) > count, "a question on its way")
    for _ in range(50):
        assert d.get("/x").status == 200
    assert not is_over.is_set()
    is_over.set()


def test_a_time_to_live_is_kept_within_its_bounds(gatherd, dns_server, pair):
    server = dns_server(dns.Dns)
    server.zone = {("short.test", "A"): [dns.a("short.test", "127.0.0.1", ttl=0)],
                   ("long.test", "A"): [dns.a("long.test", "127.0.0.1", ttl=86400)],
                   ("right.test", "A"): [dns.a("right.test", "127.0.0.1", ttl=30)]}
    names = ["http://%s.test:%d" % (n, pair[0].port) for n in ("short", "long", "right")]
    gatherd([ROUTE], {"up": {"servers": names}}, dns=conf(server, ttl={"min": "200ms", "max": "600ms"}))
    wait.until(lambda: len(server.asked("short.test")) > len(server.asked("long.test")) >= 6,
               "the long one to be asked for twice more, and the short one more often")
    server2 = dns_server(dns.Dns, zone=server.zone)
    gatherd([ROUTE], {"up": {"servers": names}}, dns=conf(server2, ttl={"min": "200ms"}))
    wait.until(lambda: len(server2.asked("short.test")) >= 8, "the short one to be asked for often")
    assert len(server2.asked("right.test")) == len(server2.asked("long.test")) == 2


def test_a_server_that_is_silent_is_passed_over(gatherd, dns_server, pair):
    silent = dns_server(dns.Dns, lambda query, is_tcp: None)
    good = dns_server(dns.Dnsmasq, {"users.test": ["127.0.0.1"]})
    d = gatherd([ROUTE], up(pair[0].port), dns=conf(silent, good, attempt="100ms"))
    assert from_server(d, 1)
    assert silent.queries


def test_one_family_is_enough(gatherd, dns_server, pair):
    """Some servers do not answer for AAAA at all."""
    def handler(query, is_tcp):
        name, kind, _ = dns.question_of(query)
        return dns.answer(query, [dns.a(name, "127.0.0.1")]) if kind == 1 else None
    server = dns_server(dns.Dns, handler)
    d = gatherd([ROUTE], up(pair[0].port), dns=conf(server, attempt="100ms"))  # all of them may take five minutes
    assert from_server(d, 1)


def test_the_hosts_file_comes_first(gatherd, dns_server, pair, tmp_path):
    server = dns_server(dns.Dns)
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.2 users.test users\n")
    d = gatherd([ROUTE], up(pair[0].port, "users.test."), dns=conf(server, hosts=str(hosts), ttl={"min": "100ms", "max": "200ms"}))
    assert from_server(d, 2) and not server.queries
    hosts.write_text("127.0.0.1 users.test\n")
    wait.until(lambda: from_server(d, 1), "the file to be read again")
    assert not server.queries


def test_search_domains(gatherd, dns_server, pair):
    server = dns_server(dns.Dnsmasq, {"users.b.test": ["127.0.0.1"], "other.users.test": ["127.0.0.2"]})
    d = gatherd([ROUTE], up(pair[0].port, "users"), dns=conf(server, search=["a.test", "b.test"]))
    assert from_server(d, 1)
    d = gatherd([ROUTE], up(pair[0].port, "other.users"), dns=conf(server, search=["a.test", "test"]))
    assert from_server(d, 2)
    d = gatherd([ROUTE], up(pair[0].port, "users.", on_resolve_failure="start"), dns=conf(server, search=["b.test"]))
    assert d.get("/x").status == 502


def test_discover_takes_every_address(gatherd, dns_server, pair):
    server = dns_server(dns.Dnsmasq, {"users.test": ["127.0.0.1", "127.0.0.2"]})
    d = gatherd([ROUTE], {"up": {"discover": {"dns": "users.test", "port": pair[0].port}, "balance": "round_robin"}},
                dns=conf(server))
    for _ in range(10):
        assert d.get("/x").status == 200
    assert len(pair[0].requests) == len(pair[1].requests) == 5
    assert pair[0].requests[0].header("Host") == "users.test:%d" % pair[0].port


def test_check_and_explain_ask_nobody(gatherd, dns_server, pair):
    server = dns_server(dns.Dns, zone={("users.test", "A"): [dns.a("users.test", "127.0.0.1")]})
    d = gatherd([ROUTE], {"up": {"discover": {"dns": "users.test", "port": pair[0].port}}}, dns=conf(server))
    count = len(server.queries)
    assert daemon_module.run("check", "-c", d.config_path).returncode == 0
    explained = daemon_module.run("explain", "-c", d.config_path, "GET", "/x")
    assert explained.returncode == 0 and "users.test" in explained.stdout, explained
    dumped = daemon_module.run("dump", "--effective", "-c", d.config_path)
    assert "on_resolve_failure: refuse" in dumped.stdout and "dns: users.test" in dumped.stdout, dumped.stdout
    assert len(server.queries) == count


# ---- SRV

SRV = "_http._tcp.users.test"


def discover(name=SRV, **more):
    return {"up": {"discover": {"srv": name}, **more}}


def srv_line(port, target="a.test", priority=0, weight=0):
    return "srv-host=%s,%s,%d,%d,%d" % (SRV, target, port, priority, weight)


@pytest.mark.sanitize
def test_srv_names_servers_ports_and_weights(gatherd, dns_server, upstream):
    ups = [upstream(), upstream(), upstream()]
    server = dns_server(dns.Dnsmasq, {"a.test": ["127.0.0.1"]},
                        [srv_line(ups[0].port, weight=10), srv_line(ups[1].port, weight=30), srv_line(ups[2].port, weight=0)])
    d = gatherd([ROUTE], discover(balance="round_robin"), dns=conf(server))
    for _ in range(120):
        assert d.get("/x").status == 200
    counts = [len(u.requests) for u in ups]
    assert 28 <= counts[0] <= 31 and 87 <= counts[1] <= 91 and counts[2] <= 2, counts
    assert ups[0].requests[0].header("Host") == "users.test"
    assert {r["calls"][0]["server"] for r in d.access_log(120)} >= {"127.0.0.1:%d" % u.port for u in ups[:2]}


@pytest.mark.sanitize
def test_srv_priorities_are_for_what_cannot_be_reached(gatherd, dns_server, upstream):
    first, second = upstream(), upstream()
    server = dns_server(dns.Dnsmasq, {"a.test": ["127.0.0.1"]},
                        [srv_line(first.port, priority=1, weight=5), srv_line(second.port, priority=2, weight=5)])
    d = gatherd([ROUTE], discover(), dns=conf(server))
    for _ in range(20):
        assert d.get("/x").status == 200
    assert len(first.requests) == 20 and not second.requests
    first.stop()
    for _ in range(20):
        assert d.get("/x").status == 200
    assert len(second.requests) == 20
    first.start()
    wait.until(lambda: d.get("/x").status == 200 and len(first.requests) > 20, "the first one to be tried again")
    count = len(second.requests)
    for _ in range(20):
        assert d.get("/x").status == 200
    assert len(second.requests) == count


def test_srv_records_come_and_go_without_a_failed_request(gatherd, dns_server, upstream):
    ups = [upstream(json_reply(b'{"from":%d}' % i)) for i in (1, 2)]
    server = dns_server(dns.Dns)

    def point_at(*which):
        server.zone = {(SRV, "SRV"): [dns.srv(SRV, "%d.test" % i, ups[i - 1].port, ttl=1) for i in which],
                       ("1.test", "A"): [dns.a("1.test", "127.0.0.1")], ("2.test", "A"): [dns.a("2.test", "127.0.0.1")]}
    point_at(1)
    d = gatherd([ROUTE], discover(), dns=conf(server, ttl={"min": "100ms", "max": "200ms", "negative": "200ms"}))
    asker = Asker(d)
    for which in ((1, 2), (2,), (1,)):
        point_at(*which)
        wait.until(lambda: d.metric("gatherd_dns_servers", upstream="up") == len(which), "as many servers")
        wait.until(lambda: from_server(d, which[0]), "an answer of the first of them")
    server.zone = {}
    wait.until(lambda: d.metric("gatherd_dns_lookups_total", upstream="up", reason="dns_not_found"), "a denial")
    assert from_server(d, 1)
    asker.stop()


def test_a_target_that_nobody_knows_is_left_out(gatherd, dns_server, upstream):
    """And one whose look-up fails later keeps the address that it had."""
    ups = [upstream(json_reply(b'{"from":%d}' % i)) for i in (1, 2)]
    is_broken = threading.Event()

    def handler(query, is_tcp):
        if is_broken.is_set() and dns.question_of(query)[0] == "2.test":
            return dns.answer(query, rcode=2)
        return server.from_zone(query, is_tcp)
    server = dns_server(dns.Dns, handler)
    server.zone = {(SRV, "SRV"): [dns.srv(SRV, "%d.test" % i, ups[i % 2].port) for i in (1, 2, 3)],
                   ("1.test", "A"): [dns.a("1.test", "127.0.0.1")], ("2.test", "A"): [dns.a("2.test", "127.0.0.1")]}
    d = gatherd([ROUTE], discover(), dns=conf(server, ttl={"min": "100ms", "max": "200ms", "negative": "200ms"}))
    assert d.metric("gatherd_dns_servers", upstream="up") == 2
    is_broken.set()
    count = len(server.asked("2.test"))
    wait.until(lambda: len(server.asked("2.test")) >= count + 6, "more look-ups")
    assert d.metric("gatherd_dns_servers", upstream="up") == 2


def test_certificates_are_for_the_service_not_for_the_target(gatherd, dns_server, upstream, tmp_path):
    pki = tls.Pki(str(tmp_path))
    good = upstream(pki.issue("good", "DNS:users.test"), kind=tls.TlsUpstream)
    bad = upstream(pki.issue("bad", "DNS:a.test"), kind=tls.TlsUpstream)
    for server, status in ((good, 200), (bad, 502)):
        zone = dns_server(dns.Dnsmasq, {"a.test": ["127.0.0.1"]}, [srv_line(server.port)])
        d = gatherd([ROUTE], {"up": {"discover": {"srv": SRV, "scheme": "https"}, "tls": {"ca": pki.ca}}}, dns=conf(zone))
        assert d.get("/x").status == status
    expect.is_problem(d.get("/x"), 502, "tls_name_mismatch", "it")
    assert good.names == ["users.test"]


# ---- happy eyeballs


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
BOTH = {"users.test": ["127.0.0.1", "::1"]}


@needs_ipv6
def test_ipv6_is_preferred(gatherd, dns_server, upstream):
    old = upstream()
    new = upstream(address="::1", port=old.port)
    server = dns_server(dns.Dnsmasq, BOTH)
    d = gatherd([ROUTE], up(old.port), dns=conf(server))
    assert d.metric("gatherd_dns_servers", upstream="up") == 1
    for _ in range(5):
        assert d.get("/x").status == 200
    assert len(new.requests) == 5 and not old.requests
    assert {r["calls"][0]["server"] for r in d.access_log(5)} == {"[::1]:%d" % old.port}


@needs_ipv6
@pytest.mark.sanitize
def test_ipv4_stands_in_for_ipv6(gatherd, dns_server, upstream):
    """Nobody listens on IPv6."""
    old = upstream()
    server = dns_server(dns.Dnsmasq, BOTH)
    d = gatherd([ROUTE], up(old.port), dns=conf(server))
    for _ in range(5):
        assert d.get("/x").status == 200
    assert {r["calls"][0]["server"] for r in d.access_log(5)} == {"127.0.0.1:%d" % old.port}
    assert d.metric("gatherd_upstream_connect_failures_total", upstream="up") == 0


@needs_ipv6
@pytest.mark.sanitize
def test_a_handshake_that_hangs_on_ipv6_is_overtaken(gatherd, dns_server, upstream, tmp_path):
    """And from then on IPv4 is tried first."""
    pki = tls.Pki(str(tmp_path))
    old = upstream(pki.issue("good", "DNS:users.test"), kind=tls.TlsUpstream)
    with socket.create_server(("::1", old.port), family=socket.AF_INET6) as silent:
        server = dns_server(dns.Dnsmasq, BOTH)
        d = gatherd([ROUTE], {"up": {"servers": ["https://users.test:%d" % old.port], "tls": {"ca": pki.ca}, "pool": {"max_idle": 0}}},
                    dns=conf(server))
        for _ in range(3):
            assert d.get("/x").status == 200
        records = d.access_log(3)
        assert {r["calls"][0]["server"] for r in records} == {"127.0.0.1:%d" % old.port}
        assert records[0]["calls"][0]["connect_ms"] >= 250

        def is_first():
            assert d.get("/x").status == 200
            return d.access_log()[-1]["calls"][0]["connect_ms"] < 250
        wait.until(is_first, "IPv4 to be tried first, and not 250 ms late")
        silent.settimeout(wait.PATIENCE)
        silent.accept()[0].close()

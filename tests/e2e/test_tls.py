"""TLS to clients and to upstreams, against curl, openssl, nginx and Python's ssl."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from harness import daemon as daemon_module
from harness import nginx, ports, tls, wait

pytestmark = pytest.mark.sanitize

HELLO = [{"path": "/hello", "reply": {"body": "hello"}}]
VIA = [{"path": "/x", "calls": {"one": {"upstream": "up", "path": "/one"}}}]


def curl(d, *arguments, path="/hello"):
    return subprocess.run(["curl", "-sS", "--max-time", "20", "-w", "\n%{http_code} %{ssl_verify_result}", *map(str, arguments),
                           "https://localhost:%d%s" % (d.port, path)], capture_output=True, text=True, timeout=wait.PATIENCE)


# ---- versions, certificates, protocols

def test_curl_speaks_1_2_and_1_3(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    for version in ("--tlsv1.2 --tls-max 1.2", "--tlsv1.3"):
        assert curl(d, "--cacert", pki.ca, *version.split()).stdout == "hello\n200 0"
    assert d.metric("gatherd_client_handshakes_total", listener="public", reason="none") == 2


def test_older_versions_are_refused(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    assert curl(d, "--cacert", pki.ca, "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0").returncode == 35
    d = gatherd(HELLO, listener=tls.listener(pair, min_version="1.3"))
    assert curl(d, "--cacert", pki.ca, "--tls-max", "1.2").returncode == 35
    wait.until(lambda: d.metric("gatherd_client_handshakes_total", reason="tls_protocol") == 1, "it to be counted")
    assert curl(d, "--cacert", pki.ca).stdout == "hello\n200 0"


def test_the_name_asked_for_chooses_the_certificate(gatherd, pki):
    pairs = [pki.issue("first", "DNS:localhost,IP:127.0.0.1"), pki.issue("star", "DNS:*.example.org"),
             pki.issue("exact", "DNS:www.example.org")]
    d = gatherd(HELLO, listener=tls.listener(*pairs))
    shown = {name: tls.shown_subject(d.port, "-servername", name) for name in
             ("localhost", "a.example.org", "WWW.example.ORG", "a.b.example.org", "example.org", "other.test")}
    assert shown == {"localhost": "first", "a.example.org": "star", "WWW.example.ORG": "exact",
                     "a.b.example.org": "first", "example.org": "first", "other.test": "first"}
    assert tls.shown_subject(d.port, "-noservername") == "first"


def test_rsa_and_ecdsa_stand_side_by_side(gatherd, pki):
    pairs = [pki.issue("ecdsa", kind="ec"), pki.issue("rsa", kind="rsa")]
    d = gatherd(HELLO, listener=tls.listener(*pairs))
    for version in ("-tls1_2", "-tls1_3"):
        assert tls.shown_subject(d.port, version) == "ecdsa"
        assert tls.shown_subject(d.port, version, "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256") == "rsa"
        assert tls.shown_subject(d.port, version, "-sigalgs", "ECDSA+SHA256") == "ecdsa"


def test_a_client_that_offers_other_protocols_only_is_told(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    assert "ALPN protocol: http/1.1" in tls.s_client(d.port, "-alpn", "h2,http/1.1")
    assert "no application protocol" in tls.s_client(d.port, "-alpn", "h2")
    assert "No ALPN negotiated" in tls.s_client(d.port)


def test_staples_the_response_of_its_file(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair, ocsp=pki.ocsp(pair[0])))
    assert "OCSP Response Status: successful" in tls.s_client(d.port, "-status")


@pytest.mark.parametrize("start", ["GET /hello", "POST /a", "HEAD /hello", "PUT /" + "x" * 3000])
def test_plain_http_to_a_tls_port_is_told(gatherd, pki, pair, start):
    d = gatherd(HELLO, listener=tls.listener(pair))
    with d.client() as client:
        client.send(start.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        response = client.read_response()
        assert (response.status, response.header("Connection"), response.json()["reason"]) == (400, "close", "plain_http")
        assert client.is_closed()
    wait.until(lambda: d.metric("gatherd_client_handshakes_total", reason="plain_http") == 1, "it to be counted")
    record = d.access_log()[0]
    assert (record["status"], record["reason"]) == (400, "plain_http")
    with tls.Client(d.port, pki.ca) as client:
        assert client.request("/hello").status == 200


def test_what_is_neither_tls_nor_http_is_cut(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    for noise in (b"SSH-2.0-x\r\n", b"\x00" * 100, b"\x80\x2e\x01\x00\x02" + bytes(43), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                  b"\x16\x03\x01\xff\xff" + b"\x01" * 70000, b"\x17\x03\x03\x00\x05hello", b"\x15\x03\x01\x00\x02\x02\x28"):
        with d.client() as client:
            client.send(noise)
            assert len(tls.drain(client.sock)) <= 7, "an alert at most"
    wait.until(lambda: d.metric("gatherd_client_handshakes_total") == 7, "seven failures")
    assert d.metric("gatherd_client_handshakes_total", reason="none") == 0


def test_upstreams_hear_that_it_was_https(gatherd, upstream, pki, pair):
    up = upstream()
    d = gatherd(VIA, {"up": up}, listener=tls.listener(pair))
    with tls.Client(d.port, pki.ca) as client:
        assert client.request("/x").json() == {"one": {"ok": True}}
    assert up.only_request().header("X-Forwarded-Proto") == "https"


def test_carries_large_bodies_both_ways(gatherd, upstream, pki, pair):
    body = os.urandom(3 << 20)
    up = upstream(lambda conn: conn.reply(conn.request.body, content_type="application/octet-stream"))
    d = gatherd([{"path": "/p", "methods": "any", "proxy": {"upstream": "up", "path": "/p"}}], {"up": up}, listener=tls.listener(pair))
    with tls.Client(d.port, pki.ca) as client:
        for _ in range(3):
            assert client.request("/p", "POST", body=body).body == body


def test_an_answer_that_the_close_ends_has_a_close_notify(gatherd, upstream, pki, pair):
    """Also where the client is slow and there is no room for it at first: without it the answer would seem cut."""
    body = os.urandom(2 << 20)
    up = upstream(lambda conn: conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" %
                                         (len(body), body)))
    d = gatherd([{"path": "/p", "proxy": {"upstream": "up"}}], {"up": up}, listener=tls.listener(pair))
    for _ in range(5):
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.connect(("127.0.0.1", d.port))
        with tls.client_context(pki.ca).wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as sock:
            sock.sendall(b"GET /p HTTP/1.0\r\n\r\n")
            came = []
            while not came or came[-1]:
                came.append(sock.recv(65536))
            assert b"".join(came).endswith(body[-1000:])


def test_keep_alive_and_pipelining(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    with tls.Client(d.port, pki.ca) as client:
        for _ in range(100):
            assert client.request("/hello").body == b"hello"
        client.send(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        for _ in range(20):
            assert client.read_response().body == b"hello"
        client.write_request("/hello", fields=[("Connection", "close")])
        assert client.read_response().body == b"hello"
        assert client.is_closed(), "an orderly end: Python's ssl raises for any other"


def test_the_kernel_encrypts_where_it_can(gatherd, upstream, pki, pair):
    """Where it cannot, nothing changes but a warning; tests/unit/net/test_stream_tls.c has a kernel of its own."""
    body = os.urandom(1 << 20)
    up = upstream(lambda conn: conn.reply(body, content_type="application/octet-stream"))
    d = gatherd(HELLO + [{"path": "/p", "proxy": {"upstream": "up"}}], {"up": up}, listener=tls.listener(pair, ktls=True))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with tls.Client(d.port, pki.ca, minimum_version=version, maximum_version=version) as client:
            for _ in range(3):
                assert client.request("/hello").body == b"hello"
                assert client.request("/p").body == body
    with open("/proc/sys/net/ipv4/tcp_available_ulp") as f:
        has_kernel = "tls" in f.read().split()
    assert d.metric("gatherd_client_ktls_total") == (2 if has_kernel else 0)
    assert has_kernel or "warning: listeners.public.tls.ktls: the kernel does not offer TLS now" in d.stderr()


# ---- client certificates

def test_client_certificates(gatherd, pki, pair, tmp_path):
    (tmp_path / "other").mkdir()
    good, bad = pki.issue("alice"), tls.Pki(tmp_path / "other").issue("mallory")
    d = gatherd(HELLO, listener=tls.listener(pair, client_ca=pki.ca, client_auth="required"))

    def status(d, *cert):
        arguments = ["--cert", cert[0], "--key", cert[1]] if cert else []
        return curl(d, "--cacert", pki.ca, *arguments).stdout.split("\n")[-1].split(" ")[0]
    assert status(d, *good) == "200"
    assert status(d) == "000"
    assert status(d, *bad) == "000"
    wait.until(lambda: d.metric("gatherd_client_handshakes_total", reason="tls_client_certificate") == 2, "both to be counted")
    d = gatherd(HELLO, listener=tls.listener(pair, client_ca=pki.ca, client_auth="optional"))
    assert (status(d), status(d, *good), status(d, *bad)) == ("200", "200", "000")


def test_client_certificates_are_forwarded_on_request(gatherd, upstream, pki, pair):
    alice = pki.issue("alice", "DNS:alice.test,email:alice@test,URI:spiffe://test/alice,IP:10.0.0.7")
    up = upstream()
    fields = {"X-Subject": "{client.cert.subject|nobody}", "X-San": "{client.cert.san|nobody}",
              "X-Print": "{client.cert.fingerprint|nobody}"}
    routes = [{"path": "/x", "calls": {"one": {"upstream": "up", "path": "/one", "headers": fields}}},
              {"path": "/strict", "calls": {"one": {"upstream": "up", "path": "/{client.cert.fingerprint}"}}}]
    d = gatherd(routes, {"up": up}, listener=tls.listener(pair, client_ca=pki.ca, client_auth="optional"))
    for _ in range(2):  # the second time resumed
        assert curl(d, "--cacert", pki.ca, "--cert", alice[0], "--key", alice[1], path="/x").stdout.endswith("200 0")
        request = up.requests[-1]
        digest = tls.openssl("x509", "-in", alice[0], "-noout", "-fingerprint", "-sha256").stdout.decode()
        assert request.header("X-Subject") == "CN=alice"
        assert request.header("X-San").startswith("DNS:alice.test, email:alice@test, URI:spiffe://test/alice, IP:10.0.0.7")
        assert request.header("X-Print") == digest.split("=")[1].strip().replace(":", "").lower()
    assert curl(d, "--cacert", pki.ca, path="/x").stdout.endswith("200 0")
    assert up.requests[-1].header("X-Subject") == "nobody"
    assert curl(d, "--cacert", pki.ca, path="/strict").stdout.endswith("400 0")


@pytest.mark.sanitize
def test_nobody_speaks_for_a_certificate_through_a_proxy_route(gatherd, upstream, pki, pair):
    alice = pki.issue("alice", "DNS:alice.test,email:alice@test")
    up = upstream()
    fields = {"X-Subject": "{client.cert.subject}", "X-San": "{client.cert.san}"}
    routes = [{"path": "/strict", "proxy": {"upstream": "up", "headers": fields}},
              {"path": "/lax", "proxy": {"upstream": "up", "headers": {"X-Subject": "{client.cert.subject|}"}}}]
    d = gatherd(routes, {"up": up}, listener=tls.listener(pair, client_ca=pki.ca, client_auth="optional"))
    spoofed = [("X-Subject", "CN=root"), ("x-subject", "CN=root"), ("X_SUBJECT", "CN=root"), ("X-SAN", "DNS:root.test")]
    with tls.Client(d.port, pki.ca, alice) as client:
        assert client.request("/strict", fields=spoofed).status == 200
    request = up.requests[-1]
    assert request.all("X-Subject") == ["CN=alice"] and request.all("X-San") == ["DNS:alice.test, email:alice@test"]
    assert "root" not in str(request.fields)
    with tls.Client(d.port, pki.ca) as client:
        assert client.request("/strict", fields=spoofed).status == 400
        assert client.request("/lax", fields=spoofed[:3]).status == 200
    assert len(up.requests) == 2
    assert up.requests[-1].all("X-Subject") == [""] and "root" not in str(up.requests[-1].fields)


# ---- sessions

@pytest.mark.threads
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_are_resumed_by_any_worker(gatherd, pair, tmp_path, version):
    d = gatherd(HELLO, listener=tls.listener(pair), workers=2)
    request = b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert "New, " in tls.s_client(d.port, version, "-sess_out", tmp_path / "s", "-ign_eof", send=request)
    for _ in range(8):
        assert "Reused, " in tls.s_client(d.port, version, "-sess_in", tmp_path / "s", "-ign_eof", send=request)
    assert d.metric("gatherd_client_resumptions_total") == 8
    d = gatherd(HELLO, listener=tls.listener(pair, tickets=False))
    said = tls.s_client(d.port, version, "-sess_out", tmp_path / "none", "-ign_eof", send=request)
    assert "TLS session ticket:" not in said


def test_sessions_of_another_listener_are_not_taken(gatherd, pki, pair):
    """A session skips the client's certificate: it must not get around the one that wants it."""
    d = gatherd(HELLO, listener=tls.listener(pair))
    strict = gatherd(HELLO, listener=tls.listener(pair, client_ca=pki.ca, client_auth="required"))
    context = tls.client_context(pki.ca, maximum_version=ssl.TLSVersion.TLSv1_2)
    with tls.Client(d.port, pki.ca, context=context) as client:
        session = client.sock.session
    with pytest.raises(OSError):
        with tls.Client(strict.port, pki.ca, context=context, session=session) as client:
            client.request("/hello")


# ---- certificates that change

def replace(pair, fresh):
    """The files of a pair, each at once, as a renewal does it."""
    for old, new in zip(pair, fresh):
        shutil.copy(new, old + ".tmp")
        os.rename(old + ".tmp", old)


@pytest.mark.threads
def test_hangup_reads_certificates_again(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair), workers=2)
    fresh = pki.issue("fresh")
    with tls.Client(d.port, pki.ca) as client:
        assert client.request("/hello").body == b"hello"
        replace(pair, fresh)
        d.signal(signal.SIGHUP)
        wait.until(lambda: all(tls.shown_subject(d.port) == "fresh" for _ in range(6)), "the new certificate")
        assert client.request("/hello").body == b"hello", "established connections stay"
    # a key that does not fit, and rubbish: told, and the good pair stays
    for broken in (pki.issue("third")[1], __file__):
        replace((pair[0], pair[1]), (fresh[0], broken))
        said = len(d.stderr())
        d.signal(signal.SIGHUP)
        wait.until(lambda: "the certificates that were there stay" in d.stderr()[said:], "a message")
        assert "gatherd.yaml:" in d.stderr()[said:]
        assert tls.shown_subject(d.port) == "fresh"
    with tls.Client(d.port, pki.ca) as client:
        assert client.request("/hello").body == b"hello"


def test_an_expired_one_does_not_replace_a_good_one(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    replace(pair, pki.issue("old", start="20200101000000Z", end="20210101000000Z"))
    d.signal(signal.SIGHUP)
    wait.until(lambda: "has expired" in d.stderr(), "a message")
    assert tls.shown_subject(d.port) == "site"


def test_changed_files_are_noticed(gatherd, pki, pair):
    d = gatherd(HELLO, listener=tls.listener(pair))
    replace(pair, pki.issue("fresh"))
    wait.until(lambda: tls.shown_subject(d.port) == "fresh", "the new certificate")


# ---- what the check says

def check(tmp_path, tls_section):
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\nlisteners:\n  main:\n    address: 127.0.0.1:0\n    tls: %s\nroutes: [ { path: /, reply: {} } ]\n" % tls_section)
    return daemon_module.run("check", "-c", str(path))


def test_check_reads_the_files(pki, pair, tmp_path):
    done = check(tmp_path, "{ certificate: site.pem, key: site.key }")
    assert done.returncode == 0, "paths are relative to the file: " + done.stderr
    done = check(tmp_path, "{ certificate: site.pem, key: ca.key }")
    assert done.returncode == 78
    assert "c.yaml:5:40: listeners.main.tls.key: the key in" in done.stderr and "does not belong" in done.stderr
    done = check(tmp_path, "{ certificate: site.pem }")
    assert "holds no private key that can be read" in done.stderr
    done = check(tmp_path, "{ certificate: site.pem, key: site.key, ciphers: NONE }")
    assert "no cipher of TLS 1.2 is in it" in done.stderr
    done = check(tmp_path, "{ certificate: site.pem, key: site.key, groups: P-1 }")
    assert "expected groups such as" in done.stderr
    other = pki.issue("other")
    done = check(tmp_path, "{ certificate: site.pem, key: site.key, ocsp: %s }" % pki.ocsp(other[0]))
    assert "is about another certificate" in done.stderr
    done = check(tmp_path, "{ certificate: site.pem, key: site.key, ocsp: site.pem }")
    assert "expected an OCSP response in DER" in done.stderr
    pki.issue("old", start="20200101000000Z", end="20210101000000Z")
    done = check(tmp_path, "{ certificate: old.pem, key: old.key }")
    assert done.returncode == 0 and "warning: listeners.main.tls.certificate: the certificate in" in done.stderr
    assert "has expired on Jan  1 00:00:00 2021 GMT; renew it" in done.stderr


# ---- floods

def test_half_open_handshakes_starve_nobody(gatherd, pki, pair):
    d = gatherd(HELLO, listener={**tls.listener(pair), "limits": {"handshakes": 50}})
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(60)
    with tls.Client(d.port, pki.ca) as client:
        flood = [socket.create_connection(("127.0.0.1", d.port)) for _ in range(300)]
        for sock in flood[:200]:
            sock.send(hello)
        for _ in range(50):
            assert client.request("/hello").body == b"hello"
        with tls.Client(d.port, pki.ca) as other:
            assert other.request("/hello").body == b"hello"
        wait.until(lambda: d.metric("gatherd_client_handshakes_total", reason="overloaded") >= 100, "the oldest to give way")
        assert client.request("/hello").body == b"hello"
    for sock in flood:
        sock.close()


def test_half_open_handshakes_have_their_time(gatherd, pki, pair):
    d = gatherd(HELLO, listener={**tls.listener(pair), "timeouts": {"handshake": "300ms"}})
    flood = [socket.create_connection(("127.0.0.1", d.port)) for _ in range(100)]
    for sock in flood[:50]:
        sock.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    wait.until(lambda: d.metric("gatherd_client_handshakes_total", reason="request_timeout") == 100, "time-outs")
    wait.until(lambda: d.metric("gatherd_client_connections") == 0, "connections to be gone")
    for sock in flood:
        sock.close()


def test_aborted_handshakes_leave_nothing(gatherd, pki, pair):
    """Cut off after any number of bytes, by FIN and by RST, or with a byte that is wrong: make check-handshakes makes
    a hundred thousand of them."""
    tls.survive_aborts(gatherd(HELLO, listener={**tls.listener(pair), "timeouts": tls.WAITS_END}), 400 if daemon_module.is_sanitized() else 3000)


# ---- upstreams

def upstreams(up, **keys):
    return {"up": {"servers": [up.url], "tls": keys}}


def reason_of(d):
    response = d.get("/x")
    assert response.status == 502
    return response.json()["reason"]


def test_calls_a_verified_upstream_and_resumes(gatherd, upstream, pki, pair):
    up = upstream(pair, kind=tls.TlsUpstream)
    d = gatherd(VIA, {"up": {"servers": [up.url], "tls": {"ca": pki.ca}, "pool": {"max_requests": 2}}})
    for _ in range(6):
        assert d.get("/x").json() == {"one": {"ok": True}}
    assert up.names == ["localhost"] * 3
    assert up.requests[0].header("Host") == "localhost:%d" % up.port
    assert up.resumed == [False, True, True]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_connections_that_begin_at_once_resume_all(gatherd, upstream, pki, pair, version):
    together = threading.Barrier(6)

    def meet(conn):  # else a call may get the connection of one that was quicker
        if conn.request.path != "/one":
            together.wait(wait.PATIENCE)
        conn.reply(b'{"ok":true}')
    up = upstream(pair, meet, kind=tls.TlsUpstream, version=version)
    calls = {name: {"upstream": "up", "path": "/" + name} for name in "abcdef"}
    d = gatherd(VIA + [{"path": "/all", "calls": calls}],
                {"up": {"servers": [up.url], "tls": {"ca": pki.ca}, "pool": {"max_idle": 0}}})
    assert d.get("/x").status == 200
    for _ in range(3):
        assert d.get("/all").status == 200
    assert up.resumed == [False] + [True] * 6 * 3


def test_resumes_1_2_as_well(gatherd, upstream, pki, pair):
    up = upstream(pair, kind=tls.TlsUpstream, version=ssl.TLSVersion.TLSv1_2)
    d = gatherd(VIA, {"up": {"servers": [up.url], "tls": {"ca": pki.ca}, "pool": {"max_requests": 1}}})
    for _ in range(3):
        assert d.get("/x").status == 200
    assert up.resumed == [False, True, True]


def test_each_failure_has_its_reason(gatherd, upstream, pki, pair, tmp_path):
    def outcome(up, **keys):
        d = gatherd(VIA, upstreams(up, **keys))
        reason = reason_of(d)
        assert d.access_log()[-1]["calls"][0]["reason"] == reason
        assert d.metric("gatherd_calls_total", reason=reason) == 1
        return reason
    good = upstream(pair, kind=tls.TlsUpstream)
    assert outcome(good) == "tls_untrusted", "the system does not know the authority"
    assert outcome(good, ca=pki.ca, server_name="other.test") == "tls_name_mismatch"
    expired = upstream(pki.issue("old", start="20200101000000Z", end="20210101000000Z"), kind=tls.TlsUpstream)
    assert outcome(expired, ca=pki.ca) == "tls_certificate_expired"
    alone = upstream(pki.self_signed("alone", "alone", "DNS:localhost"), kind=tls.TlsUpstream)
    assert outcome(alone, ca=pki.ca) == "tls_untrusted"
    old = upstream(pair, kind=tls.TlsUpstream, version=ssl.TLSVersion.TLSv1_2)
    assert outcome(old, ca=pki.ca, min_version="1.3") == "tls_protocol"


def test_a_failure_of_a_part_stands_in_meta(gatherd, upstream, pki, pair):
    up, plain = upstream(pair, kind=tls.TlsUpstream), upstream()
    calls = {"one": {"upstream": "up", "path": "/one", "required": False}, "two": {"upstream": "plain", "path": "/two"}}
    d = gatherd([{"path": "/x", "calls": calls}], {**upstreams(up, ca=pki.ca, server_name="other.test"), "plain": plain})
    answer = d.get("/x").json()
    assert answer["two"] == {"ok": True}
    assert "tls_name_mismatch" in json.dumps(answer["_meta"])


def test_without_ca_the_system_is_trusted(gatherd, upstream, pki, pair):
    up = upstream(pair, kind=tls.TlsUpstream)
    d = gatherd(VIA, {"up": {"servers": [up.url]}}, environment={"SSL_CERT_FILE": pki.ca})
    assert d.get("/x").status == 200


def test_an_upstream_without_tls_is_told_apart(gatherd, pki):
    with socket.create_server(("127.0.0.1", 0)) as plain:
        d = gatherd(VIA, {"up": {"servers": ["https://localhost:%d" % plain.getsockname()[1]], "tls": {"ca": pki.ca}}})
        with d.client() as client:
            client.write_request("/x")
            sock, _ = plain.accept()
            with sock:
                sock.recv(4096)
                sock.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                assert client.read_response().json()["reason"] == "tls_protocol"


def test_a_silent_upstream_times_out_in_the_handshake(gatherd, pki):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        d = gatherd(VIA, {"up": {"servers": ["https://localhost:%d" % silent.getsockname()[1]],
                                 "timeouts": {"connect": "200ms"}, "tls": {"ca": pki.ca}}})
        response = d.get("/x")
        assert (response.status, response.json()["reason"]) == (504, "connect_timeout")


def test_trusts_a_certificate_that_is_listed_itself(gatherd, upstream, pki):
    pair = pki.self_signed("alone", "alone", "DNS:localhost")
    up = upstream(pair, kind=tls.TlsUpstream)
    assert gatherd(VIA, upstreams(up, ca=pair[0])).get("/x").status == 200


@pytest.mark.threads
def test_changed_authorities_hold_for_the_next_connection(gatherd, upstream, pki, pair, tmp_path):
    """Resumption included: a session says that somebody was believed once."""
    (tmp_path / "other").mkdir()
    other = tls.Pki(tmp_path / "other")
    ca = str(tmp_path / "trusted.pem")
    shutil.copy(pki.ca, ca)
    up = upstream(pair, kind=tls.TlsUpstream)
    d = gatherd(VIA, {"up": {"servers": [up.url], "tls": {"ca": ca}, "pool": {"max_requests": 1}}}, workers=2)
    for _ in range(4):
        assert d.get("/x").status == 200
    replace([ca], [other.ca])
    wait.until(lambda: all(d.get("/x").status == 502 for _ in range(6)), "both workers to have noticed the change")
    assert "upstream up: certificates read again" in d.stderr()
    assert reason_of(d) == "tls_untrusted"
    replace([ca], [__file__])
    d.signal(signal.SIGHUP)
    wait.until(lambda: "the certificates that were there stay" in d.stderr(), "a message")
    assert "gatherd.yaml:" in d.stderr() and "expected certificates of authorities" in d.stderr()
    assert reason_of(d) == "tls_untrusted"
    replace([ca], [pki.ca])
    d.signal(signal.SIGHUP)
    wait.until(lambda: d.get("/x").status == 200, "the authority to be believed again")


def test_a_changed_client_certificate_is_shown(gatherd, upstream, pki, pair):
    own, fresh = pki.issue("me", subject="before"), pki.issue("fresh", subject="after")
    up = upstream(pair, kind=tls.TlsUpstream, client_ca=pki.ca)
    d = gatherd(VIA, {"up": {"servers": [up.url], "pool": {"max_requests": 1},
                             "tls": {"ca": pki.ca, "client_certificate": own[0], "client_key": own[1]}}})
    assert d.get("/x").status == 200
    replace(own, fresh)
    d.signal(signal.SIGHUP)
    wait.until(lambda: d.get("/x").status == 200 and (("commonName", "after"),) in up.peers[-1]["subject"], "the new one")
    replace(own, pki.issue("old", start="20200101000000Z", end="20210101000000Z"))
    d.signal(signal.SIGHUP)
    wait.until(lambda: "has expired" in d.stderr(), "a message")
    assert d.get("/x").status == 200


def test_a_changed_client_ca_holds_for_the_next_handshake(gatherd, pki, pair, tmp_path):
    (tmp_path / "other").mkdir()
    other = tls.Pki(tmp_path / "other")
    ca = str(tmp_path / "clients.pem")
    shutil.copy(pki.ca, ca)
    alice = pki.issue("alice")
    d = gatherd(HELLO, listener=tls.listener(pair, client_ca=ca, client_auth="required"))
    context = tls.client_context(pki.ca, alice, maximum_version=ssl.TLSVersion.TLSv1_2)
    with tls.Client(d.port, pki.ca, context=context) as client:
        assert client.request("/hello").body == b"hello"
        session = client.sock.session
        replace([ca], [other.ca])
        bob = other.issue("bob")
        wait.until(lambda: curl(d, "--cacert", pki.ca, "--cert", bob[0], "--key", bob[1]).stdout.startswith("hello"),
                   "the change to be noticed")
        assert client.request("/hello").body == b"hello", "established connections stay"
    for old in (None, session):
        with pytest.raises(OSError):
            with tls.Client(d.port, pki.ca, context=context, session=old) as client:
                client.request("/hello")


def test_skipping_verification_is_warned_of(gatherd, upstream, pki):
    up = upstream(pki.self_signed("alone", "alone", "DNS:elsewhere"), kind=tls.TlsUpstream)
    d = gatherd(VIA, upstreams(up, insecure_skip_verify=True))
    assert d.get("/x").status == 200
    assert "warning: upstreams.up.tls.insecure_skip_verify: any certificate is taken" in d.stderr()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_shows_its_certificate_to_upstreams(gatherd, upstream, pki, pair, version, tmp_path):
    up = upstream(pair, kind=tls.TlsUpstream, client_ca=pki.ca, version=version)
    own = pki.issue("me", subject="gatherd-itself")
    d = gatherd(VIA, upstreams(up, ca=pki.ca, client_certificate=own[0], client_key=own[1]))
    assert d.get("/x").status == 200
    assert (("commonName", "gatherd-itself"),) in up.peers[0]["subject"]
    (tmp_path / "other").mkdir()
    unknown = tls.Pki(tmp_path / "other").issue("unknown")
    d = gatherd(VIA, upstreams(up, ca=pki.ca, client_certificate=unknown[0], client_key=unknown[1]))
    assert reason_of(d) == "tls_client_certificate"


def test_an_answer_cut_short_is_not_taken_for_whole(gatherd, upstream, pki, pair):
    """RFC 9112 9.8: only close_notify ends an answer that the close ends."""
    def cut(conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[1,2,3]")
        socket.socket.shutdown(conn.sock, socket.SHUT_WR)

    def whole(conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[1,2,3]")
        conn.sock.unwrap()
    up = upstream(pair, kind=tls.TlsUpstream)
    d = gatherd(VIA, upstreams(up, ca=pki.ca))
    up.handler = cut
    assert reason_of(d) == "reset"
    up.handler = whole
    assert d.get("/x").json() == {"one": [1, 2, 3]}


NGINX = """
    default_type application/json; client_max_body_size 100m;
    ssl_certificate %(cert)s; ssl_certificate_key %(key)s; ssl_session_cache shared:s:1m;
    ssl_protocols TLSv1.2 TLSv1.3;
    server {
        listen 127.0.0.1:%(port)d ssl;
        keepalive_requests 3;
        location /one { return 200 '{"protocol":"$ssl_protocol","reused":"$ssl_session_reused","name":"$ssl_server_name"}'; }
        location /files/ { alias %(dir)s/files/; }
    }
"""


def test_nginx_as_upstream(gatherd, pki, pair, tmp_path):
    (tmp_path / "files").mkdir()
    payload = os.urandom(2 << 20)
    (tmp_path / "files" / "blob").write_bytes(payload)
    with nginx.running(tmp_path, NGINX, cert=pair[0], key=pair[1]) as port:
        d = gatherd(VIA + [{"path": "/files/{rest...}", "proxy": {"upstream": "up"}}],
                    {"up": {"servers": ["https://localhost:%d" % port], "tls": {"ca": pki.ca}}})
        seen = [d.get("/x").json()["one"] for _ in range(12)]
        assert {(s["protocol"], s["name"]) for s in seen} == {("TLSv1.3", "localhost")}
        assert seen[0]["reused"] == "." and seen[-1]["reused"] == "r"
        for _ in range(5):
            assert d.get("/files/blob").body == payload


HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend f
    bind 127.0.0.1:%(port)d ssl crt %(pem)s ca-file %(ca)s verify required alpn h2,http/1.1
    http-request return status 200 content-type application/json lf-string '%(answer)s'
"""
HAPROXY_ANSWER = ('{"protocol":"%[ssl_fc_protocol]","name":"%[ssl_fc_sni]","alpn":"%[ssl_fc_alpn]",'
                  '"resumed":"%[ssl_fc_is_resumed]","client":"%[ssl_c_s_dn(cn)]"}')


def test_haproxy_as_upstream(gatherd, pki, pair, tmp_path):
    """It asks for a certificate, would speak HTTP/2, and resumes; the connections are used up after two requests."""
    haproxy = shutil.which("haproxy") or "/usr/sbin/haproxy"
    port, own = ports.Port(), pki.issue("me")
    (tmp_path / "both.pem").write_text(open(pair[0]).read() + open(pair[1]).read())
    conf = tmp_path / "haproxy.cfg"
    conf.write_text(HAPROXY % {"port": port.number, "pem": tmp_path / "both.pem", "ca": pki.ca, "answer": HAPROXY_ANSWER})
    server = subprocess.Popen([haproxy, "-db", "-f", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait.until(lambda: tls.shown_subject(port.number, "-cert", own[0], "-key", own[1]) == "site", "haproxy to serve")
        d = gatherd(VIA, {"up": {"servers": ["https://localhost:%d" % port.number], "pool": {"max_requests": 2},
                                 "tls": {"ca": pki.ca, "client_certificate": own[0], "client_key": own[1]}}})
        seen = [d.get("/x").json()["one"] for _ in range(8)]
        assert {(s["protocol"], s["name"], s["alpn"], s["client"]) for s in seen} == {("TLSv1.3", "localhost", "http/1.1", "me")}
        assert seen[0]["resumed"] == "0" and seen[-1]["resumed"] == "1"
    finally:
        server.terminate()
        server.wait()
        port.release()

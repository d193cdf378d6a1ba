"""Certificates of listeners: which is shown to whom, how their files change, and what a client's says of itself."""
import os
import shutil
import signal

import pytest
from harness import tls, wait

pytestmark = pytest.mark.sanitize

HELLO = [{"path": "/hello", "reply": {"body": "hello"}}]
RSA, ECDSA = "RSA-PSS+SHA256:RSA+SHA256", "ECDSA+SHA256"


def staple(port):
    """The response that comes with the certificate, signature and all; else empty."""
    return tls.s_client(port, "-status").partition("OCSP Response Data:")[2].partition("======")[0]


def reads_again(d, count):
    return lambda: d.stderr().count("certificates read again") >= count


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_each_name_has_one_of_either_kind(gatherd, pki, version):
    d = gatherd(HELLO, listener=tls.listener(
        pki.issue("a-ecdsa", "DNS:a.test", "ec"), pki.issue("a-rsa", "DNS:a.test", "rsa"), pki.issue("b-rsa", "DNS:b.test", "rsa"),
        pki.issue("b-ecdsa", "DNS:b.test,DNS:*.b.test", "ec"), pki.issue("c-rsa", "DNS:c.test", "rsa")))

    def shown(name):
        return [tls.shown_subject(d.port, version, "-servername", name, "-sigalgs", algorithms)
                for algorithms in (RSA + ":" + ECDSA, RSA, ECDSA)]
    assert shown("a.test") == ["a-ecdsa", "a-rsa", "a-ecdsa"]
    assert shown("b.test") == ["b-ecdsa", "b-rsa", "b-ecdsa"]
    assert shown("c.test") == ["c-rsa", "c-rsa", None]
    assert shown("x.b.test") == ["b-ecdsa", None, "b-ecdsa"]
    assert shown("d.test") == ["a-ecdsa", "a-rsa", "a-ecdsa"]


def test_a_changed_staple_is_noticed_and_a_broken_one_refused(gatherd, pki):
    pair = pki.issue("site")
    path = pki.ocsp(pair[0])
    d = gatherd(HELLO, listener={"tls": {"certificate": pair[0], "key": pair[1], "ocsp": path}})
    first = staple(d.port)
    assert "Cert Status: good" in first
    pki.ocsp(pair[0])
    wait.until(reads_again(d, 1), "the next response to be noticed")
    second = staple(d.port)
    assert "Cert Status: good" in second and second != first
    with open(path, "wb") as f:
        f.write(b"rubbish")
    wait.until(lambda: "the certificates that were there stay" in d.stderr(), "a message")
    assert staple(d.port) == second
    os.unlink(path)
    d.signal(signal.SIGHUP)
    wait.until(lambda: "No such file" in d.stderr(), "a message")
    assert staple(d.port) == second


def test_half_of_a_new_pair_is_refused_until_the_other_is_there(gatherd, pki):
    pair, fresh = pki.issue("site"), pki.issue("fresh")
    d = gatherd(HELLO, listener=tls.listener(pair))
    shutil.copy(fresh[0], pair[0])
    wait.until(lambda: "does not belong to the certificate" in d.stderr(), "a message")
    assert tls.shown_subject(d.port) == "site"
    shutil.copy(fresh[1], pair[1])
    wait.until(reads_again(d, 1), "the other half to be noticed")
    assert tls.shown_subject(d.port) == "fresh"


def test_a_link_that_points_elsewhere_is_a_change(gatherd, pki, tmp_path):
    """As Kubernetes and certbot renew."""
    for version in ("one", "two"):
        pair = pki.issue(version)
        folder = tmp_path / ("of-" + version)
        folder.mkdir()
        shutil.copy(pair[0], folder / "tls.crt")
        shutil.copy(pair[1], folder / "tls.key")
    (tmp_path / "..data").symlink_to("of-one")
    (tmp_path / "tls.crt").symlink_to("..data/tls.crt")
    (tmp_path / "tls.key").symlink_to("..data/tls.key")
    d = gatherd(HELLO, listener=tls.listener((str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))))
    assert tls.shown_subject(d.port) == "one"
    (tmp_path / "next").symlink_to("of-two")
    os.rename(tmp_path / "next", tmp_path / "..data")
    wait.until(reads_again(d, 1), "the change to be noticed")
    assert tls.shown_subject(d.port) == "two"


# ---- names that try to be more

NAMES = [
    ("a\r\nX-Admin: 1", "DNS=a.test", r"CN=a\0D\0AX-Admin: 1", "DNS:a.test"),
    ("\N{LATIN SMALL LETTER E WITH ACUTE},O=root/../..", "URI=http://x/?a=1, DNS:admin.test", r"CN=\C3\A9\,O=root/../..",
     "URI:http://x/?a=1%2C%20DNS:admin.test"),
    ('x" {client.ip} ${HOME} %0d%0a', "email=a%2Cb@c", r'CN=x\" {client.ip} ${HOME} %0d%0a', "email:a%252Cb@c")]


def issue(pki, subject, name):
    """A certificate with one DNS, URI or email name, which may have commas in it."""
    key, conf, request, cert = pki.key("client"), pki.path("client.conf"), pki.path("client.csr"), pki.path("client.pem")
    escaped = "".join({"\r": "\\r", "\n": "\\n", "\\": "\\\\", '"': '\\"', "$": "\\$"}.get(c, c) for c in subject)
    with open(conf, "w", encoding="utf-8") as f:
        f.write("[req]\ndistinguished_name=dn\nprompt=no\nutf8=yes\nstring_mask=utf8only\n[dn]\nCN=%s\n"
                "[x]\nsubjectAltName=@names\n[names]\n%s\n" % (escaped, name))
    tls.openssl("req", "-new", "-key", key, "-config", conf, "-out", request)
    tls.openssl("x509", "-req", "-in", request, "-CA", pki.ca, "-CAkey", pki.ca_key, "-CAcreateserial", "-days", 3,
                "-extfile", conf, "-extensions", "x", "-out", cert)
    return cert, key


@pytest.mark.parametrize("subject,name,said,said_name", NAMES, ids=["newline", "separators", "references"])
def test_a_name_in_a_certificate_stays_one_value(gatherd, upstream, pki, subject, name, said, said_name):
    up = upstream()
    route = {"path": "/x", "calls": {"one": {"upstream": "up", "path": "/one/{client.cert.subject}", "query": {"q": "{client.cert.san}"},
                                             "forward": {"headers": ["X-Subject"]},
                                             "headers": {"X-Subject": "{client.cert.subject}", "X-San": "{client.cert.san}"}}}}
    d = gatherd([route], {"up": up}, listener=tls.listener(pki.issue("site"), client_ca=pki.ca, client_auth="optional"))
    with tls.Client(d.port, pki.ca, issue(pki, subject, name)) as client:
        assert client.request("/x", fields=[("X-Subject", "CN=root")]).status == 200
    request = up.only_request()
    assert (request.all("X-Subject"), request.all("X-San")) == ([said], [said_name])
    assert request.path.count("/") == 2 and request.target.count("?") == 1
    assert "x-admin" not in request.names()

"""Forwarded (RFC 7239): believed of trusted proxies that are said to write it, and sent on request."""
import pytest
from harness.upstream import json_reply

pytestmark = pytest.mark.sanitize

ROUTES = [{"path": "/c", "calls": {"it": {"upstream": "up", "path": "/", "headers": {"X-Client": "{client.ip}"}}}},
          {"path": "/p", "proxy": {"upstream": "up"}}]
BELIEVED = {"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"], "trusted_field": "forwarded"}


def sent(gatherd, upstream, listener, *fields, path="/c"):
    up = upstream(json_reply("{}"))
    d = gatherd(ROUTES, {"up": up}, listener=listener)
    assert d.request(path, fields=list(fields)).status == 200
    return up.requests[-1]


@pytest.mark.parametrize("value, client", [
    ("for=203.0.113.7", "203.0.113.7"),
    ('for="[2001:db8::7]:4711"', "2001:db8::7"),
    ("for=6.6.6.6, for=203.0.113.7, for=10.1.1.1", "203.0.113.7"),
    ("for=6.6.6.6, for=203.0.113.7;proto=https , for=10.1.1.1, for=10.1.1.2", "203.0.113.7"),
    ("for=10.1.1.1", "10.1.1.1"),
    ("for=203.0.113.7, for=unknown", "127.0.0.1"),
    ("for=203.0.113.7, for=_hidden, for=10.1.1.1", "10.1.1.1"),
    ("for=203.0.113.7, for=10.1.1.1;for=10.1.1.2", "127.0.0.1"),
    ("for=1.2.3.4.5", "127.0.0.1"),
    ("proto=https", "127.0.0.1"),
])
def test_the_client_behind_a_chain(gatherd, upstream, value, client):
    request = sent(gatherd, upstream, BELIEVED, ("Forwarded", value), ("X-Forwarded-For", "6.6.6.6"))
    assert request.header("X-Client") == client
    assert request.header("X-Forwarded-For") == (client + ", 127.0.0.1" if client != "127.0.0.1" else client)
    assert request.header("Forwarded") is None


@pytest.mark.parametrize("path", ["/c", "/p"])
def test_host_and_scheme_of_the_client(gatherd, upstream, path):
    request = sent(gatherd, upstream, BELIEVED, ("Forwarded", 'for=203.0.113.7;proto=https;host="shop.example:444"'),
                   ("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", "evil"), path=path)
    assert request.header("X-Forwarded-Proto") == "https"
    assert request.header("X-Forwarded-Host") == "shop.example:444"


def test_only_the_field_that_the_proxies_write_is_believed(gatherd, upstream):
    fields = [("Forwarded", "for=203.0.113.7;proto=https")]
    request = sent(gatherd, upstream, {"trusted_proxies": ["127.0.0.0/8"]}, *fields)
    assert request.header("X-Client") == "127.0.0.1" and request.header("X-Forwarded-Proto") == "http"
    request = sent(gatherd, upstream, {"trusted_field": "forwarded"}, *fields)
    assert request.header("X-Client") == "127.0.0.1" and request.header("X-Forwarded-Proto") == "http"


@pytest.mark.parametrize("path", ["/c", "/p"])
def test_is_sent_on_request(gatherd, upstream, path):
    request = sent(gatherd, upstream, {"forwarded": True}, ("Forwarded", "for=6.6.6.6"), path=path)
    assert request.all("Forwarded") == ['for=127.0.0.1;host="gatherd.test";proto=http']
    request = sent(gatherd, upstream, {"forwarded": True, **BELIEVED}, ("Forwarded", 'for="[2001:db8::7]"'), path=path)
    assert request.all("Forwarded") == ['for="[2001:db8::7]", for=127.0.0.1;host="gatherd.test";proto=http']

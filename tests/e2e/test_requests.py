"""What leaves towards an upstream: nothing of the client's request unless listed, values encoded by position."""
import json

import pytest
from harness import expect, wire
from harness.upstream import json_reply


def one(**call):
    return [{"path": "/x/{id}", "methods": "any", "forward": call.pop("forward", {}),
             "calls": {"it": {"upstream": "up", "path": "/y", **call}}}]


def sent(gatherd, upstream, target="/x/1", method="GET", fields=(), body=None, listener=None, **call):
    """The request that reached the upstream."""
    up = upstream()
    d = gatherd(one(**call), {"up": up}, listener=listener)
    response = d.request(target, method, fields=fields, body=body)
    assert response.status == 200, response
    return up.only_request()


@pytest.mark.sanitize
def test_nothing_of_the_request_leaves_unless_listed(gatherd, upstream):
    request = sent(gatherd, upstream, "/x/1?secret=1", fields=[("Cookie", "s=1"), ("Authorization", "Basic x"),
                                                              ("X-Anything", "1"), ("Accept", "x/y")])
    assert request.target == "/y"
    assert not {"cookie", "authorization", "x-anything", "accept"} & set(request.names())
    assert b"secret" not in request.raw


def test_gatherd_names_itself_and_the_client(gatherd, upstream):
    request = sent(gatherd, upstream, fields=[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https")])
    assert request.header("Host").startswith("127.0.0.1:")
    assert request.header("X-Forwarded-For") == "127.0.0.1"
    assert request.header("X-Forwarded-Proto") == "http"
    assert request.header("X-Forwarded-Host") == "gatherd.test"
    assert request.header("Via").startswith("1.1 ")


def test_trusted_proxies_are_believed_and_extended(gatherd, upstream):
    request = sent(gatherd, upstream, fields=[("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"),
                                              ("X-Forwarded-Host", "shop.example")],
                   listener={"trusted_proxies": ["127.0.0.0/8"]}, headers={"X-Client": "{client.ip}"})
    assert request.header("X-Forwarded-For") == "203.0.113.7, 127.0.0.1"
    assert request.header("X-Forwarded-Proto") == "https"
    assert request.header("X-Forwarded-Host") == "shop.example"
    assert request.header("X-Client") == "203.0.113.7"


def test_what_a_trusted_proxy_names_in_connection_ends_here(gatherd, upstream):
    named = [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example"),
             ("Via", "1.1 edge"), ("X-Secret", "6")]
    connection = ("Connection", ", ".join(name.lower() for name, _ in named))
    up = upstream(json_reply(b"1"))
    d = gatherd([{"path": "/", "proxy": {"upstream": "up"}}], {"up": up}, listener={"trusted_proxies": ["127.0.0.0/8"]})
    assert d.get("/", fields=[*named, connection]).status == 200
    request = up.only_request()
    assert request.header("X-Forwarded-For") == "127.0.0.1"
    assert request.header("X-Forwarded-Proto") == "http"
    assert request.header("X-Forwarded-Host") != "shop.example"
    assert request.header("Via") == "1.1 gatherd"
    assert request.header("X-Secret") is None


@pytest.mark.parametrize("trusted", [[], ["unix"]])
def test_a_proxy_on_a_unix_socket_is_believed_when_it_is_trusted(gatherd, upstream, tmp_path, trusted):
    path = str(tmp_path / "front.sock")
    up = upstream(json_reply(b"1"))
    d = gatherd([{"path": "/", "calls": {"a": {"upstream": "up", "path": "/", "headers": {"X-Client": "{client.ip|none}"}}}}],
                {"up": up}, listener={"address": "unix:" + path, "trusted_proxies": trusted})
    with wire.Client(path) as client:
        client.request("/", fields=[("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https")])
    request = up.only_request()
    assert request.header("X-Forwarded-For") == ("203.0.113.7" if trusted else None)
    assert request.header("X-Forwarded-Proto") == ("https" if trusted else "http")
    assert request.header("X-Client") == ("203.0.113.7" if trusted else "none")
    assert d.access_log(1)[0]["client"] == ("203.0.113.7" if trusted else "")


def test_untrusted_peers_do_not_choose_their_address(gatherd, upstream):
    request = sent(gatherd, upstream, fields=[("X-Forwarded-For", "203.0.113.7")],
                   listener={"trusted_proxies": ["10.0.0.0/8"]}, headers={"X-Client": "{client.ip}"})
    assert request.header("X-Client") == "127.0.0.1"


def test_forward_lists_headers_and_query(gatherd, upstream):
    request = sent(gatherd, upstream, "/x/1?a=1&b=2&c=3&a=4", forward={"headers": ["Accept-Language"], "query": ["a", "c"]},
                   fields=[("accept-language", "de"), ("Accept", "text/html")])
    assert request.header("Accept-Language") == "de"
    assert request.header("Accept") is None
    assert request.query == "a=1&c=3&a=4"


def test_forward_star_keeps_hop_by_hop_fields_back(gatherd, upstream):
    request = sent(gatherd, upstream, forward={"headers": ["*"]},
                   fields=[("X-One", "1"), ("Connection", "X-Two, keep-alive"), ("X-Two", "2"), ("Keep-Alive", "timeout=5"),
                           ("Proxy-Connection", "keep-alive"), ("TE", "trailers"), ("Upgrade", "h2c"),
                           ("HTTP2-Settings", "AAMAAABkAAQAAP__"), ("Proxy-Authorization", "Basic x")])
    assert request.header("X-One") == "1"
    assert not {"x-two", "keep-alive", "proxy-connection", "upgrade", "http2-settings", "te",
                "proxy-authorization"} & set(request.names())


@pytest.mark.parametrize("segment, encoded", [
    ("plain", "plain"), ("a%2Fb", "a%2Fb"), ("a%3Fb", "a%3Fb"), ("a%23b", "a%23b"), ("50%25", "50%25"),
    ("%20", "%20"), ("%C3%BC", "%C3%BC"), ("a-b_c.d~e", "a-b_c.d~e"),
])
def test_parameters_cannot_leave_their_path_segment(gatherd, upstream, segment, encoded):
    assert sent(gatherd, upstream, "/x/" + segment, path="/users/{id}/all").target == "/users/%s/all" % encoded


@pytest.mark.parametrize("segment", ["%2e%2e", "%2E%2E", "%2e", ".%2e"])
def test_dot_segments_cannot_climb(gatherd, upstream, segment):
    up = upstream()
    d = gatherd(one(path="/users/{id}/all"), {"up": up})
    response = d.get("/x/" + segment)
    if response.status == 200:
        assert "/../" not in up.only_request().target.lower().replace("%2e", ".")
        assert "/./" not in up.only_request().target.lower().replace("%2e", ".")
    else:
        assert response.status in (400, 404)
        assert not up.requests


def test_query_values_are_encoded(gatherd, upstream):
    request = sent(gatherd, upstream, "/x/a%26b%3D%2B?q=1%262+3", query={"customer": "{id}", "q": "{query.q}", "n": "{query.n|10}"})
    from urllib.parse import parse_qs
    assert parse_qs(request.query) == {"customer": ["a&b=+"], "q": ["1&2 3"], "n": ["10"]}


def test_header_values_come_from_references(gatherd, upstream):
    request = sent(gatherd, upstream, "/x/7", fields=[("X-In", "hello there")], headers={"X-Out": "<{header.x-in}> {id}"})
    assert request.header("X-Out") == "<hello there> 7"


def test_line_breaks_cannot_enter_a_header(gatherd, upstream):
    up = upstream()
    d = gatherd(one(headers={"X-Out": "{query.v}"}), {"up": up})
    response = d.get("/x/1?v=a%0d%0aInjected:%201")
    expect.is_problem(response, 400, "bad_parameter", "it")
    assert not up.requests


def test_missing_reference_is_never_sent(gatherd, upstream):
    up = upstream()
    d = gatherd(one(path="/y", query={"q": "{query.q}"}), {"up": up})
    expect.is_problem(d.get("/x/1"), 400, "missing_reference", "it")
    assert not up.requests


def test_json_bodies_keep_types(gatherd, upstream):
    body = b'{"items":[1.10,{"id":9223372036854775807}],"name":"a\\u003cb","none":null}'
    up = upstream()
    d = gatherd(one(method="POST", json={"items": "{body.items}", "n": "n={body.name}", "x": "{body.none}", "id": "{id}",
                                         "k": 1.50, "deep": [{"q": "{query.q|none}"}]}), {"up": up})
    response = d.request("/x/5", "POST", body=body, fields=[("Content-Type", "application/json")])
    assert response.status == 200, response
    request = up.only_request()
    assert request.method == "POST"
    assert request.header("Content-Type") == "application/json"
    assert b'"items":[1.10,{"id":9223372036854775807}]' in request.body
    sent_body = json.loads(request.body)
    assert sent_body["n"] == "n=a<b" and sent_body["x"] is None and sent_body["id"] == "5"
    assert sent_body["deep"] == [{"q": "none"}]


def test_whole_body_passes_as_it_came(gatherd, upstream):
    up = upstream()
    d = gatherd(one(method="PUT", body="{body}"), {"up": up})
    assert d.request("/x/5", "POST", body=b"any \x00\xff bytes").status == 200
    assert up.only_request().body == b"any \x00\xff bytes"
    assert up.only_request().header("Content-Length") == "12"


def test_a_body_that_is_not_json_is_the_clients_fault(gatherd, upstream):
    up = upstream()
    d = gatherd(one(method="POST", json={"x": "{body.x}"}), {"up": up})
    expect.is_problem(d.request("/x/5", "POST", body=b"{nope"), 400, "bad_body")
    assert not up.requests


def test_host_can_be_overridden(gatherd, upstream):
    up = upstream()
    d = gatherd(one(), {"up": up.conf(host="internal.example")})
    assert d.get("/x/1").status == 200
    assert up.only_request().header("Host") == "internal.example"


def test_literal_braces(gatherd, upstream):
    assert sent(gatherd, upstream, headers={"X-Brace": "{{id}"}).header("X-Brace") == "{id}"

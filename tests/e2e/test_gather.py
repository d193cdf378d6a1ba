"""The main job: calls leave together, and their answers become one, in the order of the file, byte for byte."""
import hashlib
import random
import threading
import time

import pytest
from harness import expect, wait, wire
from harness.upstream import json_reply

EXACT = (b'{"id": 9223372036854775807, "big":1234567890123456789, "price":1.10,\n\t"huge":1E400,"zero":-0,'
         b'"z":1,"a":2,"lt":"\\u003c<","slash":"\\/","emoji":"\\ud83d\\ude00\xf0\x9f\x98\x80","n":[ 1 , 2.50e+07 ]}')


def three(up, **calls):
    return [{"path": "/all", "calls": {
        name: {"upstream": "up", "path": "/" + name, **calls.get(name, {})} for name in ("a", "b", "c")}}]


@pytest.mark.sanitize
@pytest.mark.threads
def test_merges_three_services_into_one_answer(gatherd, upstream):
    up = upstream(json_reply(lambda r: b'{"from":"%s"}' % r.path.encode()))
    d = gatherd(three(up), {"up": up}, workers=2)
    response = d.get("/all")
    expect.is_json(response)
    assert response.body == b'{"a":{"from":"/a"},"b":{"from":"/b"},"c":{"from":"/c"}}'
    assert response.header("Content-Length") == str(len(response.body))
    assert response.header("Date")
    assert sorted(r.target for r in up.requests) == ["/a", "/b", "/c"]


@pytest.mark.alone
def test_latency_is_the_slowest_not_the_sum(gatherd, upstream):
    up = upstream()
    for path, delay in (("/a", 0.4), ("/b", 0.2), ("/c", 0.3)):
        up.on(path, json_reply(b"1", delay=delay))
    d = gatherd(three(up), {"up": up})
    d.get("/all")

    def seconds():
        started = time.monotonic()
        assert d.get("/all").body == b'{"a":1,"b":1,"c":1}'
        return time.monotonic() - started
    assert seconds() >= 0.395
    wait.until(lambda: seconds() < 0.45, "no more than the slowest takes, as soon as the machine is free")


def test_all_calls_leave_before_the_first_answer(gatherd, upstream):
    together = threading.Barrier(3)

    def meet(conn):
        together.wait(wait.PATIENCE)
        conn.reply(b"true")
    d = gatherd(three(None), {"up": upstream(meet)})
    assert d.get("/all").body == b'{"a":true,"b":true,"c":true}'


def test_order_of_the_file_whatever_arrives_first(gatherd, upstream):
    """1,000 requests of ten calls with random delays give one and the same answer."""
    names = ["call%d" % n for n in range(10)]
    up = upstream(json_reply(lambda r: EXACT[:-1] + b',"path":"%s"}' % r.path.encode(),
                             delay=lambda: random.random() * 0.01))
    route = {"path": "/ten", "timeout": "20s", "calls": {n: {"upstream": "up", "path": "/" + n} for n in names}}
    d = gatherd([route], {"up": up.conf(pool={"max_connections": 200, "max_idle": 200})})
    hashes, failures = set(), []

    def ask():
        try:
            with d.client() as client:
                for _ in range(50):
                    response = client.request("/ten")
                    assert response.status == 200, response
                    hashes.add(hashlib.sha256(response.body).hexdigest())
        except (AssertionError, OSError, wire.Closed) as failure:
            failures.append(failure)
    clients = [threading.Thread(target=ask) for _ in range(20)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert not failures, failures[0]
    assert len(hashes) == 1
    assert len(up.requests) == 10000


@pytest.mark.sanitize
def test_bytes_of_values_stay_as_they_came(gatherd, upstream):
    up = upstream(json_reply(EXACT))
    d = gatherd(three(up), {"up": up})
    assert d.get("/all").body == b'{"a":' + EXACT + b',"b":' + EXACT + b',"c":' + EXACT + b"}"


def test_bytes_stay_when_merged_at_the_root(gatherd, upstream):
    up = upstream().on("/a", json_reply(EXACT)).on("/b", json_reply(b'{ "b" : -0 }')).on("/c", json_reply(b"{}"))
    d = gatherd(three(up, a={"into": "."}, b={"into": "."}, c={"into": "."}), {"up": up})
    body = d.get("/all").body
    for text in (b'"price":1.10', b'"huge":1E400', b'"zero":-0', b'"\\u003c<"', b"9223372036854775807", b'-0'):
        assert text in body
    assert body.index(b'"z"') < body.index(b'"a"') < body.index(b'"b"')


# ---- parts

@pytest.mark.parametrize("part", [b"1", b'"text"', b"null", b"true", b"[1, 2]", b"[]", b"{}", b" {} \n", b"1E400"])
def test_any_json_value_is_a_part(gatherd, upstream, part):
    up = upstream(json_reply(part))
    d = gatherd(three(up), {"up": up})
    assert d.get("/all").body.replace(b" ", b"").replace(b"\n", b"") == \
        b'{"a":%(p)s,"b":%(p)s,"c":%(p)s}' % {b"p": part.replace(b" ", b"").replace(b"\n", b"")}


def test_no_content_and_empty_bodies_are_null(gatherd, upstream):
    up = upstream().on("/a", json_reply(b"", status=204)).on("/b", json_reply(b"")).on("/c", json_reply(b"1"))
    d = gatherd(three(up), {"up": up})
    assert d.get("/all").body == b'{"a":null,"b":null,"c":1}'


def test_text_and_base64_parts(gatherd, upstream):
    up = upstream().on("/a", json_reply('say "hi"\n\u00fc'.encode(), content_type="text/plain"))
    up.on("/b", json_reply(bytes(range(256)), content_type="application/octet-stream"))
    d = gatherd(three(up, a={"as": "text"}, b={"as": "base64"}, c={"as": "text"}), {"up": up})
    body = expect.is_json(d.get("/all"))
    assert body["a"] == 'say "hi"\n\u00fc'
    import base64
    assert base64.b64decode(body["b"]) == bytes(range(256))
    assert body["c"] == '{"ok":true}'


def test_chunked_and_close_delimited_parts(gatherd, upstream):
    def chunked(conn):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n{\"a\r\n5\r\n\":42}\r\n0\r\nT: 1\r\n\r\n")

    def closing(conn):
        conn.send(b"HTTP/1.0 200 OK\r\n\r\n[1,")
        conn.pause(0.02)
        conn.send(b"2]")
        conn.close()
    up = upstream().on("/a", chunked).on("/b", closing)
    d = gatherd(three(up), {"up": up})
    assert d.get("/all").body == b'{"a":{"a":42},"b":[1,2],"c":{"ok":true}}'


# ---- where parts go

def test_into_nested_root_and_array(gatherd, upstream):
    up = upstream().on("/a", json_reply(b'{"x":1}')).on("/b", json_reply(b"[1,2]")).on("/c", json_reply(b"3"))
    d = gatherd(three(up, a={"into": "deep.er"}, b={"into": "list[]"}, c={"into": "list[]"}), {"up": up})
    assert d.get("/all").body == b'{"deep":{"er":{"x":1}},"list":[1,2,3]}'


@pytest.mark.parametrize("policy, merged", [
    ("first", b'{"k":{"x":1},"only":1,"c":0}'),
    ("last", b'{"k":{"y":2},"only":1,"c":0}'),
    ("deep", b'{"k":{"x":1,"y":2},"only":1,"c":0}'),
    ("append", b'{"k":{"y":2},"only":1,"c":0}'),  # makes one array of two, and nothing else
])
def test_conflict_policies(gatherd, upstream, policy, merged):
    up = upstream().on("/a", json_reply(b'{"k":{"x":1},"only":1}')).on("/b", json_reply(b'{"k":{"y":2}}'))
    up.on("/c", json_reply(b"0"))
    routes = three(up, a={"into": "."}, b={"into": "."})
    routes[0]["response"] = {"on_conflict": policy}
    assert gatherd(routes, {"up": up}).get("/all").body == merged


def test_conflict_is_an_error_by_default(gatherd, upstream):
    up = upstream(json_reply(b'{"k":1}'))
    d = gatherd(three(up, a={"into": "."}, b={"into": "."}), {"up": up})
    expect.is_problem(d.get("/all"), 502, "merge_conflict", "b")


# ---- failures of calls

@pytest.mark.sanitize
def test_required_call_decides_at_once_and_cancels_the_rest(gatherd, upstream):
    left = threading.Event()

    def slow(conn):
        conn.wait_for_eof()
        left.set()
    up = upstream(slow).on("/b", json_reply(b"{}", status=500, delay=0.05))
    d = gatherd(three(up), {"up": up})
    expect.is_problem(d.get("/all"), 502, "status_not_accepted", "b")
    assert left.wait(wait.PATIENCE), "the other calls were not cancelled"


def test_optional_call_is_left_out_and_named(gatherd, upstream):
    up = upstream().on("/b", json_reply(b"oops"))
    d = gatherd(three(up, b={"required": False}), {"up": up})
    body = expect.is_partial(d.get("/all"), b="invalid_body")
    assert body["a"] == body["c"] == {"ok": True}


def test_proxy_status_names_every_missing_part(gatherd, upstream):
    """RFC 9209."""
    up = upstream().on("/a", json_reply(b"oops")).on("/b", json_reply(b"{}", status=500))
    d = gatherd(three(up, a={"required": False}, b={"required": False}), {"up": up})
    response = d.get("/all")
    expect.is_partial(response, a="invalid_body", b="status_not_accepted")
    told = ", ".join(response.all("Proxy-Status"))
    assert "invalid_body" in told and "status_not_accepted" in told, told
    assert not gatherd(three(up, a={"default": 1}, b={"default": 2}), {"up": up}).get("/all").all("Proxy-Status")


def test_default_takes_the_place_of_a_failed_call(gatherd, upstream):
    up = upstream().on("/b", json_reply(b"{}", status=503))
    d = gatherd(three(up, b={"required": False, "default": {"items": [], "n": 0}}), {"up": up})
    body = expect.is_json(d.get("/all"))
    assert body["b"] == {"items": [], "n": 0}


def test_default_saves_a_required_call(gatherd, upstream):
    up = upstream().on("/b", json_reply(b"{}", status=503))
    d = gatherd(three(up, b={"default": []}), {"up": up})
    assert expect.is_json(d.get("/all"))["b"] == []


@pytest.mark.parametrize("which", [[404], "4xx"])
def test_passed_errors_become_the_answer(gatherd, upstream, which):
    up = upstream().on("/b", json_reply(b"<h1>no such thing</h1>", status=404, content_type="text/html"))
    d = gatherd(three(up, b={"pass_errors": which}), {"up": up})
    response = d.get("/all")
    assert (response.status, response.body) == (404, b"<h1>no such thing</h1>")
    assert response.header("Content-Type") == "text/html"


def test_accept_widens_what_is_success(gatherd, upstream):
    up = upstream().on("/b", json_reply(b'"gone"', status=410))
    d = gatherd(three(up, b={"accept": ["2xx", 410]}), {"up": up})
    assert d.get("/all").body == b'{"a":{"ok":true},"b":"gone","c":{"ok":true}}'


def test_partial_status_and_key_are_configurable(gatherd, upstream):
    up = upstream().on("/b", json_reply(b"{}", status=500))
    routes = three(up, b={"required": False})
    routes[0]["response"] = {"partial": {"status": 206, "meta": "about"}}
    response = gatherd(routes, {"up": up}).get("/all")
    assert response.status == 206
    assert response.json()["about"]["calls"]["b"]["error"] == "status_not_accepted"


def test_all_optional_calls_failing_is_still_an_answer(gatherd, upstream):
    up = upstream(json_reply(b"{}", status=500))
    d = gatherd(three(up, **{n: {"required": False} for n in "abc"}), {"up": up})
    expect.is_partial(d.get("/all"), a="status_not_accepted", b="status_not_accepted", c="status_not_accepted")


def test_body_over_max_body_is_refused(gatherd, upstream):
    up = upstream().on("/b", json_reply(b'"' + b"x" * 5000 + b'"'))
    d = gatherd(three(up, b={"max_body": "4KiB"}), {"up": up})
    expect.is_problem(d.get("/all"), 502, "response_too_large", "b")


def test_duplicate_keys_are_refused_unless_the_last_is_asked_for(gatherd, upstream):
    up = upstream(json_reply(b'{"k":1,"k":2}'))
    d = gatherd(three(up, b={"duplicate_keys": "last"}, c={"required": False}, a={"required": False}), {"up": up})
    body = expect.is_partial(d.get("/all"), a="invalid_body", c="invalid_body")
    assert body["b"] == {"k": 2}


def test_response_headers_are_set(gatherd, upstream):
    up = upstream()
    routes = three(up)
    routes[0]["response"] = {"headers": {"set": {"Cache-Control": "private, max-age=30", "X-Who": "{query.who|you}"}}}
    response = gatherd(routes, {"up": up}).get("/all?who=me")
    assert response.header("Cache-Control") == "private, max-age=30"
    assert response.header("X-Who") == "me"


def test_big_parts_are_merged_whole(gatherd, upstream):
    big = b"[" + b",".join(b'"%d"' % n for n in range(100000)) + b"]"
    up = upstream(json_reply(big))
    d = gatherd(three(up), {"up": up})
    assert d.get("/all").body == b'{"a":' + big + b',"b":' + big + b',"c":' + big + b"}"

"""Answers that stream the parts as their calls end: ndjson, server-sent events, multipart; what Accept chooses."""
import email
import json
import threading
import time

import pytest
from harness import expect, wait
from harness.upstream import gate, json_reply

NEGOTIATED = ["json", "ndjson", "sse", "multipart"]


def route(path, form, calls, **more):
    return {"path": path, "format": form, "timeout": "20s", **more,
            "calls": {name: {"upstream": "up", "path": "/" + name, **call} for name, call in calls.items()}}


def lines(response):
    assert response.status == 200, response
    assert response.header("Content-Type") == "application/x-ndjson"
    assert response.body.endswith(b"\n")
    return [json.loads(line) for line in response.body.split(b"\n")[:-1]]


def events(response):
    assert response.status == 200, response
    assert response.header("Content-Type") == "text/event-stream"
    assert response.body.endswith(b"\n\n") and b"\r" not in response.body
    found = []
    for block in response.body.split(b"\n\n")[:-1]:
        name, data = block.split(b"\n")
        assert name.startswith(b"event: ") and data.startswith(b"data: ")
        found.append((name[7:].decode(), json.loads(data[6:])))
    return found


def parts(response):
    """The parts as an independent parser has them: (name, type, bytes)."""
    assert response.status == 200, response
    head = b"Content-Type: " + response.header("Content-Type").encode() + b"\r\n\r\n"
    message = email.message_from_bytes(head + response.body)
    assert message.is_multipart() and message.get_content_type() == "multipart/mixed" and not message.defects
    boundary = message.get_boundary().encode()
    assert response.body.endswith(b"\r\n--" + boundary + b"--\r\n")
    found = []
    for raw, part in zip(response.body.split(b"--" + boundary)[1:], message.get_payload()):
        body = raw.split(b"\r\n\r\n", 1)[1][:-2]
        assert int(part["Content-Length"]) == len(body)
        found.append((part.get_filename() or part.get_param("name", header="Content-Disposition"),
                      part["Content-Type"], body))
    return found


@pytest.mark.sanitize
def test_the_first_part_comes_as_soon_as_the_fastest_call(gatherd, upstream):
    up, slow = upstream(), threading.Event()
    up.on("/fast", json_reply(b'{"n": 1.10}'))
    up.on("/slow", gate(slow, b"[2]"))
    d = gatherd([route("/x", "ndjson", {"slow": {}, "fast": {}})], {"up": up})
    with d.client() as client:
        client.write_request("/x")
        response = client.read_head()
        assert response.header("Transfer-Encoding") == "chunked"
        chunk = client.reader.until(b"\r\n")
        assert client.reader.exactly(int(chunk, 16)) == b'{"call":"fast","result":{"n": 1.10}}\n'
        client.reader.exactly(2)
        slow.set()
        client.reader.chunked(response)
        assert response.body == b'{"call":"slow","result":[2]}\n{"complete":true}\n'
        assert len(lines(client.request("/x"))) == 3
    assert [r["status"] for r in d.access_log(2)] == [200, 200]


def test_line_ends_of_a_body_do_not_break_the_framing(gatherd, upstream):
    pretty = b'{\r\n  "a": [\n    1,\r\r 2.50\n  ],\n  "text": "a\\nb"\n}\n'
    big = json.dumps([{"key": "x" * 50, "n": n} for n in range(20000)], indent=2).replace("\n", "\r\n").encode()
    up = upstream()
    up.on("/pretty", json_reply(pretty))
    up.on("/big", json_reply(big))
    calls = {"pretty": {}, "big": {}, "fixed": {"path": "/none", "required": False, "default": {"d": "x\ny"}}}
    up.on("/none", json_reply(b"", status=404))
    d = gatherd([route("/lines", "ndjson", calls), route("/events", "sse", calls)], {"up": up})
    want = {"pretty": json.loads(pretty), "big": json.loads(big), "fixed": {"d": "x\ny"}}
    got = lines(d.get("/lines"))
    assert {r["call"]: r["result"] for r in got[:-1]} == want and got[-1] == {"complete": True}
    got = events(d.get("/events"))
    assert dict(got[:-1]) == want and got[-1] == ("end", {"complete": True})
    assert b"2.50" in d.get("/events").body


def test_multipart_has_any_bytes_under_their_own_type(gatherd, upstream):
    image = bytes(range(256)) * 5000
    up = upstream()
    up.on("/image", json_reply(image, content_type="image/png"))
    up.on("/plain", json_reply(b"hello\r\n", content_type="text/plain; charset=utf-8"))
    up.on("/data", json_reply(b'{ "a" : 1,\n "b": 2 }'))
    up.on("/untyped", json_reply(b"1", content_type=None))
    up.on("/broken", json_reply(b"", status=500))
    d = gatherd([route("/x", "multipart", {
        "image": {"as": "base64"}, "plain": {"as": "text"}, "data": {}, "untyped": {},
        "short": {"path": "/data", "select": "b"}, "broken": {"required": False}})], {"up": up})
    found = parts(d.get("/x"))
    assert found[-1] == (None, "application/json", b'{"complete":false}')
    by_name = {name: (kind, body) for name, kind, body in found[:-1]}
    assert by_name["image"] == ("image/png", image)
    assert by_name["plain"] == ("text/plain; charset=utf-8", b"hello\r\n")
    assert by_name["data"] == ("application/json", b'{ "a" : 1,\n "b": 2 }')
    assert by_name["untyped"] == ("application/octet-stream", b"1")
    assert by_name["short"][0] == "application/json" and json.loads(by_name["short"][1]) == {"b": 2}
    kind, body = by_name["broken"]
    assert kind == "application/problem+json" and json.loads(body)["reason"] == "status_not_accepted"
    boundaries = {d.get("/x").header("Content-Type") for _ in range(5)}
    assert len(boundaries) == 5


def test_accept_chooses_among_the_formats(gatherd, upstream):
    up = upstream()
    d = gatherd([route("/x", NEGOTIATED, {"a": {}}), route("/one", "sse", {"a": {}}),
                 route("/some", ["sse", "json"], {"a": {}})], {"up": up})

    def kind(path, *accept):
        response = d.get(path, fields=[("Accept", a) for a in accept])
        if path == "/one":
            assert response.header("Vary") is None
        else:
            assert response.header("Vary") == "Accept"
        return response.header("Content-Type").split(";")[0]
    assert kind("/x") == "application/json"
    assert kind("/x", "*/*") == "application/json"
    assert kind("/x", "text/event-stream") == "text/event-stream"
    assert kind("/x", "text/html, application/x-ndjson;q=0.9, */*;q=0.8") == "application/x-ndjson"
    assert kind("/x", "text/html", "multipart/*, */*;q=0.8") == "multipart/mixed"
    assert kind("/x", "application/json;q=0, */*") == "application/x-ndjson"
    assert kind("/some", "*/*") == "text/event-stream"
    assert kind("/some", "application/*") == "application/json"
    assert kind("/one", "application/json") == "text/event-stream"
    asked = len(up.requests)
    refused = d.get("/x", fields=[("Accept", "text/html, image/*")])
    expect.is_problem(refused, 406, "not_acceptable")
    assert refused.header("Vary") == "Accept" and len(up.requests) == asked


def test_failures_before_the_first_part_are_ordinary_answers(gatherd, upstream):
    up = upstream()
    up.on("/bad", json_reply(b'{"no":1}', status=500))
    up.on("/mine", json_reply(b'{"why":"x"}', status=404))
    up.on("/late", json_reply(b"1", delay=0.2))
    d = gatherd([route("/required", "ndjson", {"bad": {}, "late": {}}),
                 route("/passed", "sse", {"mine": {"pass_errors": 404}, "late": {}}),
                 route("/reference", "sse", {"late": {"path": "/{query.q}"}})], {"up": up})
    expect.is_problem(d.get("/required"), 502, "status_not_accepted", call="bad")
    passed = d.get("/passed")
    assert passed.status == 404 and passed.body == b'{"why":"x"}'
    expect.is_problem(d.get("/reference"), 400, "missing_reference", call="late")


def test_failures_after_the_first_part_are_told_in_the_last_record(gatherd, upstream):
    up = upstream()
    up.on("/late", json_reply(b"", status=500, delay=0.1))
    up.on("/later", lambda conn: conn.wait_for_eof())
    calls = {"early": {}, "late": {}, "later": {}}
    d = gatherd([route("/lines", "ndjson", calls), route("/parts", "multipart", calls),
                 route("/passed", "ndjson", {"early": {}, "late": {"pass_errors": 500}})], {"up": up})
    got = lines(d.get("/lines"))
    assert got[0] == {"call": "early", "result": {"ok": True}}
    assert got[1]["call"] == "late" and got[1]["error"] == "status_not_accepted" and got[1]["ms"] >= 90
    assert got[2]["complete"] is False and got[2]["problem"]["status"] == 502
    assert got[2]["problem"]["call"] == "late" and len(got) == 3
    found = parts(d.get("/parts"))
    assert [name for name, _, _ in found] == ["early", "late", None]
    assert json.loads(found[2][2])["problem"]["reason"] == "status_not_accepted"
    assert lines(d.get("/passed"))[-1]["problem"]["status"] == 500
    assert {r["reason"] for r in d.access_log(3)} == {"status_not_accepted"}


def test_the_routes_time_ends_a_stream_in_good_order(gatherd, upstream):
    up = upstream()
    up.on("/late", lambda conn: conn.wait_for_eof())

    def attempt(ms):
        d = gatherd([{**route("/x", "sse", {"early": {}, "late": {"required": False}}), "timeout": "%dms" % ms}], {"up": up})
        assert [name for name, _ in events(d.get("/x"))] == ["early", "failure", "end"]
    wait.with_time(attempt, 200)


def test_skipped_defaulted_repeated_and_enough_calls(gatherd, upstream):
    up, never = upstream(), threading.Event()
    up.on("/list", json_reply(b"[3,\n1]"))
    up.on("/never", gate(never))
    up.handler = json_reply(lambda r: b'{"path":"%s"}' % r.path.encode())
    d = gatherd([
        route("/x", "ndjson", {
            "list": {}, "skipped": {"when": "{query.q|no} == yes"},
            "each": {"path": "/item/{item}", "for_each": "{calls.list.result}"}}),
        route("/any", "ndjson", {"never": {}, "a": {}}, need="any"),
    ], {"up": up})
    got = lines(d.get("/x"))
    assert got == [{"call": "list", "result": [3, 1]},
                   {"call": "each", "result": [{"path": "/item/3"}, {"path": "/item/1"}]}, {"complete": True}]
    assert lines(d.get("/any")) == [{"call": "a", "result": {"path": "/a"}}, {"complete": True}]


def test_head_gets_the_head_of_the_first_part(gatherd, upstream):
    up, never = upstream(), threading.Event()
    up.on("/never", gate(never))
    d = gatherd([route("/x", NEGOTIATED, {"never": {}, "a": {}}),
                 route("/set", "sse", {"a": {}}, response={"headers": {"set": {"X-Set": "{query.q|1}"}}})], {"up": up})
    with d.client() as client:
        for _ in range(3):
            response = client.request("/x", "HEAD", fields=[("Accept", "multipart/mixed")])
            assert response.status == 200 and response.header("Content-Type").startswith("multipart/mixed; boundary=")
            assert response.header("Transfer-Encoding") is None
        assert client.request("/set?q=7", "HEAD").header("X-Set") == "7"
        assert client.request("/set?q=8").header("X-Set") == "8"
    wait.until(lambda: d.metric("gatherd_requests_in_flight") == 0, "no request in flight")


def test_an_old_client_has_the_close_as_the_end(gatherd, upstream):
    d = gatherd([route("/x", "ndjson", {"a": {}, "b": {}})], {"up": upstream()})
    with d.client() as client:
        response = client.request("/x", version="1.0", fields=[("Connection", "keep-alive")])
        assert response.header("Connection") == "close" and response.header("Transfer-Encoding") is None
        assert len(lines(response)) == 3


@pytest.mark.sanitize
def test_a_slow_client_costs_bounded_memory(gatherd, upstream):
    """Eight slow clients, four bodies of 2 MiB each: what is held are the bodies, not copies of them."""
    body = b'"' + b"x" * (2 << 20) + b'"'
    up = upstream(json_reply(body))
    calls = {name: {} for name in "abcd"}
    d = gatherd([route("/x", "ndjson", calls)], {"up": up})
    d.get("/x")
    before = d.memory()
    clients = [d.client(receive_buffer=4096) for _ in range(8)]
    for client in clients:
        client.write_request("/x")
    up.wait_requests(4 + 8 * 4)
    time.sleep(0.5)
    d.check_memory(before, 8 * 4 * (2 << 20) * 1.3)
    for client in clients:
        got = lines(client.read_response())
        assert sorted(r["call"] for r in got[:-1]) == list("abcd") and got[-1] == {"complete": True}
        assert all(r["result"] == "x" * (2 << 20) for r in got[:-1])
        client.close()


@pytest.mark.sanitize
def test_a_client_that_leaves_cancels_the_calls(gatherd, upstream):
    up, never = upstream(), threading.Event()
    up.on("/never", gate(never))
    d = gatherd([route("/x", "sse", {"never": {}, "a": {}})], {"up": up})
    for leave in ("close", "reset", "half_close"):
        client = d.client()
        client.write_request("/x")
        client.read_head()
        getattr(client, leave)()
    records = d.access_log(3)
    assert [r["status"] for r in records] == [499] * 3
    wait.until(lambda: all(c.saw_eof.is_set() for c in up.conns if c.request and c.request.path == "/never"),
               "the calls to be cancelled")
    assert d.metric("gatherd_requests_in_flight") == 0


@pytest.mark.sanitize
def test_slow_clients_that_leave_in_the_middle_of_a_part(gatherd, upstream):
    up = upstream(json_reply(b'"' + b"x" * (3 << 20) + b'"'))
    d = gatherd([route("/x", NEGOTIATED, {"a": {}, "b": {}})], {"up": up})
    for number in range(12):
        client = d.client(receive_buffer=4096)
        client.write_request("/x", fields=[("Accept", ["application/x-ndjson", "multipart/mixed"][number % 2])])
        client.read_head()
        client.reader.exactly(1000 * number)
        client.reset() if number % 3 else client.close()
    d.access_log(12)
    assert d.metric("gatherd_requests_in_flight") == 0
    assert len(lines(d.get("/x", fields=[("Accept", "application/x-ndjson")]))) == 3

"""Status and fields of gathered answers: what holds of them when calls have nothing to say, or have failed."""
import pytest
from harness.upstream import json_reply

pytestmark = pytest.mark.sanitize
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


def route(path, response, **calls):
    return {"path": path, "response": response,
            "calls": {name: {"upstream": "up", "path": "/" + name, **call} for name, call in calls.items()}}


@pytest.fixture
def up(upstream):
    up = upstream(json_reply(b"1", fields=[("ETag", '"v1"'), ("Last-Modified", DATE), ("Cache-Control", "max-age=60")]))
    up.on("/bad", json_reply(b"no", status=500, fields=[("ETag", '"e"'), ("Set-Cookie", "a=b"), ("X-Debug", "trace"),
                                                        ("Cache-Control", "max-age=60")]))
    up.on("/refused", json_reply(b"{}", status=401, fields=[("WWW-Authenticate", "Basic")]))
    up.on("/nothing", json_reply(b"", status=204))
    up.on("/same", json_reply(b"", status=304))
    up.on("/reset", json_reply(b"", status=205))
    return up


def test_the_status_of_a_call_without_content_drops_nothing_of_the_others(gatherd, up):
    def status_of(name):
        return {"status": "{calls.%s.status}" % name}
    calls = {"nothing": {}, "there": {}}
    d = gatherd([route("/alone", status_of("nothing"), nothing={}),
                 route("/both", status_of("nothing"), **calls),
                 route("/reset", status_of("reset"), reset={}, there={}),
                 route("/same", status_of("same"), same={"accept": [304, "2xx"]}, there={}),
                 route("/not_modified", status_of("same"), same={"accept": 304}),
                 route("/partial", {**status_of("nothing"), "partial": {"status": 206}}, nothing={}, bad={"required": False}),
                 route("/static", {**status_of("nothing"), "static": {"json": {"x": 1}}}, nothing={}),
                 route("/text", {**status_of("nothing"), "body": "{calls.there.body}"}, **calls),
                 route("/empty", {**status_of("nothing"), "body": "{calls.nothing.body}"}, **calls),
                 route("/said", {"status": 204}, **calls)], {"up": up})
    for path in ("/alone", "/empty", "/said"):
        answer = d.get(path)
        assert (answer.status, answer.body, answer.header("Content-Type")) == (204, b"", None), path
    assert d.get("/not_modified").status == 304
    assert (d.get("/both").status, d.get("/both").body) == (200, b'{"nothing":null,"there":1}')
    assert (d.get("/reset").status, d.get("/reset").body) == (200, b'{"reset":null,"there":1}')
    assert (d.get("/same").status, d.get("/same").body) == (200, b'{"same":null,"there":1}')
    assert d.get("/partial").status == 206 and d.get("/partial").json()["_meta"]["complete"] is False
    assert (d.get("/static").status, d.get("/static").body) == (200, b'{"x":1,"nothing":null}')
    assert (d.get("/text").status, d.get("/text").body) == (200, b"1")


def test_what_stands_in_for_a_failure_is_not_kept_by_clients_and_caches(gatherd, up):
    """A client that named the ETag of a partial answer would be told for ever that nothing has changed."""
    copy = {"headers": {"copy": ["there: ETag", "there: Last-Modified", "there: Cache-Control"]}}
    said = {"headers": {"set": {"ETag": '"own"', "Cache-Control": "max-age=5"}}}
    d = gatherd([route("/whole", copy, there={}, skipped={"when": "false"}),
                 route("/partial", copy, there={}, bad={"required": False}),
                 route("/default", copy, there={}, bad={"default": 0}),
                 route("/said", said, there={}, bad={"required": False}),
                 {**route("/any", copy, there={}, bad={}), "need": "any"}], {"up": up})
    names = [("If-None-Match", '"v1", "own"')]
    assert d.get("/whole", fields=names).status == 304 and d.get("/any", fields=names).status == 304
    for path, control in (("/partial", "no-cache"), ("/default", "no-cache"), ("/said", "max-age=5")):
        answer = d.get(path, fields=names)
        assert (answer.status, answer.header("ETag"), answer.header("Last-Modified")) == (200, None, None), path
        assert answer.header("Cache-Control") == control, path


def test_fields_of_an_error_are_copied_only_when_it_passes(gatherd, up):
    copy = {"headers": {"copy": ["bad: *", "bad: ETag"]}}
    d = gatherd([route("/partial", copy, there={}, bad={"required": False}), route("/default", copy, bad={"default": 1}),
                 route("/passed", {"headers": {"copy": ["refused: *"]}}, refused={"pass_errors": 401})], {"up": up})
    for path in ("/partial", "/default"):
        answer = d.get(path)
        assert answer.status == 200 and not {"etag", "set-cookie", "x-debug", "cache-control"} & {
            name.lower() for name, _ in answer.fields}
    assert (d.get("/passed").status, d.get("/passed").header("WWW-Authenticate")) == (401, "Basic")


def test_a_client_that_has_the_date_gets_304(gatherd, up):
    d = gatherd([route("/x", {"headers": {"copy": ["there: Last-Modified", "there: ETag"]}}, there={})], {"up": up})
    same, other = ("If-Modified-Since", DATE), ("If-Modified-Since", DATE.replace("2026", "2027"))
    assert d.get("/x", fields=[same]).status == 304
    assert d.get("/x", method="HEAD", fields=[same]).status == 304
    assert d.get("/x", fields=[other]).status == 200
    assert d.get("/x", fields=[same, ("If-None-Match", '"v2"')]).status == 200, "the tag decides where both are named"


def test_the_answer_can_be_written_out_as_json(gatherd, upstream):
    up = upstream(json_reply(b'{"n":1.10,"list":[{"x":1},{"x":"a\\u0062"}],"text":"a\\"b"}'))
    up.on("/bad", json_reply(b"no", status=500))
    response = {"json": {"n": "{calls.a.body.n}", "xs": "{calls.a.body.list[].x}", "text": "<{calls.a.body.text}>",
                         "q": "{query.q|none}", "bad": "{calls.bad.result|[]}", "status": "{calls.a.status}", "k": [1.5]}}
    d = gatherd([route("/x", response, a={}, bad={"required": False}),
                 {**route("/client", {"json": "{body.x}"}, a={}), "methods": ["POST"]}], {"up": up})
    answer = d.get("/x?q=%22%0a")
    assert answer.body == (b'{"n":1.10,"xs":[1,"a\\u0062"],"text":"<a\\"b>","q":"\\"\\n","bad":[],"status":200,"k":[1.5]}')
    assert answer.header("Content-Type") == "application/json" and 'details="bad"' in answer.header("Proxy-Status")
    assert d.request("/client", "POST", body=b'{"x": [1, 2]}').body == b"[1, 2]"
    assert d.request("/client", "POST", body=b'{}').status == 400

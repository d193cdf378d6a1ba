"""What calls take of their answers, and what becomes of the merged one."""
import json

import pytest
from harness import expect
from harness.upstream import json_reply

ORDERS = (b'{ "data": {"items" : [ {"id":9007199254740993, "ts":"t1" , "lines":[{"sku":"a","internal":1}]},'
          b' {"ts":"t2","x":1} ]}, "more":[1] }')


def route(path, calls, **response):
    return {"path": path, "response": response,
            "calls": {name: {"upstream": "up", "path": "/" + name, **call} for name, call in calls.items()}}


@pytest.fixture
def up(upstream):
    up = upstream(json_reply(b"{}", status=500))
    up.on("/orders", json_reply(ORDERS))
    up.on("/user", json_reply(b'{"name":"A","secret":1,"tags":["x"]}'))
    up.on("/number", json_reply(b" 1.10 "))
    return up


def test_shapes_a_part_in_the_order_from_select_drop_rename_into(gatherd, up):
    d = gatherd([route("/x", {
        "orders": {"from": "data.items", "select": ["[].id", "[].ts", "[].lines"], "drop": "[].lines[].internal",
                   "rename": {"[].ts": "created_at", "[].lines": "items"}, "into": "user.orders"},
        "user": {"drop": "secret", "into": "user"},
        "number": {"select": "a", "rename": {"b": "c"}},
    }, on_conflict="deep")], {"up": up})
    assert d.get("/x").body == (
        b'{"user":{"orders":[ {"id":9007199254740993, "created_at":"t1" , "items":[{"sku":"a"}]},'
        b' {"created_at":"t2"} ],"name":"A","tags":["x"]},"number":1.10}')


def test_a_part_without_the_shape_it_needs_fails_its_call(gatherd, up):
    calls = {"user": {"from": "none.such"}, "number": {"from": ".", "required": False}}
    d = gatherd([
        route("/required", calls),
        route("/optional", {"user": {"from": "name.x", "required": False}, "number": {}}),
        route("/default", {"user": {"from": "name[0]", "default": {"a": 1}}}),
        route("/collision", {"user": {"rename": {"name": "tags"}, "required": False}}),
    ], {"up": up})
    expect.is_problem(d.get("/required"), 502, "shape_mismatch", call="user")
    for path in ("/optional", "/collision"):
        assert json.loads(d.get(path).body)["_meta"]["calls"]["user"]["error"] == "shape_mismatch"
    assert d.get("/default").body == b'{"user":{"a":1}}'


def test_other_calls_see_the_answer_as_received_and_the_result_as_shaped(gatherd, up):
    up.on("/t", json_reply(b'"seen"'))
    d = gatherd([route("/x", {
        "orders": {"from": "data.items[1]", "rename": {"ts": "at"}},
        "t": {"query": {"body": "{calls.orders.body.data.items[0].ts}", "result": "{calls.orders.result.at}"}},
    })], {"up": up})
    assert d.get("/x").body == b'{"orders":{"at":"t2","x":1},"t":"seen"}'
    assert up.requests[-1].target == "/t?body=t1&result=t2"


def test_results_are_zipped_into_the_elements_they_came_from(gatherd, upstream):
    up = upstream(json_reply(lambda r: b'{"from":"%s"}' % r.target.encode()))
    up.on("/orders", json_reply(b'{"list":[ {"id":1,"p":"a"}, {"p":"b" } ]}'))
    d = gatherd([route("/x", {
        "orders": {},
        "product": {"path": "/p/{item}", "for_each": "{calls.orders.result.list[].p}", "into": "orders.list[].product"},
    })], {"up": up})
    assert d.get("/x").body == (b'{"orders":{"list":[ {"id":1,"p":"a","product":{"from":"/p/a"}},'
                                b' {"p":"b","product":{"from":"/p/b"} } ]}}')


def test_elements_that_truncate_leaves_without_a_call_get_null_or_the_default(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    up.on("/list", json_reply(b'[{"p":1},{"p":2},{"p":3}]'))
    each = {"path": "/p/{item}", "for_each": "{calls.list.result[].p}", "max_items": 2, "truncate": True, "into": "list[].x"}
    d = gatherd([route("/null", {"list": {"path": "/list"}, "each": each}),
                 route("/default", {"list": {"path": "/list"}, "each": {**each, "default": {"n": 0}}})], {"up": up})
    assert d.get("/null").body == b'{"list":[{"p":1,"x":1},{"p":2,"x":1},{"p":3,"x":null}]}'
    assert d.get("/default").body == b'{"list":[{"p":1,"x":1},{"p":2,"x":1},{"p":3,"x":{"n":0}}]}'
    assert len(up.requests) == 6


def test_results_that_fit_no_element_are_missing_like_any_part(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    up.on("/list", json_reply(b'[{"p":1},2]'))
    each = {"path": "/p/{item.p}", "for_each": "{calls.list.result[]}", "into": "list[].x"}
    d = gatherd([route("/optional", {"list": {"path": "/list"}, "each": {**each, "required": False}}),
                 route("/required", {"list": {"path": "/list"},
                                     "each": {**each, "path": "/p"}})], {"up": up})
    answer = d.get("/optional")
    assert answer.status == 200 and answer.json()["list"] == [{"p": 1}, 2]
    assert answer.json()["_meta"]["calls"]["each"]["error"] == "shape_mismatch"
    assert 'details="each"' in answer.header("Proxy-Status")
    expect.is_problem(d.get("/required"), 502, "shape_mismatch", call="each")


def test_the_merged_answer_is_reshaped_whichever_calls_failed(gatherd, up):
    steps = {"move": {"user.name": "name", "none.x": "y"}, "append": {"orders.more": "user.tags"},
             "drop": ["orders.data", "user.secret"]}
    calls = {"orders": {"required": False}, "user": {"required": False}}
    d = gatherd([route("/all", calls, **steps),
                 route("/some", {"orders": {"path": "/fails", "required": False}, "user": {}}, **steps),
                 route("/none", {"orders": {"path": "/fails", "required": False},
                                 "user": {"path": "/fails", "required": False}}, **steps)], {"up": up})
    assert json.loads(d.get("/all").body) == {"orders": {"more": [1]}, "user": {"tags": ["x", 1]}, "name": "A"}
    body = d.get("/some").body
    assert body.startswith(b'{"user":{"tags":["x"]},"name":"A","_meta":{')
    assert list(json.loads(d.get("/none").body)) == ["_meta"]


def test_what_is_moved_meets_the_policy(gatherd, up):
    calls = {"user": {}, "number": {}}
    d = gatherd([route("/error", calls, move={"user.name": "number"}),
                 route("/last", calls, move={"user.name": "number"}, on_conflict="last")], {"up": up})
    expect.is_problem(d.get("/error"), 502, "merge_conflict")
    assert json.loads(d.get("/last").body)["number"] == "A"


def test_an_answer_may_be_an_array(gatherd, up):
    d = gatherd([route("/x", {"number": {}, "user": {"select": "name"}}, shape="array"),
                 route("/partial", {"number": {}, "b": {"path": "/fails", "required": False}}, shape="array"),
                 route("/held", {"b": {"path": "/fails", "default": None}, "number": {}}, shape="array")], {"up": up})
    assert d.get("/x").body == b'[1.10,{"name":"A"}]'
    partial = d.get("/partial")
    assert partial.body == b"[1.10,null]"
    assert partial.header("Proxy-Status") is not None
    assert d.get("/held").body == b"[null,1.10]"


def test_static_data_belongs_to_the_answers_it_is_for(gatherd, up):
    def routes(when):
        static = {"when": when, "json": {"s": {"n": 1.50, "t": "{not a reference}"}, "number": 0}}
        good = {"number": {}}
        bad = {"number": {}, "b": {"path": "/fails", "required": False}}
        return [route("/" + when, good, static=static, on_conflict="last"),
                route("/%s/partial" % when, bad, static=static, on_conflict="last")]

    d = gatherd(routes("always") + routes("complete") + routes("partial"), {"up": up})
    static = b'{"s":{"n":1.5,"t":"{not a reference}"},"number":1.10'
    assert d.get("/always").body == d.get("/complete").body == static + b"}"
    assert d.get("/partial").body == b'{"number":1.10}'
    for when, start in (("always", static), ("partial", static), ("complete", b'{"number":1.10')):
        assert d.get("/%s/partial" % when).body.startswith(start + b',"_meta":{"complete":false')


def test_parts_appended_to_the_root_make_the_answer_an_array(gatherd, up):
    calls = {"orders": {"from": "data.items", "into": "[]", "select": "[].ts"}, "user": {"select": "name", "into": "[]"},
             "b": {"path": "/fails", "required": False, "into": "[]"}}
    d = gatherd([route("/x", calls)], {"up": up})
    answer = d.get("/x")
    assert answer.body == b'[{"ts":"t1"}, {"ts":"t2"},{"name":"A"}]'
    assert answer.header("Proxy-Status") is not None


def test_no_field_of_an_answer_is_there_twice(gatherd, upstream):
    """What the route says of a field is the only word on it, but for the type of a streamed answer."""
    up = upstream(json_reply(b"1", fields=[("ETag", '"a"')], content_type="application/vnd.a+json"))
    headers = {"set": {"set": {"Content-Type": "application/hal+json"}}, "copy": {"copy": ["a: content-type", "a: ETag", "a: *", "a: ETag"]}}
    d = gatherd([{"path": "/%s/%s" % (name, form), "format": form, "response": {"headers": what},
                  "calls": {"a": {"upstream": "up", "path": "/a"}}} for name, what in headers.items() for form in ("json", "ndjson")],
                {"up": up})
    for target, want in (("/set/json", "application/hal+json"), ("/copy/json", "application/vnd.a+json"),
                         ("/set/ndjson", "application/x-ndjson"), ("/copy/ndjson", "application/x-ndjson")):
        response = d.get(target)
        assert response.all("Content-Type") == [want], response.fields
        assert len(response.all("ETag")) == target.startswith("/copy"), response.fields


def test_a_reset_form_has_no_content(gatherd, upstream):
    """RFC 9110 15.3.6: nothing is sent in a 205."""
    d = gatherd([{"path": "/", "response": {"status": 205}, "calls": {"a": {"upstream": "up", "path": "/a"}}}], {"up": upstream()})
    response = d.get("/")
    assert (response.status, response.body, response.header("Content-Length")) == (205, b"", "0")

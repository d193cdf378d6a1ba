"""Calls that wait for each other, calls that may be skipped, calls for each item of a list."""
import json
import random
import threading
import time
from urllib.parse import quote

import pytest
from harness import expect, wait
from harness.upstream import crowd, json_reply


def route(path, **calls):
    return {"path": path,
            "calls": {name: {"upstream": "up", **call} for name, call in calls.items()}}


def paths(up):
    return [r.target for r in up.requests]


def test_a_reference_is_a_dependency_and_keeps_its_type(gatherd, upstream):
    up = upstream()
    up.on("/user/7", json_reply(b'{"id":7,"team":"a b/c","n":9223372036854775807,"tags":["x",{"y":1.10}]}'))
    up.on("/team/a%20b%2Fc", json_reply(b'{"name":"T"}'))
    up.on("/post", json_reply(lambda r: r.body))
    d = gatherd([route("/u/{id}",
                       user={"path": "/user/{id}"},
                       team={"path": "/team/{calls.user.body.team}", "query": {"n": "{calls.user.result.n}"},
                             "headers": {"X-Status": "{calls.user.status}"}},
                       echo={"path": "/post", "method": "POST",
                             "json": {"tags": "{calls.user.body.tags}", "one": "{calls.user.body.tags[1].y}",
                                      "text": "n={calls.user.body.n}", "team": "{calls.team.body}"}})],
                {"up": up})
    body = d.get("/u/7").body
    assert b'"echo":{"tags":["x",{"y":1.10}],"one":1.10,"text":"n=9223372036854775807","team":{"name":"T"}}' in body
    assert paths(up) == ["/user/7", "/team/a%20b%2Fc?n=9223372036854775807", "/post"]
    assert up.requests[1].header("X-Status") == "200"


def seconds_of(d, target):
    started = time.monotonic()
    assert d.get(target).status == 200
    return time.monotonic() - started


@pytest.mark.alone
def test_latency_is_the_critical_path(gatherd, upstream):
    """Random graphs: every call takes 50 ms, so the answer takes 50 ms times the longest chain."""
    chooser = random.Random(1)
    for _ in range(3):
        depth, calls = {}, {}
        for n in range(12):
            deps = chooser.sample(range(n), min(n, chooser.randrange(3)))
            depth[n] = 1 + max((depth[k] for k in deps), default=0)
            calls["c%d" % n] = {"path": "/c%d" % n, "query": {"d%d" % k: "{calls.c%d.body.v}" % k for k in deps}}
        up = upstream(json_reply(b'{"v":1}', delay=0.05))
        d = gatherd([route("/graph", **calls)], {"up": up})
        longest = max(depth.values()) * 0.05
        took = []

        def is_no_longer():
            took.append(seconds_of(d, "/graph"))
            return took[-1] < longest + 0.045
        wait.until(is_no_longer, "less than one call more, as soon as the machine is free: %r" % [longest, depth])
        assert min(took) >= longest - 0.001, (took, longest, depth)


def test_after_orders_without_data(gatherd, upstream):
    up = upstream(json_reply(b"1", delay=0.02))
    d = gatherd([route("/x", a={"path": "/a", "after": ["b"]}, b={"path": "/b", "after": ["c"]}, c={"path": "/c"})],
                {"up": up})
    assert d.get("/x").body == b'{"a":1,"b":1,"c":1}'
    assert paths(up) == ["/c", "/b", "/a"]


def test_a_call_that_lacks_its_reference_is_never_sent(gatherd, upstream):
    up = upstream(json_reply(b'{"x":null}'))
    up.on("/bad", json_reply(b"{}", status=500))
    d = gatherd([
        route("/required", a={"path": "/a"}, b={"path": "/b/{calls.a.body.none}"}),
        route("/optional", a={"path": "/a"}, b={"path": "/b/{calls.a.body.x}", "required": False}),
        route("/default", a={"path": "/a"}, b={"path": "/b/{calls.a.body.x|me}"}),
        route("/failed", a={"path": "/bad", "required": False},
              b={"path": "/b/{calls.a.body.x}", "required": False}),
        route("/failed/default", a={"path": "/bad", "required": False}, b={"path": "/b/{calls.a.status|0}"}),
    ], {"up": up})
    expect.is_problem(d.get("/required"), 502, "missing_result", call="b")
    body = json.loads(d.get("/optional").body)
    assert body["_meta"]["calls"]["b"]["error"] == "missing_result"
    assert d.get("/default").body == b'{"a":{"x":null},"b":{"x":null}}'
    assert set(json.loads(d.get("/failed").body)["_meta"]["calls"]) == {"a", "b"}
    assert d.get("/failed/default").status == 200
    assert [p for p in paths(up) if p.startswith("/b/")] == ["/b/me", "/b/500"]


def test_a_call_is_skipped_when_its_condition_does_not_hold(gatherd, upstream):
    up = upstream(json_reply(b'{"tier":"gold","n":3}'))
    d = gatherd([route("/x",
                       user={"path": "/user"},
                       gold={"path": "/gold", "when": "{calls.user.body.tier} in [gold, silver] and {query.n|0} > 2"},
                       other={"path": "/other", "when": "{calls.user.body.n} > 3", "default": {"n": 0}},
                       after={"path": "/after", "query": {"g": "{calls.gold.body.n|none}"}})], {"up": up})
    assert list(json.loads(d.get("/x?n=5").body)) == ["user", "gold", "other", "after"]
    assert paths(up) == ["/user", "/gold", "/after?g=3"]
    del up.requests[:]
    body = d.get("/x").body
    assert b'"gold":' not in body and b'"_meta"' not in body and b'"other":{"n":0}' in body
    assert paths(up) == ["/user", "/after?g=none"]


def items(n):
    return b'{"items":[%s]}' % b",".join(b'{"id":%d}' % i for i in range(n))


def test_for_each_keeps_order_and_its_bounds(gatherd, upstream):
    """10,000 items, 50 at a time: the upstream sees every one, never more than 50 at once."""
    up = upstream()
    up.on("/list", json_reply(items(10000)))
    up.handler = crowd(50, json_reply(lambda r: b'{"path":"%s"}' % r.path.encode(), delay=0.002))
    d = gatherd([{**route("/all", list={"path": "/list"},
                          each={"path": "/item/{item.id}", "for_each": "{calls.list.body.items}",
                                "max_items": 10000, "parallel": 50})}],
                {"up": up.conf(pool={"max_connections": 50, "max_idle": 50})})
    before = d.memory()
    each = json.loads(d.get("/all").body)["each"]
    assert each == [{"path": "/item/%d" % n} for n in range(10000)]
    assert up.max_in_flight == 50
    assert len(up.requests) == 10001
    d.check_memory(before, 24 << 20)


def test_for_each_shares_the_calls_of_equal_items(gatherd, upstream):
    up = upstream(json_reply(lambda r: b'"%s"' % r.path.encode()))
    up.on("/list", json_reply(b'["a","b","a",null,"b"]'))
    d = gatherd([route("/x", list={"path": "/list"},
                       each={"path": "/i/{item}", "for_each": "{calls.list.body}", "distinct": True})], {"up": up})
    assert json.loads(d.get("/x").body)["each"] == ["/i/a", "/i/b", "/i/a", None, "/i/b"]
    assert sorted(paths(up)) == ["/i/a", "/i/b", "/list"]


def test_too_many_items(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    up.on("/list", json_reply(b"[1,2,3]"))
    each = {"path": "/i/{item}", "for_each": "{calls.list.body}", "max_items": 2}
    d = gatherd([route("/no", list={"path": "/list"}, each=each),
                 route("/first", list={"path": "/list"}, each={**each, "truncate": True})], {"up": up})
    expect.is_problem(d.get("/no"), 502, "too_many_items", call="each")
    assert d.get("/first").body == b'{"list":[1,2,3],"each":[1,1]}'


def test_a_failed_item_is_null_or_its_default(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    up.on("/list", json_reply(b"[1,2,3]"))
    up.on("/i/2", json_reply(b"", status=500))
    each = {"path": "/i/{item}", "for_each": "{calls.list.body}"}
    d = gatherd([route("/strict", list={"path": "/list"}, each=each),
                 route("/null", list={"path": "/list"}, each={**each, "required": False}),
                 route("/default", list={"path": "/list"}, each={**each, "default": {"n": 0}})], {"up": up})
    expect.is_problem(d.get("/strict"), 502, "status_not_accepted", call="each")
    response = d.get("/null")
    expect.is_partial(response, each="status_not_accepted")
    answer = json.loads(response.body)
    assert answer["each"] == [1, None, 1] and answer["_meta"]["calls"]["each"]["items"] == 1
    assert json.loads(d.get("/default").body) == {"list": [1, 2, 3], "each": [1, {"n": 0}, 1]}


def test_the_failed_items_of_a_batch_are_counted(gatherd, upstream):
    up = upstream(json_reply(b"[1,2]"))
    up.on("/list", json_reply(b"[1,2,3,4,5,6]"))
    up.on("/i/3%2C4", json_reply(b"", status=500))
    each = {"path": "/i/{items}", "for_each": "{calls.list.body}", "batch": {"max": 2}, "required": False}
    d = gatherd([route("/x", list={"path": "/list"}, each=each),
                 {**route("/lines", list={"path": "/list"}, each=each), "format": "ndjson"}], {"up": up})
    answer = json.loads(d.get("/x").body)
    assert answer["each"] == [1, 2, None, None, 1, 2]
    assert answer["_meta"]["calls"]["each"]["items"] == 2
    assert json.loads(d.get("/lines").body.splitlines()[-1]) == {"complete": False}


def test_the_error_of_one_item_is_passed_on(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    up.on("/list", json_reply(b"[1,2,3]"))
    up.on("/i/2", json_reply(b"<gone>", status=410, content_type="text/x"))
    each = {"path": "/i/{item}", "for_each": "{calls.list.body}", "pass_errors": "4xx", "parallel": 1}
    d = gatherd([route("/x", list={"path": "/list"}, each=each)], {"up": up})
    response = d.get("/x")
    assert (response.status, response.body, response.header("Content-Type")) == (410, b"<gone>", "text/x")
    assert paths(up) == ["/list", "/i/1", "/i/2"]


def test_nothing_starts_after_the_route_has_timed_out(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    up.on("/slow", lambda conn: conn.wait_for_eof())
    d = gatherd([{**route("/x", a={"path": "/slow", "required": False},
                          b={"path": "/b", "after": ["a"], "required": False}), "timeout": "200ms"}], {"up": up})
    expect.is_partial(d.get("/x"), a="timeout", b="timeout")
    assert paths(up) == ["/slow"]


def test_results_go_back_into_the_elements_they_came_from(gatherd, upstream):
    up = upstream(json_reply(lambda r: b'{"name":"%s"}' % r.path.encode()))
    up.on("/orders", json_reply(b'[ {"id": 1, "product_id":5},{"id":2},{"id":3,"product_id":6} ]'))
    d = gatherd([route("/x", orders={"path": "/orders"},
                       products={"path": "/p/{item}", "for_each": "{calls.orders.result[].product_id}",
                                 "required": False, "into": "orders[].product"})], {"up": up})
    assert d.get("/x").body == (b'{"orders":[ {"id": 1, "product_id":5,"product":{"name":"/p/5"}},'
                                b'{"id":2,"product":null},{"id":3,"product_id":6,"product":{"name":"/p/6"}} ]}')


def test_batches_fold_items_into_fewer_calls(gatherd, upstream):
    def answer(request):
        ids = [int(i) for i in request.query.split("=")[1].replace("%2C", ",").split(",")]
        chosen = [i for i in reversed(ids) if i != 4]
        return json.dumps([{"id": i, "name": "n%d" % i} for i in chosen]).encode()
    up = upstream(json_reply(answer))
    up.on("/list", json_reply(b"[0,1,2,3,4,5,6]"))
    up.on("/positional", json_reply(lambda r: b"[%s]" % b",".join(b'"%d"' % n for n in json.loads(r.body)["ids"])))
    each = {"for_each": "{calls.list.body}", "batch": {"max": 3, "match": "id"}, "required": False}
    d = gatherd([route("/match", list={"path": "/list"}, each={**each, "path": "/products?ids={items}"}),
                 route("/position", list={"path": "/list"},
                       each={**each, "path": "/positional", "method": "POST", "json": {"ids": "{items}"},
                             "batch": {"max": 4}}),
                 route("/strict", list={"path": "/list"},
                       each={**each, "path": "/positional", "method": "POST", "json": {"ids": "{items}"},
                             "batch": {"max": 4}, "required": True})], {"up": up})
    names = json.loads(d.get("/match").body)["each"]
    assert names == [{"id": i, "name": "n%d" % i} if i != 4 else None for i in range(7)]
    assert len([p for p in paths(up) if p.startswith("/products")]) == 3
    assert json.loads(d.get("/position").body)["each"] == [str(i) for i in range(7)]
    up.on("/positional", json_reply(b"[1]"))
    expect.is_problem(d.get("/strict"), 502, "batch_mismatch", call="each")


def test_a_batch_matches_texts_whatever_their_escapes(gatherd, upstream):
    up = upstream()
    up.on("/list", json_reply(rb'["a","b\u0062","a",7,"c\\d",{"x":1},"none"]'))
    up.on("/batch", json_reply(rb'[{"id":"c\u005cd","n":1},{"id":"bb","n":2},{"id":"a","n":3},{"n":9},{"id":"7","n":4},'
                               rb'{"id":"other"},5,{"id":{"x":1},"n":6},{"id":"a","n":7}]'))
    each = {"path": "/batch", "method": "POST", "json": "{items}", "for_each": "{calls.list.body}",
            "batch": {"max": 10, "match": "id"}, "required": False}
    d = gatherd([route("/x", list={"path": "/list"}, each=each)], {"up": up})
    found = json.loads(d.get("/x").body)["each"]
    assert [item and item["n"] for item in found] == [7, 2, 7, 4, 1, 6, None]


@pytest.mark.alone
def test_a_large_batch_does_not_stop_the_loop(gatherd, upstream):
    """10,000 items against 10,000 elements: no pair is looked at."""
    names = ["item%d" % n for n in range(10000)]
    up = upstream()
    up.on("/list", json_reply(json.dumps(names).encode()))
    up.on("/batch", json_reply(json.dumps([{"id": name} for name in reversed(names)]).encode()))
    each = {"path": "/batch", "method": "POST", "json": "{items}", "for_each": "{calls.list.body}", "max_items": 10000,
            "batch": {"max": 10000, "match": "id"}}
    d = gatherd([route("/x", list={"path": "/list"}, each=each)], {"up": up})
    assert json.loads(d.get("/x").body)["each"] == [{"id": name} for name in names]
    wait.until(lambda: seconds_of(d, "/x") < 1, "an answer within a second, as soon as the machine is free")


def test_any_acceptable_answer_wins_and_the_others_are_cancelled(gatherd, upstream):
    left = threading.Event()

    def slow(conn):
        if conn.wait_for_eof():
            left.set()
    up = upstream(json_reply(b"1"))
    up.on("/slow", slow)
    up.on("/bad", json_reply(b"", status=500))
    d = gatherd([{**route("/any", bad={"path": "/bad"}, slow={"path": "/slow"}, good={"path": "/good"}), "need": "any"},
                 {**route("/two", a={"path": "/a"}, bad={"path": "/bad"}, b={"path": "/b"}), "need": 2},
                 {**route("/none", a={"path": "/bad"}, b={"path": "/bad"}), "need": "any"}], {"up": up})
    assert d.get("/any").body == b'{"good":1}'
    assert left.wait(wait.PATIENCE)
    assert d.get("/two").body == b'{"a":1,"b":1}'
    response = d.get("/none")
    expect.is_problem(response, 502, "status_not_accepted", call=response.json()["call"])


def test_a_default_is_no_success(gatherd, upstream):
    up = upstream(json_reply(b"1", delay=0.05))
    up.on("/bad", json_reply(b"", status=500))
    bad, skipped = {"path": "/bad", "default": 0}, {"path": "/skipped", "when": "false", "default": 2}
    d = gatherd([{**route("/any", bad=bad, skipped=skipped, good={"path": "/good"}), "need": "any"},
                 {**route("/none", bad=bad, skipped=skipped), "need": "any"}], {"up": up})
    assert d.get("/any").body == b'{"bad":0,"skipped":2,"good":1}'
    expect.is_problem(d.get("/none"), 502, "status_not_accepted", call="bad")


def test_an_error_that_may_pass_is_the_answer_when_too_few_are_left(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    up.on("/none", json_reply(b'{"error":"none"}', status=404))
    up.on("/slow", json_reply(b'{"error":"slow"}', status=500, delay=0.05))
    none = {"path": "/none", "pass_errors": 404}
    d = gatherd([{**route("/both", slow={"path": "/slow"}, a=none, b={**none, "path": "/none?b"}), "need": "any"},
                 {**route("/one", a=none, b={"path": "/good"}), "need": "any"}], {"up": up})
    answer = d.get("/both")
    assert (answer.status, answer.body) == (404, b'{"error":"none"}')
    assert d.get("/one").body == b'{"b":1}'


def test_a_default_has_the_type_of_what_it_stands_for(gatherd, upstream):
    up = upstream(json_reply(lambda r: r.body or b"1"))
    json_body = {"n": "{body.n|0}", "list": "{body.list|[]}", "null": "{body.x|null}", "text": "{body.t|a b}",
                 "there": "{body.there|0}", "ids": "{query.id[]|[1]}", "query": "{query.n|0}", "in": "n={body.n|0}"}
    d = gatherd([{**route("/json", a={"path": "/a", "method": "POST", "json": json_body}), "methods": ["POST"]},
                 {**route("/body", a={"path": "/a", "required": False}), "response": {"body": "{calls.a.body.x|[]}"}},
                 route("/status", a={"path": "/a"}, b={"path": "/b", "method": "POST", "json": {
                     "status": "{calls.a.status}", "text": "{calls.a.status}."}}),
                 route("/each", each={"path": "/i/{item}", "for_each": "{query.id[]|[]}"}),
                 {**route("/list", each={"path": "/i/{item}", "for_each": "{body.ids|[7]}"}), "methods": ["POST"]}],
                {"up": up})
    assert d.request("/json", "POST", body=b'{"there":"x"}').body == (
        b'{"a":{"n":0,"list":[],"null":null,"text":"a b","there":"x","ids":[1],"query":"0","in":"n=0"}}')
    assert (d.get("/body").body, d.get("/body").header("Content-Type")) == (b"[]", "application/json")
    assert d.get("/status").body == b'{"a":1,"b":{"status":200,"text":"200."}}'
    assert d.get("/each").body == b'{"each":[]}' and d.get("/each?id=1").body == b'{"each":[1]}'
    for body, results in ((b"{}", b"[1]"), (b'{"ids":null}', b"[1]"), (b'{"ids":[]}', b"[]")):
        assert d.request("/list", "POST", body=body).body == b'{"each":%s}' % results


@pytest.mark.parametrize("text", [b'{"list":{"a":1}}', b'{"list":"a"}', b'{"list":5}', b'{"list":true}'])
def test_what_is_no_list_is_told_apart_from_what_is_missing(gatherd, upstream, text):
    up = upstream(json_reply(text))
    d = gatherd([{**route("/client", each={"path": "/{item}", "for_each": "{body.list}"}), "methods": ["POST"]},
                 route("/call", a={"path": "/a"}, each={"path": "/{item}", "for_each": "{calls.a.body.list}"}),
                 route("/none", a={"path": "/a"}, each={"path": "/{item}", "for_each": "{calls.a.body.none}"})], {"up": up})
    expect.is_problem(d.request("/client", "POST", body=text), 400, "bad_parameter", call="each")
    expect.is_problem(d.get("/call"), 502, "bad_result", call="each")
    expect.is_problem(d.get("/none"), 502, "missing_result", call="each")


def test_an_early_verdict_cancels_what_waits(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    up.on("/bad", json_reply(b"", status=500))
    d = gatherd([route("/x", a={"path": "/bad"}, b={"path": "/b/{calls.a.status}"})], {"up": up})
    expect.is_problem(d.get("/x"), 502, "status_not_accepted", call="a")
    assert paths(up) == ["/bad"]


def test_cookies_are_references(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    d = gatherd([route("/x", a={"path": "/a/{cookie.session}"})], {"up": up})
    assert d.get("/x", fields=[("Cookie", "a=1; session=s%1; b=2")]).status == 200
    assert paths(up) == ["/a/s%251"]


def answered(path, response, **calls):
    return {**route(path, **calls), "response": response}


def test_the_status_follows_rules(gatherd, upstream):
    up = upstream()
    up.on("/new", json_reply(b'{"n":0}', status=201))
    up.on("/list", json_reply(b'{"n":0}'))
    up.on("/bad", json_reply(b"{}", status=500))
    empty = [{"when": "{calls.a.body.n} == 0", "status": 404}, {"status": 206}]
    d = gatherd([answered("/number", {"status": 202}, a={"path": "/list"}),
                 answered("/call", {"status": "{calls.a.status}"}, a={"path": "/new"}),
                 answered("/rules", {"status": empty}, a={"path": "/list"}),
                 answered("/else", {"status": [{"when": "{calls.a.body.n} > 0", "status": 200}]}, a={"path": "/list"}),
                 answered("/partial", {"status": "{calls.b.status|none}", "partial": {"status": 207}},
                          a={"path": "/list"}, b={"path": "/bad", "required": False, "accept": "2xx"}),
                 ], {"up": up})
    assert [d.get(p).status for p in ("/number", "/call", "/rules", "/else", "/partial")] == [202, 201, 404, 200, 500]


def test_the_body_is_one_calls_bytes_or_a_text(gatherd, upstream):
    raw = b' {"b" : 1.10,\n "a": "\\u003c" } '
    up = upstream()
    up.on("/order", json_reply(raw, content_type="application/vnd.order+json"))
    d = gatherd([answered("/bytes", {"body": "{calls.a.body}"}, a={"path": "/order"}),
                 answered("/value", {"body": "{calls.a.body.b}"}, a={"path": "/order"}),
                 answered("/text", {"body": "b is {calls.a.body.b}."}, a={"path": "/order"})], {"up": up})
    response = d.get("/bytes")
    assert response.body == raw
    assert response.header("Content-Type") == "application/vnd.order+json"
    assert (d.get("/value").body, d.get("/value").header("Content-Type")) == (b"1.10", "application/json")
    assert (d.get("/text").body, d.get("/text").header("Content-Type")) == (b"b is 1.10.", "text/plain; charset=utf-8")


def test_fields_are_copied_set_and_removed(gatherd, upstream):
    up = upstream()
    up.on("/a", json_reply(b"1", fields=[("ETag", '"x"'), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"),
                                         ("Cache-Control", "public, max-age=60"), ("X-One", "a"), ("X-Two", "a"),
                                         ("Connection", "X-Hop"), ("X-Hop", "1")]))
    up.on("/b", json_reply(b"2", fields=[("Set-Cookie", "c=3"), ("Cache-Control", "private, max-age=30"),
                                         ("X-One", "b"), ("X-Secret", "s")]))
    up.on("/c", json_reply(b"3"))
    up.on("/d", json_reply(b"4", fields=[("Cache-Control", "max-age=9, no-store")]))
    calls = {n: {"path": "/" + n} for n in "abcd"}
    headers = {"copy": ["a: *", "b: *"], "remove": ["X-Secret"], "set": {"X-Two": "{calls.b.header.x-one}"}}
    d = gatherd([answered("/all", {"headers": headers}, **calls),
                 answered("/etag", {"headers": {"copy": ["a: ETag", "c: Cache-Control", "a: Cache-Control"]}}, **calls),
                 answered("/store", {"headers": {"copy": ["a: Cache-Control", "d: Cache-Control"]}}, **calls)],
                {"up": up})
    response = d.get("/all")
    assert response.all("Set-Cookie") == ["a=1", "b=2", "c=3"]
    assert response.header("Cache-Control") == "private, max-age=30"
    assert (response.header("X-One"), response.header("X-Two")) == ("a", "b")
    assert response.header("ETag") is None and response.header("X-Secret") is None and response.header("X-Hop") is None
    response = d.get("/etag")
    assert (response.header("ETag"), response.header("Cache-Control")) == ('"x"', "public, no-cache"[8:])
    assert d.get("/store").header("Cache-Control") == "no-store"


def test_details_of_errors_are_told_only_when_asked_for(gatherd, upstream):
    up = upstream(json_reply(b"1"))
    up.on("/bad", json_reply(b'out of "stock"' + b"x" * 2000, status=409))
    bad = {"path": "/bad", "required": False}
    d = gatherd([answered("/plain", {}, a={"path": "/a"}, b=bad),
                 answered("/detail", {"errors": "detail"}, a={"path": "/a"}, b=bad),
                 answered("/failed", {"errors": "detail"}, b={"path": "/bad"})], {"up": up})
    assert set(json.loads(d.get("/plain").body)["_meta"]["calls"]["b"]) == {"error", "ms"}
    detail = json.loads(d.get("/detail").body)["_meta"]["calls"]["b"]
    assert detail["status"] == 409 and detail["body"].startswith('out of "stock"x') and len(detail["body"]) == 1024
    problem = expect.is_problem(d.get("/failed"), 502, "status_not_accepted", call="b")
    assert problem["upstream"]["status"] == 409


def test_what_a_request_must_have(gatherd, upstream):
    up = upstream(json_reply(lambda r: r.body or b"1"))
    request = {"require": {"query": {"q": "^[a-z]+$", "page": ""}, "headers": {"X-Version": "^2\\."}}}
    d = gatherd([{**route("/x", a={"path": "/a"}), "request": request},
                 {**route("/body", a={"path": "/a", "method": "POST", "json": "{body}"}), "methods": ["POST"],
                  "request": {"body": {"required": True}}},
                 route("/many", a={"path": "/a", "method": "POST",
                                   "json": {"ids": "{query.id[]}", "text": "{query.id[]}!"}},
                       each={"path": "/i/{item}", "for_each": "{query.id[]}"})], {"up": up})
    good = [("X-Version", "2.1")]
    assert d.get("/x?q=abc&page", fields=good).status == 200
    for target, fields, reason in (("/x?page=1", good, "missing_reference"), ("/x?q=abc", good, "missing_reference"),
                                   ("/x?q=A&page=1", good, "bad_parameter"),
                                   ("/x?q=a&q=B&page=1", good, "bad_parameter"),
                                   ("/x?q=a%00B&page=1", good, "bad_parameter"),
                                   ("/x?q=abc&page=1", [], "missing_reference"),
                                   ("/x?q=abc&page=1", [("X-Version", "1.2.")], "bad_parameter")):
        problem = expect.is_problem(d.get(target, fields=fields), 400, reason)
        assert '"' in problem["detail"], problem
    assert d.get("/body", method="POST", body=b'{"a":1}').body == b'{"a":{"a":1}}'
    expect.is_problem(d.get("/body", method="POST", body=b"{"), 400, "bad_body")
    expect.is_problem(d.get("/body", method="POST"), 400, "bad_body")
    assert d.get("/many?id=1&id=a%20b&x=0").body == (b'{"a":{"ids":["1","a b"],"text":"1,a b!"},'
                                                     b'"each":[1,1]}')


def test_a_client_that_has_the_answer_gets_304(gatherd, upstream):
    up = upstream()
    up.on("/a", json_reply(b"1", fields=[("ETag", '"v1"')]))
    d = gatherd([answered("/x", {"headers": {"copy": ["a: ETag"]}}, a={"path": "/a"})], {"up": up})
    assert d.get("/x").status == 200
    for tag in ('"v1"', 'W/"v1"', '"v0", "v1"', "*"):
        response = d.get("/x", fields=[("If-None-Match", tag)])
        assert (response.status, response.body, response.header("ETag")) == (304, b"", '"v1"'), tag
    assert d.get("/x", fields=[("If-None-Match", '"v2"')]).status == 200
    assert d.get("/x", method="HEAD", fields=[("If-None-Match", '"v1"')]).status == 304


def test_the_permits_of_the_upstream_hold_for_every_item(gatherd, upstream):
    up = upstream(crowd(3, json_reply(b"1", delay=0.02)))
    up.on("/list", json_reply(b"[%s]" % b",".join(b"%d" % n for n in range(30))))
    d = gatherd([{**route("/x", list={"path": "/list"},
                          each={"path": "/i/{item}", "for_each": "{calls.list.body}", "parallel": 10})}],
                {"up": up.conf(concurrency={"limit": 3}, queue={"size": 100})})
    assert json.loads(d.get("/x").body)["each"] == [1] * 30
    assert up.max_in_flight == 3


@pytest.mark.sanitize
def test_what_an_error_tells_is_of_the_item_that_failed(gatherd, upstream):
    """The first item's answer was there, and is given back before the second one's request cannot be written."""
    up = upstream(json_reply(b'[{"x":1},{"y":2}]'))
    up.on("/item", json_reply(b'"' + b"z" * 100000 + b'"'))
    d = gatherd([{**route("/x", list={"path": "/list"},
                          each={"for_each": "{calls.list.body}", "parallel": 1, "path": "/item",
                                "query": {"x": "{item.x}"}, "required": True}),
                  "response": {"errors": "detail"}}], {"up": up})
    response = d.get("/x")
    expect.is_problem(response, 502, "missing_result", call="each")
    assert b"zzz" not in response.body


def test_items_that_are_never_sent_took_no_time(gatherd, upstream):
    up = upstream(json_reply(b"[{}]"))
    d = gatherd([route("/x", list={"path": "/list"},
                       each={"for_each": "{calls.list.body}", "path": "/{item.x}", "required": False})], {"up": up})
    assert expect.is_partial(d.get("/x"), each="missing_result")["each"] == [None]
    assert d.metric("gatherd_call_seconds_sum", call="each") < 5


def test_the_answer_can_be_the_results_of_a_for_each(gatherd, upstream):
    up = upstream(json_reply(b"[1,2]"))
    up.on("/item", json_reply(b'{"v":1}'))
    d = gatherd([{**route("/x", list={"path": "/list"}, each={"for_each": "{calls.list.body}", "path": "/item"}),
                  "response": {"body": "{calls.each.body}"}}], {"up": up})
    assert d.get("/x").body == b'[{"v":1},{"v":1}]'


def test_more_calls_than_permits_take_turns(gatherd, upstream):
    """Nobody waits for a permit with another of the same upstream in hand: not one request, not two."""
    up = upstream(crowd(2, json_reply(b"1", delay=0.01)))
    d = gatherd([route("/x", **{n: {"path": "/" + n} for n in "abc"})],
                {"up": up.conf(concurrency={"limit": 2}, queue={"size": 100})}, workers=2)
    statuses = []

    def ask():
        with d.client() as client:
            for _ in range(5):
                statuses.append(client.request("/x").status)
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 40
    assert up.max_in_flight == 2


def test_a_batch_answer_that_repeats_itself_costs_no_more_than_its_size(gatherd, upstream):
    """Every element matches every item: what is kept of them is one, and it is found without comparing all pairs."""
    up = upstream(json_reply(b"[" + b",".join([b"7"] * 10000) + b"]"))
    up.on("/items", json_reply(b"[" + b",".join([b'{"id":7,"n":%d}' % n for n in range(30000)]) + b"]"))
    d = gatherd([route("/x", list={"path": "/list"},
                       each={"for_each": "{calls.list.body}", "batch": {"max": 10000, "match": "id"}, "path": "/items",
                             "method": "POST", "json": {"ids": "{items}"}, "max_items": 10000, "into": "each"})], {"up": up})
    before = d.memory()
    response = d.get("/x")
    assert json.loads(response.body)["each"] == [{"id": 7, "n": 29999}] * 10000
    wait.until(lambda: seconds_of(d, "/x") < 2, "an answer within two seconds, as soon as the machine is free")
    d.check_memory(before, 20 << 20)


@pytest.mark.sanitize
def test_results_over_the_budget_end_the_for_each(gatherd, upstream):
    """What an exchange may take is known; a for_each stops when its results do not fit, not when all are there."""
    up = upstream(json_reply(b"[" + b",".join([b"1"] * 1000) + b"]"))
    up.on("/item", json_reply(b'"' + b"z" * 1000000 + b'"'))
    d = gatherd([route("/x", list={"path": "/list"},
                       each={"for_each": "{calls.list.body}", "path": "/item", "max_items": 1000, "required": False})],
                {"up": up})
    assert d.get("/x").status >= 500
    assert len(up.requests) < 50


@pytest.mark.sanitize
@pytest.mark.alone
def test_hundreds_of_thousands_of_items_need_room_that_max_body_gives(gatherd, upstream):
    n = 300000
    up = upstream(json_reply(lambda r: r.body)).on("/list", json_reply(json.dumps(list(range(n))).encode()))
    each = {"path": "/echo", "method": "POST", "json": "{items}", "for_each": "{calls.list.body}", "max_items": n,
            "batch": {"max": 10000}}
    listed = {"path": "/list", "max_body": "3MiB"}
    d = gatherd([route("/small", list=listed, each={**each, "max_body": "200KiB"}),
                 route("/large", list=listed, each={**each, "max_body": "32MiB"})], {"up": up})
    problem = expect.is_problem(d.get("/small"), 502, "budget")
    assert "max_body" in problem["detail"]
    assert d.get("/large").json()["each"] == list(range(n))
    assert d.memory() < 120 << 20


def test_what_another_call_said_cannot_leave_its_place(gatherd, upstream):
    """Slashes, dots, percent signs and line ends of upstreams: encoded, or the call is not sent; nobody blames the client."""
    said = {"../../a": "..%2F..%2Fa", "%2e%2e": "%252e%252e", "a?b=c#d&e": "a%3Fb%3Dc%23d%26e", "//h/": "%2F%2Fh%2F",
            "..": None, ".": None, "a\r\nX: y": None, "a\0b": None}
    up = upstream(json_reply(b"1"))
    up.on("/said", json_reply(lambda r: json.dumps({"v": list(said)[int(r.query)]})))
    first = {"path": "/said?{query.i}"}
    d = gatherd([route("/path", a=first, b={"path": "/p/{calls.a.body.v}"}),
                 route("/query", a=first, b={"path": "/p?x={calls.a.body.v}&y"}),
                 route("/field", a=first, b={"path": "/f", "headers": {"X-V": "{calls.a.body.v}"}}),
                 {**route("/set", a=first), "response": {"headers": {"set": {"X-V": "{calls.a.body.v}"}}}}], {"up": up})
    for i, (value, segment) in enumerate(said.items()):
        is_field = not {"\r", "\0"} & set(value)
        if segment is None:
            expect.is_problem(d.get("/path?i=%d" % i), 502, "bad_result", call="b")
        else:
            assert d.get("/path?i=%d" % i).status == 200 and paths(up)[-1] == "/p/" + segment
        assert d.get("/query?i=%d" % i).status == 200
        assert paths(up)[-1].split("=", 1)[1] in [quote(value, safe="~-._") + "&y"]
        assert d.get("/field?i=%d" % i).status == (200 if is_field else 502)
        assert d.get("/set?i=%d" % i).header("X-V") == (value if is_field else None)

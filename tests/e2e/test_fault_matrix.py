"""Every way in which a call can fail, at every place of a graph, under every policy.

A model of a few lines says what comes of it: status, body, `_meta`, and what reached the upstreams.
"""
import collections
import concurrent.futures
import itertools
import random
import re
import threading

import pytest
from harness import expect, ports
from harness.upstream import json_reply, raw

pytestmark = pytest.mark.sanitize
OK = b'{"n":1}'
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

# A way to fail: its reason, the status that it gives an answer, what the upstream does, what the call has beside that.
Kind = collections.namedtuple("Kind", "reason status handler call", defaults=[None, {}])
KINDS = {
    "refused": Kind("connect_refused", 502, None, {"upstream": "closed"}),
    "reset": Kind("reset", 502, raw(then="reset")),
    "closed": Kind("reset", 502, raw(then="close")),
    "truncated": Kind("reset", 502, raw(HEAD + "Content-Length: 100\r\n\r\n{", then="close")),
    "silent": Kind("timeout", 504, raw(then="hang"), {"timeout": "100ms"}),
    "stalled": Kind("timeout", 504, raw(HEAD + "Content-Length: 100\r\n\r\n{", then="hang"), {"timeout": "100ms"}),
    "nonsense": Kind("invalid_response", 502, raw("nonsense\r\n\r\n")),
    "head": Kind("response_head_too_large", 502, raw(HEAD + "X: %s\r\n\r\n" % ("x" * 20000), then="hang")),
    "404": Kind("status_not_accepted", 502, json_reply(b'{"error":"none"}', 404)),
    "500": Kind("status_not_accepted", 502, json_reply(b"broken", 500, content_type="text/plain")),
    "redirect": Kind("status_not_accepted", 502, json_reply(b"", 302, [("Location", "/")])),
    "json": Kind("invalid_body", 502, json_reply(b'{"n":1')),
    "duplicate": Kind("invalid_body", 502, json_reply(b'{"n":1,"n":2}')),
    "large": Kind("response_too_large", 502, json_reply(b'"%s"' % (b"x" * 200)), {"max_body": "100B"}),
    "shape": Kind("shape_mismatch", 502, json_reply(b'{"m":1,"k":2}'), {"rename": {"m": "x", "k": "x"}}),
    "missing": Kind("missing_reference", 400, None, {"path": "/{query.none}"}),
    "full": Kind("queue_full", 503, None, {"upstream": "full"}),
}
UNSENT = {"refused", "missing", "full"}

# What each of three calls refers to; the order of the file is one in which they can start.
GRAPHS = {
    "flat": {"a": "", "b": "", "c": ""},
    "chain": {"a": "", "b": "a", "c": "b"},
    "fork": {"a": "", "b": "a", "c": "a"},
    "join": {"a": "", "b": "", "c": "ab"},
}
POLICIES = ("required", "optional", "loose", "default", "passed")
Case = collections.namedtuple("Case", "id graph victim policy")
CASES = [Case("%s-%s-%s" % each, *each) for each in itertools.product(GRAPHS, "abc", POLICIES)]


def as_shown(body):
    return re.sub(rb'"ms":\d+', b'"ms":0', body)


def after(graph, name):
    """The calls that need this one, directly or not."""
    found = set()
    for each, needs in graph.items():
        if name in needs or found & set(needs):
            found.add(each)
    return found


def route_of(case, kind):
    """The route of a case. Paths begin with its id, so that many cases can run at once."""
    graph, calls = GRAPHS[case.graph], {}
    for name, needs in graph.items():
        default = "|0" if case.policy == "loose" else ""
        calls[name] = {"upstream": "up", "path": "/%s/%s" % (case.id, name),
                       "query": {each: "{calls.%s.result.n%s}" % (each, default) for each in needs}}
        if case.policy == "optional" and name in after(graph, case.victim):
            calls[name]["required"] = False
    victim = calls[case.victim]
    victim["path"] = "/%s/%s/fail" % (case.id, case.victim)
    victim.update(kind.call)
    if case.policy in ("optional", "loose"):
        victim["required"] = False
    elif case.policy == "default":
        victim["default"] = {"n": 9}
    elif case.policy == "passed":
        victim["pass_errors"] = ["3xx", "4xx", "5xx"]
    return {"path": "/" + case.id, "calls": calls}


def model(case, kind):
    """What each call has come to: a part, or the reason why there is none; and what it was asked."""
    parts, asked = {}, {}
    for name, needs in GRAPHS[case.graph].items():
        seen = [parts[each].get("n") for each in needs]
        if None in seen and case.policy != "loose":
            parts[name] = {"error": "missing_result"}
            continue
        asked[name] = "&".join("%s=%d" % (each, n or 0) for each, n in zip(needs, seen))
        parts[name] = {"n": 1}
        if name == case.victim:
            parts[name] = {"n": 9} if case.policy == "default" else {"error": kind.reason}
    return parts, asked


def document(parts):
    """The merged answer of such parts."""
    members = ['"%s":{"n":%d}' % (name, part["n"]) for name, part in parts.items() if "n" in part]
    failed = ['"%s":{"error":"%s","ms":0}' % (name, part["error"]) for name, part in parts.items() if "error" in part]
    if failed:
        members.append('"_meta":{"complete":false,"calls":{%s}}' % ",".join(failed))
    return ("{%s}" % ",".join(members)).encode()


def serve(conn):
    """/CASE/NAME and /CASE/NAME/fail"""
    kind = conn.upstream.kind if conn.request.path.endswith("/fail") else None
    if kind is None:
        conn.reply(OK)
    else:
        kind.handler(conn)


def reached(up, case):
    """What each call of the case was asked, by name; each at most once."""
    found = {}
    for request in up.requests:
        if request.path.split("/")[1] == case.id:
            assert request.path.split("/")[2] not in found, request.target
            found[request.path.split("/")[2]] = request.query
    return found


def check_required(case, name, kind, answer, asked, seen):
    graph = GRAPHS[case.graph]
    if case.policy == "passed" and kind.reason == "status_not_accepted":
        assert answer.status in (302, 404, 500) and answer.body in (b"", b'{"error":"none"}', b"broken"), answer
    else:
        expect.is_problem(answer, kind.status, kind.reason, call=case.victim)
    never = after(graph, case.victim) | ({case.victim} if name in UNSENT else set())
    assert not seen.keys() & never
    if name in ("missing", "full") and not graph[case.victim]:
        assert not seen, "what cannot be done is refused before the first call"
    for each, query in seen.items():
        assert query == asked[each]
    for each in graph:
        assert case.victim not in after(graph, each) or each in seen


def check(case, name, answer, up):
    kind, seen = KINDS[name], reached(up, case)
    parts, asked = model(case, kind)
    if case.policy in ("required", "passed"):
        check_required(case, name, kind, answer, asked, seen)
        return
    assert answer.status == 200
    assert as_shown(answer.body) == document(parts)
    missing = [each for each, part in parts.items() if "error" in part]
    assert re.findall(r'details="(\w+)"', ",".join(answer.all("Proxy-Status"))) == missing
    if name in UNSENT:
        asked.pop(case.victim, None)
    assert seen == asked


@pytest.fixture
def rig(gatherd, upstream):
    """Starts a daemon whose upstreams are one that serves, one that is at its limit and one that is not there."""
    released, closed = threading.Event(), ports.Port()
    clients = []

    def start(name, routes):
        up = upstream(serve)
        up.kind = KINDS[name]
        full = upstream(lambda conn: released.wait())
        hold = {"path": "/hold", "calls": {"hold": {"upstream": "full", "path": "/hold"}}}
        pool = {"max_requests": 1}  # an answer that never begins is then told from a connection that had died
        d = gatherd([*routes, hold], {
            "up": up.conf(pool=pool), "closed": {"servers": ["http://127.0.0.1:%d" % closed.number]},
            "full": full.conf(concurrency={"limit": 1}, queue={"size": 0})})
        clients.append(d.client())
        clients[0].write_request("/hold")
        full.wait_requests(1)
        return d, up
    yield start
    released.set()
    for client in clients:
        client.close()
    closed.release()


@pytest.mark.parametrize("name", KINDS)
def test_each_failure_at_each_place_under_each_policy(rig, name):
    d, up = rig(name, [route_of(case, KINDS[name]) for case in CASES])
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda case: d.get("/" + case.id), CASES))
    for case, answer in zip(CASES, answers):
        try:
            check(case, name, answer, up)
        except AssertionError as failure:
            raise AssertionError("%s %s: %s\n%r" % (name, case.id, failure, answer)) from failure


@pytest.mark.parametrize("name", sorted(set(KINDS) - UNSENT))
def test_each_failure_of_one_item(rig, name):
    kind = KINDS[name]

    def route(path, **policy):
        each = {"upstream": "up", "path": path + "/{item}", "for_each": "{body.items}", **kind.call, **policy}
        return {"path": path, "methods": ["POST"], "calls": {"each": each}}

    d, up = rig(name, [route("/required"), route("/optional", required=False), route("/default", default={"n": 9})])

    def ask(path):
        return d.request(path, "POST", body=b'{"items":["1","fail","3"]}')
    expect.is_problem(ask("/required"), kind.status, kind.reason, call="each")
    said = '{"each":[{"n":1},null,{"n":1}],"_meta":{"complete":false,"calls":{"each":{"error":"%s","ms":0,"items":1}}}}'
    assert as_shown(ask("/optional").body) == (said % kind.reason).encode()
    assert ask("/default").body == b'{"each":[{"n":1},{"n":9},{"n":1}]}'
    paths = collections.Counter(r.path for r in up.requests)
    assert all(paths["/%s/%s" % (policy, item)] == 1 for policy in ("optional", "default") for item in ("1", "fail", "3"))
    assert max(paths.values()) == 1


@pytest.mark.parametrize("name", KINDS)
def test_each_failure_under_a_quorum(rig, name):
    cases = [(need, failing) for need in ("any", 2, 3) for n in range(4) for failing in itertools.combinations("abc", n)]

    def route(need, failing):
        calls = {each: {"upstream": "up", "path": "/x/" + each} for each in "abc"}
        for each in failing:
            calls[each].update({"path": "/x/fail", **KINDS[name].call})
        return {"path": "/%s/%s" % (need, "".join(failing) or "none"), "need": need, "calls": calls}

    routes = [route(*case) for case in cases]
    d, _ = rig(name, routes)
    for (need, failing), each in zip(cases, routes):
        answer, need = d.get(each["path"]), 1 if need == "any" else need
        if len(failing) + need > 3:
            assert answer.json()["call"] in failing
            expect.is_problem(answer, KINDS[name].status, KINDS[name].reason, call=answer.json()["call"])
        else:
            parts = expect.is_json(answer)
            assert len(parts) == need and not parts.keys() & set(failing), (need, failing, answer)


# ---- large graphs

def random_graph(chooser, count):
    """Calls that refer to earlier ones; some fail, and those have a default or may be missing."""
    calls = {}
    for i in range(count):
        needs = chooser.sample(sorted(calls), min(i, chooser.randrange(4)))
        calls["c%d" % i] = {"needs": needs, "fails": chooser.random() < 0.15, "policy": chooser.choice(["default", "loose"])}
    return calls


def large_route(path, graph):
    calls = {}
    for name, call in graph.items():
        calls[name] = {"upstream": "up", "path": "/x/%s%s" % (name, "/fail" if call["fails"] else ""),
                       "query": {each: "{calls.%s.result.n|0}" % each for each in call["needs"]}}
        if call["policy"] == "default":
            calls[name]["default"] = {"n": 9}
        else:
            calls[name]["required"] = False
    return {"path": path, "calls": calls}


@pytest.mark.parametrize("seed", range(8))
def test_graphs_of_fifty_calls(rig, seed):
    graph = random_graph(random.Random(seed), 50)
    d, up = rig("500", [large_route("/graph", graph)])
    parts = {}
    for name, call in graph.items():
        default = {"n": 9} if call["policy"] == "default" else {"error": "status_not_accepted"}
        parts[name] = default if call["fails"] else {"n": 1}
    answer = d.get("/graph")
    assert answer.status == 200
    assert as_shown(answer.body) == document(parts)
    asked = {r.path.split("/")[2]: r.query for r in up.requests}
    assert len(up.requests) == len(graph)
    for name, call in graph.items():
        assert asked[name] == "&".join("%s=%d" % (each, parts[each].get("n", 0)) for each in call["needs"])


def test_a_quorum_that_skipped_calls_cannot_meet(gatherd, upstream):
    up = upstream(json_reply(OK))
    calls = {name: {"upstream": "up", "path": "/" + name} for name in "ab"}
    calls["b"]["when"] = "{query.b} == 1"
    d = gatherd([{"path": "/", "need": 2, "calls": calls}], {"up": up})
    assert len(expect.is_json(d.get("/?b=1"))) == 2
    expect.is_problem(d.get("/"), 502, "too_few_calls", call="b")

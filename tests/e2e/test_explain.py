"""`gatherd explain`: what it says of a request is what the daemon does with it."""
import re

import pytest
import yaml
from harness import daemon, recipes, tls
from harness.upstream import json_reply

pytestmark = pytest.mark.sanitize

CONF = """\
version: 1
listeners: { public: { address: "127.0.0.1:0" } }
defaults: { call: { timeout: 800ms } }
upstreams:
  a: { servers: [ "http://a.example:8080" ], timeouts: { total: 3s } }
  b: { servers: [ "http://127.0.0.1:9" ], concurrency: { limit: 5 } }
routes:
  - path: /users/{id}
    methods: [ GET, POST ]
    timeout: 2s
    calls:
      user: { upstream: a, path: "/users/{id}" }
      orders: { upstream: b, path: "/orders/{calls.user.body.id}", query: { n: "{query.n}" } }
      prices:
        upstream: b
        path: "/prices?ids={items.id}"
        for_each: "{calls.orders.body.items}"
        max_items: 100
        batch: { max: 15, match: id }
        when: "{query.n} > 1"
      side: { upstream: b, required: false, path: /side, timeout: 100ms }
  - { path: "/files/{rest...}", proxy: { upstream: a, path: "/f/{rest}" } }
  - { path: /hello, reply: { json: { hello: world } } }
  - { path: "/live/{room}/socket", proxy: { upstream: a, upgrade: [ websocket, tcp ], tunnel: { idle_timeout: 1m } } }
"""


@pytest.fixture
def explain(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text(CONF)

    def run(*words):
        ran = daemon.run("explain", *words, "-c", str(path))
        assert not ran.stderr, ran.stderr
        return ran.returncode, ran.stdout.replace(str(path), "conf.yaml")
    return run


def test_the_route_with_its_parameters_and_places(explain):
    status, text = explain("GET", "/users/4%2F2?n=5")
    assert status == 0
    assert text.startswith("route /users/{id}  conf.yaml:8\n  {id} = 4%2F2\n"
                           "  timeout        2s          conf.yaml:10  routes[0].timeout\n")
    assert re.search(r"^  timeout +800ms +conf.yaml:3  defaults.call.timeout$", text, re.M)
    assert re.search(r"^  total +3s +conf.yaml:5  upstreams.a.timeouts.total$", text, re.M)
    assert re.search(r"^  at once +5 +conf.yaml:6  upstreams.b.concurrency.limit$", text, re.M)
    assert re.search(r"^  timeout +100ms +conf.yaml:21  routes\[0\].calls.side.timeout$", text, re.M)
    assert re.search(r"^  connect +1s +built-in$", text, re.M)
    assert "  servers        url: http://a.example:8080, weight: 1  conf.yaml:5  upstreams.a.servers\n" in text


def test_the_graph_has_waves_and_a_critical_path(explain):
    _, text = explain("GET", "/users/1?n=5")
    rows = re.findall(r"^ +(\d)  ([* ]) (\w+) +\|( *)([=#]+) *\| +(\d+) ms(.*)$", text, re.M)
    assert [(r[0], r[1], r[2], r[5], r[6].strip()) for r in rows] == [
        ("1", "*", "user", "800", ""), ("1", " ", "side", "100", ""),
        ("2", "*", "orders", "800", "after user"), ("3", "*", "prices", "800", "after orders")]
    assert len(rows[2][3]) == len(rows[0][4]), "orders begins where user ends"
    assert "the route's timeout ends it after 2s" in text


def test_references_to_answers_stay_and_the_rest_is_filled_in(explain):
    _, text = explain("GET", "/users/1?n=5")
    assert "  > GET /users/1 HTTP/1.1\n  > Host: a.example:8080\n" in text
    assert "  > GET /orders/{calls.user.body.id}?n=5 HTTP/1.1\n" in text
    assert "  > GET /prices?ids={items.id} HTTP/1.1\n" in text
    assert "only when {query.n} > 1: holds\n" in text and "at most 7 requests such as\n" in text
    assert "\nworst case\n  10 requests to upstreams\n" in text
    assert re.search(r"^  \d+ bytes per exchange$", text, re.M)


def test_what_cannot_be_sent_is_told(explain):
    _, text = explain("GET", "/users/1")
    assert "  is not sent: missing_reference: " in text
    assert "  > GET /orders/{calls.user.body.id}?n={query.n} HTTP/1.1\n" in text
    assert "only when {query.n} > 1: does not hold: it is skipped\n" in text


def test_no_route_names_the_nearest(explain):
    status, text = explain("GET", "/helo")
    assert status == 1
    assert text.startswith("answer: 404 no_route: ")
    assert "the nearest routes:\n  /hello  GET  conf.yaml:23\n" in text


def test_another_method_names_the_routes_of_the_path(explain):
    status, text = explain("DELETE", "/users/1")
    assert status == 1
    assert text.startswith("answer: 405 method_not_allowed: ") and "\nAllow: GET, HEAD, POST\n" in text
    assert text.endswith("routes of this path:\n  /users/{id}  GET, POST  conf.yaml:8\n")


@pytest.mark.parametrize("words, reason", [
    (["GET", "no-slash"], "400 bad_target"), (["G T", "/hello"], "400 "), (["GET", "/a/../b"], "400 bad_target"),
    (["GET", "/hello", "-H", "No colon"], "400 "), (["CONNECT", "/hello"], "400 "),
    (["TRACE", "/hello"], "501 method_unknown"), (["CONNECT", "a.example:443"], "501 method_unknown"),
    (["GET", "/hello", "-H", "Content-Length: 5", "-H", "Content-Length: 6"], "400 "),
])
def test_a_request_that_the_daemon_refuses_is_refused(explain, words, reason):
    status, text = explain(*words)
    assert status == 1 and text.startswith("answer: " + reason), text


REFUSING = """\
version: 1
listeners: { public: { address: "127.0.0.1:0", limits: { body: 100B } } }
upstreams: { a: { mock: [ { path: "/{x}", delay: 20ms, json: 1 }, { path: /b/b, delay: 30ms, json: 2 } ] } }
routes:
  - path: /strict
    request: { require: { query: { n: "^[0-9]+$" }, headers: { X-Key: "" } } }
    calls: { one: { upstream: a, path: /1 } }
  - path: /body
    methods: [ POST ]
    request: { body: { required: true, max: 10B } }
    calls: { one: { upstream: a, path: /1 } }
  - path: /formats
    format: [ ndjson, sse ]
    calls:
      slow: { upstream: a, path: /b/b, timeout: 2s }
      fast: { upstream: a, path: /1, timeout: 500ms }
      last: { upstream: a, path: "/{calls.slow.body}", timeout: 1s }
  - { path: /reply, methods: [ POST ], reply: { body: "{body}" } }
  - { path: /batch, batch: { max: 7 } }
  - { path: /proxied, methods: [ POST ], proxy: { upstream: a } }
"""


@pytest.mark.parametrize("words, answer", [
    (["GET", "/strict"], '400 missing_reference: query parameter "n" is missing'),
    (["GET", "/strict?n=x", "-H", "X-Key: 1"], '400 bad_parameter: query parameter "n" is not what this route takes'),
    (["GET", "/strict?n=1"], '400 missing_reference: header field "X-Key" is missing'),
    (["POST", "/body"], "400 bad_body: "), (["POST", "/body", "-d", "x"], "400 bad_body: "),
    (["POST", "/body", "-d", "[1,2,3,4,5]"], "413 body_too_large: "),
    (["POST", "/reply", "-d", "x" * 101], "413 body_too_large: "),
    (["GET", "/formats", "-H", "Accept: image/png"], "406 not_acceptable: "),
])
def test_what_the_route_refuses_is_refused_as_by_the_daemon(tmp_path, words, answer):
    path = tmp_path / "conf.yaml"
    path.write_text(REFUSING)
    ran = daemon.run("explain", *words, "--run-mocks", "-c", str(path))
    assert ran.returncode == 1 and "\nanswer: " + answer in ran.stdout, ran.stdout
    assert "\n  < HTTP/1.1 %s " % answer[:3] in ran.stdout and "call " not in ran.stdout.split("answer: ")[0]


def test_what_a_proxy_passes_on_may_be_longer_than_what_is_kept(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text(REFUSING)
    ran = daemon.run("explain", "POST", "/proxied", "-d", "x" * 101, "--run-mocks", "-c", str(path))
    assert ran.returncode == 0 and "\nanswer: " not in ran.stdout, ran.stdout
    assert "\n  < HTTP/1.1 200 " in ran.stdout


def test_a_stream_has_the_time_of_its_first_part_and_an_order(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text(REFUSING)
    text = daemon.run("explain", "GET", "/formats", "--run-mocks", "-H", "Accept: text/event-stream", "-c", str(path)).stdout
    assert ("\nstreamed as text/event-stream, a part as soon as its call has ended\n  the first within 500ms: fast\n"
            "  in this order when each takes its time: fast, slow, last; the end\n") in text
    assert "\nanswered by the mock services in 50.000 ms, the first of it after 20.000 ms\n" in text
    assert [line[11:] for line in text.splitlines() if line.startswith("  < event: ")] == ["fast", "slow", "last", "end"]
    assert "\nstreamed as application/x-ndjson, " in daemon.run("explain", "GET", "/formats", "-c", str(path)).stdout


def test_the_worst_of_a_batch_is_that_of_all_its_entries(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text(REFUSING)
    text = daemon.run("explain", "POST", "/batch", "-d", "[]", "-c", str(path)).stdout
    assert "\nworst case\n  21 requests to upstreams\n" in text and "\n  entries        7 " in text


def test_proxies_and_replies(explain):
    _, text = explain("GET", "http://shop.example/files/a/b?c=d", "-H", "Cookie: e=f", "-H", "Connection: close")
    assert "  > GET /f/a/b?c=d HTTP/1.1\n" in text and "  > X-Forwarded-Host: shop.example\n" in text
    assert "  > Cookie: e=f\n" in text and "Connection" not in text
    status, text = explain("HEAD", "/hello")
    assert status == 0 and "  0 requests to upstreams\n" in text


def test_what_a_proxy_route_sets(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text(CONF + "  - { path: /set, proxy: { upstream: a, headers: { X-Page: \"{query.page}\", X-From: \"{client.ip}\" } } }\n")
    text = daemon.run("explain", "GET", "/set?page=3", "-H", "x-page: 4", "-H", "X-Other: 5", "-c", str(path)).stdout
    assert "  > X-Page: 3\n  > X-From: 127.0.0.1\n  > X-Other: 5\n" in text and "x-page" not in text
    text = daemon.run("explain", "GET", "/set", "-H", "x-page: 4", "-c", str(path)).stdout
    assert "  is not sent: missing_reference: " in text and "  > " not in text


def test_what_a_tunnel_may(explain):
    _, text = explain("GET", "/live/7/socket")
    assert re.search(r"^  upgrade +websocket, tcp +conf.yaml:24  routes\[3\].proxy.upgrade$", text, re.M)
    assert re.search(r"^  tunnel idle +1m +conf.yaml:24  routes\[3\].proxy.tunnel.idle_timeout$", text, re.M)
    assert "tunnel" not in explain("GET", "/files/x")[1]


@pytest.mark.parametrize("words", [[], ["GET"], ["GET", "/", "more"], ["GET", "/", "--effective"]], ids=" ".join)
def test_misuse(words):
    ran = daemon.run("explain", *words)
    assert ran.returncode == 2 and ran.stderr and not ran.stdout


def test_a_bad_file_is_told_of(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("version: 2\n")
    ran = daemon.run("explain", "GET", "/", "-c", str(path))
    assert ran.returncode == 78 and str(path) + ":1:10: " in ran.stderr


def test_what_is_told_to_leave_is_what_leaves(gatherd, upstream):
    up = upstream(json_reply(b"{}"))
    calls = {
        "plain": {"path": "/plain/{id}", "query": {"q": "{query.q}", "r": "a b"}},
        "listed": {"path": "/listed", "forward": {"headers": ["Accept-Language", "X-None"], "query": "*"}},
        "all": {"path": "/all", "forward": {"headers": "*"}, "headers": {"X-Id": "{id}"}},
        "json": {"path": "/json", "method": "POST", "json": {"id": "{id}", "b": "{body.list}", "n": 1.50}},
        "body": {"path": "/body", "method": "PUT", "body": "{body}"},
    }
    d = gatherd([{"path": "/x/{id}", "methods": ["POST"], "timeout": "5s",
                  "calls": {name: {"upstream": "up", **call} for name, call in calls.items()}}], {"up": up})
    fields = ["Accept-Language: de", "X-Own: 1", "Connection: x-hop", "X-Hop: 1", "Content-Type: application/json",
              "User-Agent: test"]
    body = '{"list":[1, {"a":"\\u00e9"}]}'
    url = "/x/%C3%A9?q=%26&z=1"
    answer = d.request(url, "POST", body=body.encode(), fields=[tuple(f.split(": ")) for f in fields])
    assert answer.status == 200, answer.body
    told = daemon.run("explain", "POST", url, "-d", body, "-c", d.config_path,
                      *[word for f in fields for word in ("-H", f)])
    assert told.returncode == 0, told.stderr
    requests = {}
    for block in told.stdout.split("\ncall ")[1:]:
        lines = [line[4:] for line in block.split("\n") if line.startswith("  >")]
        at = lines.index("") if "" in lines else len(lines)
        requests[lines[0]] = (sorted(lines[1:at]), "\n".join(lines[at + 1:]))
    for real in up.requests:
        said_fields, said_body = requests.pop(real.first_line.decode())
        real_fields = sorted(("%s: %s" % f).encode("latin-1").decode() for f in real.fields)
        varying = re.compile("(?i)(traceparent|X-Forwarded-Host): ")
        assert [f for f in said_fields if not varying.match(f)] == [f for f in real_fields if not varying.match(f)]
        assert said_body == real.body.decode()
    assert not requests


def test_the_demo_is_explained():
    path = daemon.ROOT + "/conf/demo.yaml"
    with open(path, encoding="utf-8") as f:
        routes = yaml.safe_load(f)["routes"]
    for route in routes:
        ran = daemon.run("explain", "GET", route["path"].replace("{id}", "7"), "-c", path)
        assert ran.returncode == 0 and not ran.stderr
        for name in route["calls"]:
            assert "\ncall %s -> upstream " % name in ran.stdout


def run_mocks(path, url, *more):
    """The answer (first line, fields, body) and the bars of a run against the mock services."""
    ran = daemon.run("explain", "GET", url, "--run-mocks", "-c", path, *more)
    head, tail = ran.stdout.split("\nanswered by the mock services in ")
    lines = [line[4:] for line in tail.splitlines() if line.startswith("  <")]
    at = lines.index("") if "" in lines else len(lines)
    bars = re.findall(r"^  ([* ]) (\S+) +\|( *)([=#]+) *\| +([\d.]+) ms  (.*)$", tail, re.M)
    return float(tail.split(" ms")[0]), lines[0], dict(f.split(": ", 1) for f in lines[1:at]), "\n".join(lines[at + 1:]), bars


def test_mock_services_answer_as_they_do_in_the_daemon(gatherd):
    d = gatherd([{"path": "/u/{id}", "calls": {
        "user": {"upstream": "users", "path": "/users/{id}"},
        "orders": {"upstream": "orders", "path": "/orders/{calls.user.body.account}", "required": False},
        "item": {"upstream": "items", "path": "/items/{item}", "for_each": "{calls.orders.body.ids}", "required": False},
    }}], {
        "users": {"mock": [{"path": "/users/{id}", "delay": "20ms", "json": {"account": "a {id}"}}]},
        "orders": {"mock": [{"path": "/orders/{id}", "delay": "30ms", "json": {"ids": [1, 2, 3]}}]},
        "items": {"mock": [{"path": "/items/2", "status": 404}, {"path": "/items/{n}", "json": {"n": "{n}"}}]},
    })
    real = d.get("/u/7")
    ms, first, fields, body, bars = run_mocks(d.config_path, "/u/7")
    assert ms == 50.0
    # `_meta` tells how long the list took, by the clock of each
    expected = re.sub(r'"ms":\d+', '"ms":50', real.body.decode())
    assert first == "HTTP/1.1 %d OK" % real.status and body == expected
    assert fields["Content-Type"] == real.header("Content-Type")
    assert [(b[0], b[1], b[5]) for b in bars[:2]] == [
        ("*", "user", "GET /users/7: 200"), ("*", "orders", "GET /orders/a%207: 200")]
    assert sorted(b[5] for b in bars[2:]) == ["GET /items/1: 200", "GET /items/2: 404", "GET /items/3: 200"]
    assert len(bars[1][2]) == len(bars[0][3]), "orders begins where user ends"


def test_upstreams_without_a_mock_do_not_answer(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text(CONF)
    _, first, _, body, bars = run_mocks(str(path), "/users/1?n=2")
    assert first == "HTTP/1.1 502 Bad Gateway" and '"call":"user","reason":"reset"' in body
    assert [b[5] for b in bars] == ["GET /users/1: upstream a has no `mock`: reset", "GET /side: upstream b has no `mock`: reset"]


def test_the_demo_takes_no_time_at_all_in_memory():
    ms, first, _, body, bars = run_mocks(daemon.ROOT + "/conf/demo.yaml", "/checkout/42")
    assert ms == 3000.0 and first == "HTTP/1.1 200 OK" and body.startswith('{"auth":{"user":"42"')
    assert [(b[0], b[1], b[4]) for b in bars] == [
        (" ", "auth", "2000"), (" ", "inventory", "1000"), ("*", "payment", "3000")]


def test_a_url_means_the_listener_of_its_scheme(tmp_path):
    certificate, key = tls.Pki(tmp_path).issue("site")
    conf = yaml.safe_load(CONF)
    conf["listeners"] = {"secure": {"address": "127.0.0.1:0", "tls": {"certificate": certificate, "key": key}},
                         "public": {"address": "127.0.0.2:0"}}
    path = tmp_path / "conf.yaml"
    path.write_text(yaml.safe_dump(conf, sort_keys=False))
    for scheme in ("http", "https"):
        ran = daemon.run("explain", "GET", scheme + "://gatherd.test/files/x", "-c", str(path), "--run-mocks")
        assert ran.returncode == 0, ran.stderr
        assert "  > X-Forwarded-Proto: %s\n" % scheme in ran.stdout


@pytest.mark.parametrize("path, nearest", [
    ("/user/a-very-long-identifier-0123456789", "/users/{id}"), ("/fils/a/b/c/d", "/files/{rest...}"),
    ("/users", "/users/{id}"), ("/hello/", "/hello"), ("/users/1/", "/users/{id}")])
def test_parameters_do_not_count_in_what_is_near(explain, path, nearest):
    _, text = explain("GET", path)
    assert text.split("the nearest routes:\n  ")[1].startswith(nearest + "  "), text


def test_a_ping_needs_no_route(explain):
    assert explain("OPTIONS", "*") == (0, "answer: 204: it asks whether gatherd is there\n")


@pytest.mark.parametrize("recipe", recipes.read_all(), ids=lambda recipe: recipe.title.replace(" ", "_"))
def test_recipes_are_answered_in_memory_as_by_the_daemon(recipe, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.conf)
    for each in recipe.exchanges:
        words = [word for name, value in each.fields for word in ("-H", "%s: %s" % (name, value))]
        if each.body is not None:
            words += ["-d", each.body if isinstance(each.body, str) else each.body.decode()]
        ran = daemon.run("explain", each.method, each.target, "--run-mocks", "-c", str(path), *words)
        assert not ran.stderr, ran.stderr
        lines = [line[4:] for line in ran.stdout.split("\nanswered by the mock services in ")[1].splitlines()
                 if line.startswith("  <")]
        assert lines[0].startswith("HTTP/1.1 %d " % each.status)
        if b"\n" not in each.answer and b"\r" not in each.answer:
            body = lines[lines.index("") + 1:] if "" in lines else [""]
            as_shown = [re.sub(r'"ms":\d+', '"ms":0', text) for text in ("\n".join(body), each.answer.decode())]
            assert as_shown[0] == as_shown[1]

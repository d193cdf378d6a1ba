"""`gatherd test`: the tests that a configuration carries, on a clock of their own and without sockets."""
import glob
import json
import os
import time
import xml.etree.ElementTree

import pytest
import yaml
from harness import daemon, recipes, wait

pytestmark = pytest.mark.sanitize

CONF = """\
version: 1
listeners: { public: { address: "127.0.0.1:0" } }
upstreams:
  a: { servers: [ "https://a.example" ], timeouts: { total: 3s } }
  b: { servers: [ "http://127.0.0.1:9" ], concurrency: { limit: 2 }, queue: { timeout: 1s } }
  m: { mock: [ { path: "/side/{x}", delay: 70ms, json: { x: "{x}" } } ] }
routes:
  - path: /u/{id}
    timeout: 2s
    calls:
      user: { upstream: a, path: "/users/{id}" }
      orders: { upstream: b, path: "/orders/{calls.user.body.id}" }
      side: { upstream: m, required: false, path: "/side/{id}", timeout: 100ms }
  - path: /each
    methods: [ POST ]
    calls:
      item: { upstream: b, path: "/items/{item}", for_each: "{body.ids}" }
  - { path: "/files/{rest...}", proxy: { upstream: a } }
"""
USER = {"json": {"id": 9}}


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "conf.yaml"

    def start(*tests, more=()):
        conf = yaml.safe_load(CONF)
        conf["tests"] = [{"name": "test %d" % i, **test} for i, test in enumerate(tests, 1)]
        path.write_text(yaml.safe_dump(json.loads(json.dumps(conf)), sort_keys=False))  # no aliases
        ran = daemon.run("test", str(path), *more)
        assert not ran.stderr, ran.stderr
        assert ran.stdout.startswith("TAP version 13\n1..%d\n" % len(tests))
        return ran.returncode, ran.stdout
    return start


def ask(path="/u/7", expect=None, method="GET", request=None, **calls):
    return {"request": {"method": method, "path": path, **(request or {})}, "calls": calls, "expect": expect or {}}


def passes(run, *tests):
    status, text = run(*tests)
    assert status == 0, text
    assert text.endswith("# %d passed, 0 failed\n" % len(tests))


def fails(run, test, *lines):
    status, text = run(test)
    assert status == 1 and "\nnot ok 1 - test 1" in text, text
    assert "# 0 passed, 1 failed" in text
    differences = text.split("  differences: |\n")[1].split("\n  requests: |")[0]
    assert tuple(line.strip() for line in differences.splitlines()) == lines
    return text


def test_time_is_the_tests_own(run):
    def seconds():
        began = time.monotonic()
        passes(run, ask(expect={"status": 200, "reason": "none", "max_time": "80s",
                                "json": {"side": {"x": "7"}, "user": {"id": 9}, "orders": [1.50]}},
                        user={**USER, "delay": "1s"}, orders={"json": [1.50], "delay": "900ms"}))
        return time.monotonic() - began
    wait.until(lambda: seconds() < 1.9, "two seconds of the test to take less of ours")


@pytest.mark.parametrize("fault, status, reason", [
    ("refuse", 502, "connect_refused"), ("reset", 502, "reset"), ("timeout", 504, "timeout"),
    ("truncate", 502, "reset"), ("garbage", 502, "invalid_response")])
def test_every_fault_has_its_reason(run, fault, status, reason):
    cut = {"json": {"a": "bcd"}} if fault == "truncate" else {}  # the others leave no answer
    passes(run, ask(expect={"status": status, "reason": reason}, user={**cut, "fault": fault}),
           ask("/files/x", expect={"status": status}, proxy={"fault": fault}) if fault != "truncate" else
           ask("/files/x", expect={"status": 200}, proxy={"body": "abc"}))


def test_a_partial_answer(run):
    passes(run, ask(expect={"status": 200, "reason": "timeout", "max_time": "100ms",
                            "headers": {"content-type": "application/json"}},
                    user=USER, orders={"json": []}, side={"fault": "timeout"}))


def test_entries_by_upstream_and_path_answer_each_item(run):
    passes(run, ask("/each", method="POST", request={"json": {"ids": [1, 2, 3]}},
                    expect={"json": {"item": [{"n": "one"}, {"n": "two"}, {"n": "more"}]}, "max_time": "200ms"},
                    one={"upstream": "b", "path": "/items/1", "json": {"n": "one"}, "delay": "100ms"},
                    two={"upstream": "b", "path": "/items/2", "json": {"n": "two"}, "delay": "100ms"},
                    more={"upstream": "b", "path": "/items/{any}", "json": {"n": "more"}, "delay": "100ms"}))


def test_limits_hold_in_tests(run):
    """Three items of 100 ms with two permits of the upstream: 200 ms and no less."""
    fails(run, ask("/each", method="POST", request={"json": {"ids": [1, 2, 3]}}, expect={"max_time": "199ms"},
                   item={"json": 1, "delay": "100ms"}),
          "time: expected at most 199.000 ms, took 200.000 ms")


def test_what_the_daemon_refuses_can_be_tested(run):
    passes(run, ask("/nope", expect={"status": 404, "reason": "no_route"}),
           ask("/u/7", method="POST", expect={"status": 405, "headers": {"Allow": "GET, HEAD", "Nothing": ""}}),
           ask("/a/../b", expect={"status": 400}),
           ask("/each", method="POST", request={"body": "{"}, expect={"status": 400, "reason": "bad_body"}),
           ask("/u/7", request={"headers": {"Expect": "100-continue"}}, expect={"status": 200}, user=USER,
               orders={"json": 1}),
           ask("/u/7", method="HEAD", expect={"status": 200, "body": ""}, user=USER, orders={"json": 1}))


def test_differences_are_told_one_by_one(run):
    text = fails(run, ask(expect={"status": 201, "reason": "timeout", "headers": {"X-A": "b", "Content-Type": ""},
                                  "json": {"user": {"id": 9, "é": [1, {"a.b": "x"}]}, "orders": 1.0}},
                          user={"json": {"id": 9, "é": [1, {"a.b": "y"}, None]}}, orders={"json": 1}),
                 "status: expected 201, got 200", "reason: expected timeout, got none",
                 'header X-A: expected "b", got none', 'header Content-Type: expected none, got "application/json"',
                 'body.user.é[1].a.b: expected "x", got "y"', "body.user.é[2]: expected nothing, got null",
                 "body.orders: expected 1.0, got 1", 'body.side: expected nothing, got {"x":"7"}')
    assert "\n  requests: |\n    user -> a GET /users/7 200 0.000..0.000 ms\n" in text
    assert "    side -> m GET /side/7 200 0.000..70.000 ms\n" in text
    block = text.split("  ---\n")[1].split("  ...\n")[0]
    assert set(yaml.safe_load(block)) == {"at", "differences", "requests", "body"}


def test_a_body_is_compared_byte_by_byte(run):
    passes(run, ask("/files/x", expect={"body": "a\x01b"}, proxy={"body": "a\x01b"}))
    fails(run, ask("/files/x", expect={"body": "abc"}, proxy={"body": "abd"}),
          "body: differs at byte 2", "expected abc", "got      abd")


def test_a_request_that_nobody_answers_fails_the_test(run):
    fails(run, ask(expect={"status": 502}),
          "call user: GET /users/7 has no answer: neither in `calls` nor by a mock")


def test_junit(run, tmp_path):
    path = tmp_path / "report.xml"
    status, _ = run(ask("/nope", expect={"status": 404}), ask("/nope", expect={"status": 200}),
                    more=("--junit", str(path)))
    suite = xml.etree.ElementTree.parse(path).getroot()
    cases = suite.findall("testcase")
    assert status == 1 and suite.get("tests") == "2" and [c.get("name") for c in cases] == ["test 1", "test 2"]
    assert cases[0].find("failure") is None
    assert cases[1].find("failure").get("message") == "status: expected 200, got 404"


def test_no_tests_are_a_failure(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text(CONF)
    assert daemon.run("test", "-c", str(path)).returncode == 1


def test_the_same_text_every_time(run):
    test = ask(user={**USER, "delay": "3ms"}, expect={"status": 1 + 200, "json": {}}, orders={"json": [1]})
    assert run(test) == run(test)


def test_serving_does_not_mind_tests(gatherd):
    d = gatherd([{"path": "/x", "reply": {"body": "x"}}],
                tests=[{"name": "x", "request": {"path": "/x"}, "expect": {"body": "x"}}])
    assert d.get("/x").body == b"x"
    assert daemon.run("test", d.config_path).returncode == 0


EXAMPLES = [path for path in glob.glob(os.path.join(daemon.ROOT, "conf", "*.yaml"))
            if "\ntests:" in open(path, encoding="utf-8").read()]


@pytest.mark.parametrize("path", EXAMPLES, ids=os.path.basename)
def test_the_examples_pass_their_tests(path):
    ran = daemon.run("test", path)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_body_that_does_not_come_runs_out_of_time(run):
    passes(run, ask("/each", method="POST", request={"body": "[", "headers": {"Content-Length": "2"}},
                    expect={"status": 408, "reason": "request_timeout"}))


def test_streams_come_in_the_order_of_their_ends(run, tmp_path):
    conf = yaml.safe_load(CONF)
    conf["routes"][0]["format"] = "ndjson"
    conf["routes"][0]["calls"]["orders"]["path"] = "/orders"
    conf["tests"] = [{"name": "ndjson", **ask(user={**USER, "delay": "90ms"}, orders={"json": [1], "delay": "80ms"},
                                              expect={"status": 200, "max_time": "90ms"})}]
    path = tmp_path / "stream.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(conf)), sort_keys=False))
    conf["tests"][0]["expect"]["body"] = "x"
    failing = tmp_path / "failing.yaml"
    failing.write_text(yaml.safe_dump(json.loads(json.dumps(conf)), sort_keys=False))
    assert daemon.run("test", str(path)).returncode == 0
    text = daemon.run("test", str(failing)).stdout.split("  body: |\n")[1]
    assert [next(c for c in ("side", "orders", "user") if c in line) for line in text.splitlines()[:3]] == [
        "side", "orders", "user"]


def test_faults_are_those_of_the_entries_of_a_batch_too(run, tmp_path):
    conf = yaml.safe_load(CONF)
    conf["routes"].append({"path": "/batch", "batch": {}})
    entries = [{"path": "/u/7"}, {"path": "/files/x"}]
    conf["tests"] = [{"name": fault, "request": {"method": "POST", "path": "/batch", "json": entries},
                      "calls": {"user": {"json": 1, "fault": fault}, "proxy": {"json": 2}}, "expect": {"body": ""}}
                     for fault in ("reset", "garbage", "timeout", "truncate")]
    conf["tests"].append({"name": "refuse", "request": {"method": "POST", "path": "/batch", "json": entries},
                          "calls": {"user": {"fault": "refuse"}}, "expect": {"body": ""}})
    path = tmp_path / "batch.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(conf)), sort_keys=False))
    text = daemon.run("test", str(path)).stdout
    reasons = [block.split('"reason":"')[1].split('"')[0] for block in text.split("\nnot ok ")[1:]]
    assert reasons == ["reset", "invalid_response", "timeout", "reset", "connect_refused"], text


def test_a_multipart_answer_is_the_same_every_time(tmp_path):
    conf = yaml.safe_load(CONF)
    conf["routes"][0]["format"] = "multipart"
    conf["tests"] = [{"name": "x", **ask(user=USER, orders={"json": [1]}, expect={"body": "x"})}]
    path = tmp_path / "parts.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(conf)), sort_keys=False))
    texts = {daemon.run("test", str(path)).stdout for _ in range(3)}
    assert len(texts) == 1 and "Content-Disposition: inline" in texts.pop()


def test_a_compressed_answer_is_read(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text("""\
version: 1
listeners: { public: { address: "127.0.0.1:0" } }
upstreams: { a: { servers: [ "http://127.0.0.1:9" ], accept_encoding: gzip } }
routes:
  - { path: /x, compress: { min_size: 0 }, calls: { one: { upstream: a, path: /one } } }
tests:
  - name: for those who ask
    request: { path: /x, headers: { Accept-Encoding: "gzip, br;q=0.5" } }
    calls: { one: { json: [ 1, 2 ] } }
    expect: { headers: { Content-Encoding: gzip, Vary: Accept-Encoding }, json: { one: [ 1, 2 ] } }
  - name: a service that says so and does not
    request: { path: /x }
    calls: { one: { json: [ 1, 2 ], headers: { Content-Encoding: br } } }
    expect: { status: 502, reason: content_coding_invalid }
""")
    ran = daemon.run("test", str(path))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_bytes_that_are_no_text_do_not_break_the_reports(run, tmp_path):
    path = tmp_path / "report.xml"
    _, text = run(ask("/files/x", expect={"body": "a\x02]]>&<\u00e9"}, proxy={"body": "a\x01]]>&<\u00e9\ud7ff"}),
                  more=("--junit", str(path)))
    yaml.safe_load(text.split("  ---\n")[1].split("  ...\n")[0])
    failure = xml.etree.ElementTree.parse(path).getroot().find("testcase/failure")
    assert "expected a?]]>&<\u00e9\n" in failure.text


@pytest.mark.parametrize("recipe", recipes.read_all(), ids=lambda recipe: recipe.title.replace(" ", "_"))
def test_recipes_can_be_written_as_tests(recipe, tmp_path):
    tests = []
    for i, each in enumerate(recipe.exchanges):
        request = {"method": each.method, "path": each.target, "headers": dict(each.fields)}
        if each.body is not None:
            request["body"] = each.body.decode()
        expect = {"status": each.status, "headers": dict(reversed(each.answer_fields))}
        # the page does not show the line end of a stream's last record
        if b'"ms":' not in each.answer and b"\n" not in each.answer:
            expect["body"] = each.answer.decode()
        tests.append({"name": "exchange %d" % i, "request": request, "expect": expect})
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.conf + "\n" + yaml.safe_dump({"tests": tests}, sort_keys=False, allow_unicode=True))
    ran = daemon.run("test", str(path))
    assert ran.returncode == 0, ran.stdout + ran.stderr

"""Batches of requests: each entry is served as if it had come alone."""
import base64
import json
import random
import threading
import time

import pytest
from harness import expect, wait
from harness.upstream import crowd, gate, json_reply, raw


def routes(**batch):
    timeout = batch.pop("timeout", "1h")
    body = batch.pop("body", None)
    return [
        {"path": "/batch", "timeout": timeout, "batch": batch, **({"request": {"body": {"max": body}}} if body else {})},
        {"path": "/calls/{id}", "calls": {"a": {"upstream": "up", "path": "/{id}"}}},
        {"path": "/lines", "format": "ndjson", "calls": {"a": {"upstream": "up", "path": "/line"}}},
        {"path": "/proxy/{rest...}", "methods": "any", "proxy": {"upstream": "up"}},
        {"path": "/reply", "methods": "any", "reply": {
            "status": 203, "headers": {"X-Query": "{query.q|none}", "X-Ip": "{client.ip}"}, "body": "{body|none}\n"}},
    ]


def ask(d, entries, **how):
    body = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return d.request("/batch", "POST", body=body, **how)


def answers(response):
    expect.is_json(response)
    return response.json()


@pytest.mark.sanitize
def test_every_kind_of_route_answers_in_order(gatherd, upstream):
    up = upstream()
    up.on("/slow", json_reply(b'{"n": 1.10}', delay=0.2))
    up.on("/line", json_reply(b"[1,\n2]"))
    up.on("/proxy/image", json_reply(bytes(range(256)), content_type="image/png", fields=[("X-Two", "1"), ("x-two", "2")]))
    up.on("/proxy/text", json_reply("grüß dich\x01".encode(), content_type="text/plain"))
    up.on("/proxy/broken", json_reply(b"{", content_type="application/json"))
    up.on("/proxy/none", json_reply(b"", status=204))
    d = gatherd(routes(), {"up": up})
    response = ask(d, [
        {"path": "/calls/slow"},
        {"path": "/reply?q=7", "method": "PUT", "body": "some\ttext"},
        {"path": "/proxy/image"}, {"path": "/proxy/text"}, {"path": "/proxy/broken"}, {"path": "/proxy/none"},
        {"path": "/lines"},
        {"path": "/proxy/x", "method": "POST", "body": {"b": [1, 2.50]}, "headers": {"X-Many": ["1", "2"]}},
        {"path": "/nowhere"}, {"path": "/calls/1", "method": "DELETE"}, {"path": "/calls/slow", "method": "HEAD"},
    ])
    got = answers(response)
    assert [a["status"] for a in got] == [200, 203, 200, 200, 200, 204, 200, 200, 404, 405, 200]
    assert b'"body":{"a":{"n": 1.10}}' in response.body
    assert got[1]["body"] == "some\ttext\n" and got[1]["headers"]["X-Query"] == "7"
    assert base64.b64decode(got[2]["body_base64"]) == bytes(range(256)) and "body" not in got[2]
    assert got[2]["headers"]["Content-Type"] == "image/png" and got[2]["headers"]["X-Two"] == ["1", "2"]
    assert got[3]["body"] == "grüß dich\x01" and got[4]["body"] == "{"
    assert got[5]["body"] is None and got[10]["body"] is None
    assert got[6]["body"] == '{"call":"a","result":[1,2]}\n{"complete":true}\n'
    assert got[6]["headers"]["Content-Type"] == "application/x-ndjson"
    assert got[9]["headers"]["Allow"] == "GET, HEAD"
    sent = next(r for r in up.requests if r.method == "POST")
    assert sent.body == b'{"b": [1, 2.5]}' and sent.header("Content-Type") == "application/json"
    assert sent.all("X-Many") == ["1", "2"] and sent.header("Content-Length") == "15"


def test_entries_go_as_if_they_had_come_alone(gatherd, upstream):
    """From the same client, to the same host, with their own fields; logged and counted by themselves."""
    up = upstream()
    d = gatherd(routes(), {"up": up}, listener={"trusted_proxies": ["127.0.0.0/8"]})
    got = answers(ask(d, [{"path": "/proxy/a?x=1", "headers": {"X-Own": "1", "Authorization": "one"}}, {"path": "/reply"}],
                      fields=[("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https"), ("Cookie", "c=1"),
                              ("Authorization", "outer"), ("Accept-Encoding", "gzip")], host="shop.test:80"))
    sent = up.only_request()
    assert sent.target == "/proxy/a?x=1"
    assert sent.header("X-Forwarded-For") == "192.0.2.1, 127.0.0.1" and sent.header("X-Forwarded-Proto") == "https"
    assert sent.header("X-Forwarded-Host") == "shop.test:80" and sent.header("Authorization") == "one"
    assert sent.header("X-Own") == "1" and not {"cookie", "accept-encoding", "content-length"} & set(sent.names())
    assert got[1]["headers"]["X-Ip"] == "192.0.2.1"
    records = d.access_log(3)
    assert [r["path"] for r in records[:2]] == ["/reply", "/proxy/a?x=1"] or \
        [r["path"] for r in records[:2]] == ["/proxy/a?x=1", "/reply"]
    assert records[2]["path"] == "/batch" and {r["client"] for r in records} == {"192.0.2.1"}
    assert d.metric("gatherd_requests_total", route="/reply", status="203") == 1
    assert d.metric("gatherd_requests_total", route="/batch", status="200") == 1
    assert d.metric("gatherd_requests_in_flight") == 0
    answers(ask(d, [{"path": "/proxy/a", "headers": {"X_Forwarded_For": "6.6.6.6"}}]))
    assert "x_forwarded_for" not in up.requests[1].names()


def test_bad_entries_do_not_harm_the_others(gatherd, upstream):
    up = upstream()
    d = gatherd(routes(max=40), {"up": up}, listener={"limits": {"headers": 10, "header_bytes": "2KiB"}})
    bad = [
        (None, "bad_entry"), ([], "bad_entry"), ({}, "bad_entry"), ({"path": ""}, "bad_entry"),
        ({"path": "//x/%"}, "bad_target"), ({"path": "/%2e%2e/x"}, "bad_target"),
        ({"path": "/proxy/a b"}, "bad_entry"), ({"path": "/proxy/ä"}, "bad_target"),
        ({"path": "/proxy/a\r\nHost: evil\r\n\r\nGET /proxy/b HTTP/1.1"}, "bad_entry"),
        ({"path": "/proxy/a", "method": "GET /proxy/b HTTP/1.1\r\n"}, "bad_entry"),
        ({"path": "/proxy/a", "headers": {"x": "1\r\nTransfer-Encoding: chunked"}}, "bad_entry"),
        ({"path": "/proxy/a", "headers": {"Transfer-Encoding": "chunked"}}, "bad_entry"),
        ({"path": "/proxy/a", "headers": {"x:": "y"}}, "bad_entry"),
        ({"path": "/proxy/a", "headers": {"Expect": "100-continue"}}, "bad_entry"),
        ({"path": "/proxy/a", "headers": {"x%d" % n: "y" for n in range(20)}}, "head_too_large"),
        ({"path": "/proxy/a", "headers": {"x": "y" * 3000}}, "head_too_large"),
        ({"path": "/proxy/" + "a" * 1500}, "uri_too_long"),
        ({"path": "/batch", "method": "POST", "body": []}, "nested_batch"),
        ({"path": "/proxy/a", "verb": "GET"}, "bad_entry"),
    ]
    entries = [e for pair in bad for e in (pair[0], {"path": "/proxy/fine"})]
    got = answers(ask(d, entries))
    assert [a["status"] for a in got[1::2]] == [200] * len(bad)
    for (entry, reason), answer in zip(bad, got[::2]):
        assert answer["body"]["reason"] == reason and answer["status"] == answer["body"]["status"], (entry, answer)
    assert {r.target for r in up.requests} == {"/proxy/fine"}
    assert len(d.access_log(2 * len(bad) + 1)) == 2 * len(bad) + 1


def test_what_is_no_batch_is_refused_as_a_whole(gatherd, upstream):
    up = upstream()
    d = gatherd(routes(max=3, body="1KiB"), {"up": up})
    for body in (b"", b"{}", b"[", b"1", b"[1]x", b'[{"path":"/reply","path":"/reply"}]'):
        expect.is_problem(ask(d, body), 400, "bad_body")
    expect.is_problem(ask(d, [{"path": "/proxy/a"}] * 4), 413, "batch_too_large")
    expect.is_problem(ask(d, [{"path": "/proxy/" + "a" * 1024}]), 413, "body_too_large")
    assert answers(ask(d, [])) == []
    response = d.request("/batch", "GET")
    expect.is_problem(response, 405, "method_not_allowed")
    assert response.header("Allow") == "POST" and not up.requests


@pytest.mark.sanitize
def test_entries_run_a_bounded_number_at_once(gatherd, upstream):
    up = upstream(crowd(5, json_reply(lambda r: b'"%s"' % r.path.encode(), delay=lambda: random.random() * 0.02)))
    d = gatherd(routes(max=200, parallel=5), {"up": up})
    got = answers(ask(d, [{"path": "/calls/%d" % n} for n in range(200)]))
    assert [a["body"] for a in got] == [{"a": "/%d" % n} for n in range(200)]
    assert up.max_in_flight == 5


def test_entries_meet_the_limits_of_daemon_and_upstream(gatherd, upstream):
    """Two permits for two batches at once: they would block each other if a batch kept its own."""
    up = upstream(json_reply(b"1", delay=0.05))
    d = gatherd(routes(max=40), {"up": up.conf(concurrency={"limit": 1}, queue={"size": 100})},
                overload={"concurrency": {"limit": 2}, "queue": {"size": 100}})
    results = []
    threads = [threading.Thread(target=lambda: results.append(answers(ask(d, [{"path": "/calls/x"}] * 10))))
               for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 3 and all(a["status"] == 200 for r in results for a in r), results
    assert up.max_in_flight == 1


def test_answers_have_a_limit(gatherd, upstream):
    up = upstream()
    up.on("/proxy/big", json_reply(b"x" * 5000, content_type="text/plain"))
    up.on("/proxy/escaped", json_reply(b"\x01" * 3000, content_type="text/plain"))
    up.on("/big", json_reply(b'"' + b"x" * 5000 + b'"'))
    up.on("/proxy/fine", json_reply(b"x" * 3000, content_type="text/plain"))
    d = gatherd(routes(max_body="4KiB"), {"up": up})
    got = answers(ask(d, [{"path": "/proxy/big"}, {"path": "/proxy/escaped"}, {"path": "/calls/big"},
                          {"path": "/proxy/fine"}]))
    assert [a["status"] for a in got] == [502, 502, 502, 200] and len(got[3]["body"]) == 3000
    assert [a["body"]["reason"] for a in got[:3]] == ["response_too_large"] * 3
    assert sorted(r["reason"] for r in d.access_log(5)) == ["none"] * 2 + ["response_too_large"] * 3


def test_the_time_of_the_batch_leaves_what_there_is(gatherd, upstream):
    never = threading.Event()

    def attempt(ms):
        up = upstream().on("/never", gate(never))
        d = gatherd(routes(parallel=2, timeout="%dms" % ms), {"up": up})
        started = time.monotonic()
        got = answers(ask(d, [{"path": "/calls/1"}, {"path": "/calls/never"}, {"path": "/proxy/never2"},
                              {"path": "/calls/never"}, {"path": "/calls/2"}]))
        assert time.monotonic() - started > 0.8 * ms / 1000
        assert [a["status"] for a in got] == [200, 504, 200, 504, 504]
        assert got[4]["body"]["reason"] == "batch_timeout"
        wait.until(lambda: all(c.saw_eof.is_set() for c in up.conns if c.request.path == "/never"), "cancelled calls")
    wait.with_time(attempt, 300)


def test_what_the_time_of_the_batch_ends_has_no_body_when_it_asked_for_none(gatherd, upstream):
    up, never = upstream(), threading.Event()
    up.on("/never", gate(never))
    d = gatherd(routes(parallel=1, timeout="300ms"), {"up": up})
    got = answers(ask(d, [{"path": "/calls/never", "method": "HEAD"}, {"path": "/calls/1", "method": "HEAD"},
                          {"path": "/calls/1"}]))
    assert [(a["status"], a["body"] and a["body"]["reason"]) for a in got] == [
        (504, None), (504, None), (504, "batch_timeout")]


def test_an_entry_that_is_cut_off_counts_as_what_the_client_was_told(gatherd, upstream):
    up = upstream()
    up.on("/proxy/cut", raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", then="close"))
    d = gatherd(routes(), {"up": up})
    got = answers(ask(d, [{"path": "/proxy/cut"}]))
    assert (got[0]["status"], got[0]["body"]["reason"]) == (502, "reset")
    assert sorted((r["status"], r["reason"]) for r in d.access_log(2)) == [(200, "none"), (502, "reset")]


@pytest.mark.sanitize
def test_a_client_that_leaves_cancels_its_entries(gatherd, upstream):
    up, never = upstream(), threading.Event()
    up.on("/never", gate(never))
    d = gatherd(routes(parallel=3), {"up": up})
    for leave in ("close", "reset", "half_close"):
        client = d.client()
        asked = len(up.requests)
        client.write_request("/batch", "POST", body=json.dumps(
            [{"path": "/calls/never"}, {"path": "/proxy/a"}, {"path": "/calls/never"}, {"path": "/calls/never"}]).encode())
        up.wait_requests(asked + 4)
        getattr(client, leave)()
    records = d.access_log(3 * 5)
    assert sorted(r["status"] for r in records) == [200] * 3 + [499] * 12
    wait.until(lambda: d.metric("gatherd_requests_in_flight") == 0, "no request in flight")
    assert d.upstream_state("up")["in_flight"] == 0


@pytest.mark.sanitize
def test_slow_clients_of_large_answers(gatherd, upstream):
    """The answer waits in pieces of the entries' answers; a client that takes it slowly gets all of it."""
    up = upstream(json_reply(b'"' + b"x" * 500000 + b'"'))
    d = gatherd(routes(), {"up": up})
    for leaves in (True, False):
        before = d.metric("gatherd_calls_total")
        with d.client(receive_buffer=65536) as client:
            client.write_request("/batch", "POST", body=json.dumps([{"path": "/calls/1"}] * 20).encode())
            wait.until(lambda: d.metric("gatherd_calls_total") == before + 20, "all calls to have ended")
            if leaves:
                client.reset()
                continue
            got = answers(client.read_response())
            assert len(got) == 20 and all(len(a["body"]["a"]) == 500000 for a in got)
    with d.client() as client:
        for _ in range(3):
            body = json.dumps([{"path": "/reply"}]).encode()
            assert answers(client.request("/batch", "POST", body=body, version="1.0",
                                          fields=[("Connection", "keep-alive")]))[0]["status"] == 203


def test_a_drain_lets_batches_end(gatherd, upstream):
    up = upstream(json_reply(b"1", delay=0.3))
    d = gatherd(routes(parallel=1), {"up": up})
    with d.client() as client:
        client.write_request("/batch", "POST", body=json.dumps([{"path": "/calls/1"}] * 3).encode())
        up.wait_requests(1)
        d.signal(15)
        got = answers(client.read_response())
        assert [a["status"] for a in got] == [200] * 3


@pytest.mark.sanitize
def test_nothing_is_lost_or_mixed_up_when_everything_happens_at_once(gatherd, upstream):
    """Clients that stay get each entry's own answer; those that leave, at any moment, leave nothing behind."""
    chooser = random.Random(7)
    delays = [0, 0, 0.001, 0.01, 0.05]
    up = upstream(json_reply(lambda r: b'{"n":"%s"}' % r.path.encode(), delay=lambda: random.choice(delays)))
    up.on("/proxy/closes", lambda conn: conn.close())
    d = gatherd(routes(max=30, parallel=6, timeout="1s"),
                {"up": up.conf(concurrency={"limit": 4}, queue={"size": 10, "timeout": "50ms"})},
                overload={"concurrency": {"limit": 8}, "queue": {"size": 8, "timeout": "20ms"}})

    def entry(number):
        path = chooser.choice(["/calls/%d", "/proxy/%d", "/reply?q=%d", "/proxy/closes?%d", "/nowhere/%d", "/lines?%d"])
        return {"path": path % number}

    def check(entries, got):
        for sent, answer in zip(entries, got):
            number = sent["path"].replace("?", "/").split("/")[-1].replace("q=", "")
            path = sent["path"]
            if answer["status"] in (503, 504):
                continue
            if path.startswith("/calls"):
                assert answer["body"] == {"a": {"n": "/" + number}}
            elif "closes" in path:
                assert answer["body"]["reason"] == "reset"
            elif path.startswith("/proxy"):
                assert answer["body"] == {"n": "/proxy/" + number}
            elif path.startswith("/reply"):
                assert answer["headers"]["X-Query"] == number
            elif path.startswith("/nowhere"):
                assert answer["status"] == 404
            else:
                assert answer["body"].endswith('{"complete":true}\n')

    failures = []

    def run(plan):
        for entries, leaves_after in plan:
            try:
                with d.client() as client:
                    client.write_request("/batch", "POST", body=json.dumps(entries).encode())
                    if leaves_after is not None:
                        time.sleep(leaves_after)
                        client.reset()
                        continue
                    response = client.read_response()
                    if response.status == 503:
                        continue
                    got = answers(response)
                    assert len(got) == len(entries)
                    check(entries, got)
            except (AssertionError, OSError, KeyError) as failure:
                failures.append(failure)
    plans = [[([entry(n) for n in range(chooser.randrange(30))],
               chooser.choice([None, None, 0, 0.001, 0.01, 0.06])) for _ in range(25)] for _ in range(6)]
    threads = [threading.Thread(target=run, args=(plan,)) for plan in plans]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures[:3]
    wait.until(lambda: d.metric("gatherd_requests_in_flight") == 0, "no request in flight")
    state = d.upstream_state("up")
    assert state["in_flight"] == 0 and state["queued"] == 0

"""Upstreams that break every rule: a named reason, the right status, bounded memory, and the next request works."""

import pytest
from harness import expect
from harness.upstream import endless, raw

OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"


def deep(depth):
    return b"[" * depth + b"]" * depth


def with_length(body, head=JSON):
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def drip(conn):
    for byte in with_length(b'{"slow":true}'):
        conn.send(bytes([byte]))
        conn.pause(0.05)


EVIL = {
    # the head
    "not_http": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "invalid_response"),
    "http_0_9": (raw(b"<html>hello</html>"), "invalid_response"),
    "wrong_version": (raw(b"HTTP/3.0 200 OK\r\n\r\n"), "invalid_response"),
    "bad_status": (raw(b"HTTP/1.1 2x0 OK\r\n\r\n"), "invalid_response"),
    "status_too_long": (raw(b"HTTP/1.1 2000 OK\r\n\r\n"), "invalid_response"),
    "space_before_colon": (raw(OK + b"X : 1\r\nContent-Length: 2\r\n\r\n{}"), "invalid_response"),
    "nul_in_field": (raw(OK + b"X: \x00\r\nContent-Length: 2\r\n\r\n{}"), "invalid_response"),
    "folded_field": (raw(OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}"), "invalid_response"),
    "bare_line_feeds": (raw(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"), "invalid_response"),
    "switching_protocols": (raw(b"HTTP/1.1 101 Sure\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"), "invalid_response"),
    "endless_header": (endless(OK + b"X: ", b"y" * 4096), "response_head_too_large"),
    "endless_headers": (endless(OK, b"X-Y: z\r\n" * 100), "response_head_too_large"),
    "interim_flood": (endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 20), "invalid_response"),
    # the length
    "both_lengths": (raw(JSON + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), "invalid_response"),
    "two_lengths": (raw(JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), "invalid_response"),
    "negative_length": (raw(JSON + b"Content-Length: -2\r\n\r\n{}"), "invalid_response"),
    "signed_length": (raw(JSON + b"Content-Length: +2\r\n\r\n{}"), "invalid_response"),
    "huge_length": (raw(JSON + b"Content-Length: 99999999999999999999999\r\n\r\n{}"), "invalid_response"),
    "length_over_the_limit": (raw(JSON + b"Content-Length: 99999999999\r\n\r\n", then="hang"), "response_too_large"),
    "unknown_coding": (raw(JSON + b"Transfer-Encoding: gzip\r\n\r\n"), "invalid_response"),
    "chunked_twice": (raw(JSON + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), "invalid_response"),
    "chunk_garbage": (raw(JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), "invalid_response"),
    "chunk_without_end": (raw(JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n"), "invalid_response"),
    "chunk_too_big": (raw(JSON + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), "invalid_response"),
    "endless_chunk_extension": (endless(JSON + b"Transfer-Encoding: chunked\r\n\r\n2;", b"x" * 4096), "invalid_response"),
    "endless_trailers": (endless(JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X: y\r\n" * 500), None),
    # the body
    "truncated": (raw(JSON + b"Content-Length: 100\r\n\r\n{"), "reset"),
    "truncated_chunks": (raw(JSON + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"), "reset"),
    "length_too_short": (raw(with_length(b'{"a":1}').replace(b": 7", b": 5")), "invalid_body"),
    "endless_body": (endless(JSON + b"\r\n", b"[" * 65536), "response_too_large"),
    "endless_chunks": (endless(JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 4096 + b"\r\n"), "response_too_large"),
    "not_json": (raw(with_length(b"<html>")), "invalid_body"),
    "json_and_more": (raw(with_length(b"{} {}")), "invalid_body"),
    "half_json": (raw(with_length(b'{"a":')), "invalid_body"),
    "bad_number": (raw(with_length(b'{"a":01}')), "invalid_body"),
    "control_character": (raw(with_length(b'"a\nb"')), "invalid_body"),
    "bad_escape": (raw(with_length(b'"\\x"')), "invalid_body"),
    "lone_surrogate": (raw(with_length(b'"\\ud800"')), None),
    "invalid_utf8": (raw(with_length(b'"\xff\xfe"')), "invalid_body"),
    "overlong_utf8": (raw(with_length(b'"\xc0\xaf"')), "invalid_body"),
    "byte_order_mark": (raw(with_length(b'\xef\xbb\xbf{}')), "invalid_body"),
    "nested_100000": (raw(with_length(deep(100000))), "invalid_body"),
    "nested_129": (raw(with_length(deep(129))), "invalid_body"),
    "duplicate_keys": (raw(with_length(b'{"a":1,"\\u0061":2}')), "invalid_body"),
    # the connection
    "early_close": (raw(), "reset"),
    "reset": (raw(then="reset"), "reset"),
    "close_in_the_head": (raw(b"HTTP/1.1 20"), "reset"),
    "reset_in_the_body": (raw(JSON + b"Content-Length: 100\r\n\r\n{", 0.05, then="reset"), "reset"),
    "slow_drip": (drip, "timeout"),
    "silence": (raw(then="hang"), "timeout"),
    "head_then_silence": (raw(JSON + b"Content-Length: 2\r\n\r\n", then="hang"), "timeout"),
}
STATUS = {"timeout": 504}


@pytest.mark.sanitize
@pytest.mark.parametrize("name", EVIL)
def test_evil_upstream_is_named_and_contained(gatherd, upstream, name):
    handler, reason = EVIL[name]
    up = upstream().on("/evil", handler)
    call = {"upstream": "up", "path": "/{what}", "max_body": "1MiB"}
    evil = {**call, "timeout": "1s"} if reason == "timeout" else call
    d = gatherd([{"path": "/evil", "calls": {"it": {**evil, "path": "/evil"}}}, {"path": "/{what}", "calls": {"it": call}}],
                {"up": up})
    assert d.get("/good").body == b'{"it":{"ok":true}}'
    before = d.memory()
    response = d.get("/evil")
    if reason:
        expect.is_problem(response, STATUS.get(reason, 502), reason, "it")
    else:
        assert response.status in (200, 502, 504), response
    assert d.get("/good").body == b'{"it":{"ok":true}}'
    d.check_memory(before, 8 << 20)
    assert d.access_log(3)[1]["calls"][0]["name"] == "it"


def test_204_with_a_body_does_not_poison_the_connection(gatherd, upstream):
    """What follows a 204 is not its body; the bytes must not become the next call's answer."""
    up = upstream().on("/evil", raw(b"HTTP/1.1 204 No Content\r\n\r\n" + with_length(b'"poison"'), then="keep"))
    d = gatherd([{"path": "/{what}", "calls": {"it": {"upstream": "up", "path": "/{what}"}}}], {"up": up})
    for _ in range(3):
        assert d.get("/evil").body in (b'{"it":null}',), "204 is null"
        assert d.get("/good").body == b'{"it":{"ok":true}}'


def test_bytes_after_an_answer_do_not_become_the_next_one(gatherd, upstream):
    up = upstream().on("/evil", raw(with_length(b"1") + with_length(b'"poison"'), then="keep"))
    d = gatherd([{"path": "/{what}", "calls": {"it": {"upstream": "up", "path": "/{what}"}}}], {"up": up})
    for _ in range(5):
        assert d.get("/evil").body == b'{"it":1}'
        assert d.get("/good").body == b'{"it":{"ok":true}}'


def test_depth_128_is_the_last_that_passes(gatherd, upstream):
    up = upstream(raw(with_length(deep(128)), then="keep"))
    d = gatherd([{"path": "/x", "calls": {"it": {"upstream": "up", "path": "/"}}}], {"up": up})
    assert d.get("/x").body == b'{"it":' + deep(128) + b"}"


@pytest.mark.parametrize("name", ["not_http", "both_lengths", "chunk_garbage", "truncated", "endless_header", "early_close", "reset",
                                  "two_lengths", "truncated_chunks", "nul_in_field", "folded_field", "bare_line_feeds"])
def test_evil_upstreams_behind_a_proxy_route(gatherd, upstream, name):
    """Before the head is out the client hears 502; after it the connection breaks, so that nobody takes half for whole."""
    from harness import wire
    up = upstream().on("/evil", EVIL[name][0])
    d = gatherd([{"path": "/{rest...}", "proxy": {"upstream": "up"}}], {"up": up})
    with d.client() as client:
        client.write_request("/evil")
        try:
            response = client.read_response()
            assert response.status in (502, 504), response
        except (wire.Closed, ConnectionResetError):
            assert name in ("chunk_garbage", "truncated", "truncated_chunks", "chunk_without_end")
    assert d.get("/good").body == b'{"ok":true}'


def test_interim_answers_are_skipped(gatherd, upstream):
    up = upstream(raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + with_length(b"1"), then="keep"))
    d = gatherd([{"path": "/x", "calls": {"it": {"upstream": "up", "path": "/"}}}], {"up": up})
    assert d.get("/x").body == d.get("/x").body == b'{"it":1}'
    assert len(up.conns) == 1

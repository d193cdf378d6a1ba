"""A part of 16 MiB costs its own size in memory: merging adds slices, shaping works in place unless keys grow."""
import re

import pytest
from harness.upstream import json_reply

MEBIBYTE = 1 << 20
ROW = b'{"id":1234567,"name":"%s","internal":"y"}' % (b"x" * 200)
ROWS = 16 * MEBIBYTE // (len(ROW) + 1)
BODY = b'{"items":[%s]}' % b",".join([ROW] * ROWS)


def chunked(conn):
    conn.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    for at in range(0, len(BODY), 65536):
        piece = BODY[at:at + 65536]
        conn.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    conn.send("0\r\n\r\n")


def peak(d):
    with open("/proc/%d/status" % d.process.pid) as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1)) * 1024


# how the part is made, what its rows become, and how many times the part's size the answer may take
SHAPES = {
    "as it is": ({}, ROW, 1.2),
    "chunked": ({"path": "/chunked"}, ROW, 1.2),
    "from": ({"from": "items"}, ROW, 1.2),
    "at the root": ({"into": "."}, ROW, 1.2),
    "select": ({"select": ["items[].id", "items[].name"]}, ROW.replace(b',"internal":"y"', b""), 1.2),
    "drop": ({"drop": "items[].internal"}, ROW.replace(b',"internal":"y"', b""), 1.2),
    "rename": ({"rename": {"items[].name": "n"}}, ROW.replace(b"name", b"n"), 1.2),
    "rename to what is longer": ({"rename": {"items[].name": "title"}}, ROW.replace(b"name", b"title"), 2.2),
}


@pytest.mark.parametrize("name", SHAPES)
def test_memory_of_a_large_part(gatherd, upstream, name):
    call, row, limit = SHAPES[name]
    up = upstream(json_reply(BODY)).on("/chunked", chunked).on("/small", json_reply(b'{"a":1}'))
    d = gatherd([{"path": "/", "calls": {"large": {"upstream": "up", "path": "/large", "max_body": "32MiB", **call},
                                         "small": {"upstream": "up", "path": "/small"}}}], {"up": up})
    before = d.memory()
    answer = d.get("/")
    rows = b"[%s]" % b",".join([row] * ROWS)
    if call.get("into") == ".":
        expected = b'{"items":%s,"small":{"a":1}}' % rows
    else:
        expected = b'{"large":%s,"small":{"a":1}}' % (rows if "from" in call else b'{"items":%s}' % rows)
    is_exact = answer.body == expected  # not in the assert: nobody wants to read the difference
    assert is_exact
    assert (peak(d) - before) / len(BODY) < limit


# what becomes of the merged answer, which is first written as one text: that is one copy more
ANSWERS = {
    "drop": ({"drop": "large.items[].internal"}, 2.2),
    "move of a small part": ({"move": {"small.a": "a"}}, 3.2),
    "move of the large part": ({"move": {"large.items": "items"}}, 3.2),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_memory_of_a_large_answer_that_is_reshaped(gatherd, upstream, name):
    response, limit = ANSWERS[name]
    up = upstream(json_reply(BODY)).on("/small", json_reply(b'{"a":1}'))
    d = gatherd([{"path": "/", "response": response, "calls": {
        "large": {"upstream": "up", "path": "/large", "max_body": "64MiB"},
        "small": {"upstream": "up", "path": "/small"}}}], {"up": up})
    before = d.memory()
    answer = d.get("/")
    kept = ROW.replace(b',"internal":"y"', b"") if name == "drop" else ROW
    rows = b"[%s]" % b",".join([kept] * ROWS)
    is_exact = answer.body == {"drop": b'{"large":{"items":%s},"small":{"a":1}}',
                               "move of a small part": b'{"large":{"items":%s},"small":{},"a":1}',
                               "move of the large part": b'{"large":{},"small":{"a":1},"items":%s}'}[name] % rows
    assert is_exact
    assert (peak(d) - before) / len(BODY) < limit, (peak(d) - before) / len(BODY)

"""The documents and HTTP messages that shapes.py sends around. All are generated, the same every time."""
import json
import random

WORDS = ["alpha", "Grüße aus Köln", "naïve café", "東京の天気", "line\nbreak", "a \"quoted\" name", "C:\\temp\\x", "plain text here",
         "Ελλάδα", "tab\tstop", "😀 smile", "ordinary", "https://example.com/a/b?c=d"]


def dump(value):
    """As services write it: UTF-8 as it is, and some of it escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("ö", "\\u00f6").encode()


def record(rnd, number):
    """Nested, with integers and fractions, escapes and text that is not ASCII."""
    return {
        "id": number, "uuid": "%032x" % rnd.getrandbits(128), "name": rnd.choice(WORDS), "active": rnd.random() < 0.5,
        "price": round(rnd.uniform(1, 1000), 2), "ratio": rnd.uniform(-1, 1) * 10 ** rnd.randint(-9, 9), "parent": None,
        "address": {"street": rnd.choice(WORDS), "geo": {"lat": round(rnd.uniform(-90, 90), 6),
                                                         "lon": round(rnd.uniform(-180, 180), 6)}},
        "tags": [rnd.choice(WORDS) for _ in range(rnd.randint(0, 4))],
    }


def typical(size):
    """A list of records, filled up to size octets exactly."""
    rnd = random.Random(size)
    items = []
    while len(dump({"total": 12345, "items": items, "note": ""})) < size:
        items.append(record(rnd, len(items) + 1))
    if items and len(dump({"total": 12345, "items": items, "note": ""})) > size:
        items.pop()
    note = size - len(dump({"total": 12345, "items": items, "note": ""}))
    return dump({"total": 12345, "items": items, "note": "x" * note})


def plain(size):
    """A few members, and one long text."""
    head = {"id": "42", "svc": "users", "port": 9001}
    return dump(dict(head, pad="x" * (size - len(dump(dict(head, pad=""))))))


def chunked(body, size):
    pieces = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def answer(body, framing):
    """An upstream's answer: framing is length, chunked (in pieces of 512 octets), or close (HTTP/1.0 without a length)."""
    if framing == "length":
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    if framing == "chunked":
        return (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                + chunked(body, 512))
    return b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body


def request(target, body, closes):
    """A client's request: a POST when there is a body."""
    head = "%s %s HTTP/1.1\r\nHost: bench\r\n" % ("POST" if body else "GET", target)
    if closes:
        head += "Connection: close\r\n"
    if body:
        head += "Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return head.encode() + b"\r\n" + body

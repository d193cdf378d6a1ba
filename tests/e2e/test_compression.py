"""Answers compressed for clients that ask for it: whole and streamed, with the fields that go with it."""
import gzip
import json
import os
import subprocess
import threading
import time
import zlib

import pytest
from harness import nginx, wait, wire
from harness.upstream import gate, json_reply, raw

DOCUMENT = {"items": [{"id": n, "name": "item %d" % n, "price": n * 1.5} for n in range(400)]}
TEXT = json.dumps(DOCUMENT).encode()
PAGE = b"<!doctype html>" + b"<p>the same words again and again</p>" * 300


def unbrotli(data):
    return subprocess.run(["brotli", "-d", "-c"], input=data, capture_output=True, check=True).stdout


DECODERS = {"gzip": gzip.decompress, "br": unbrotli}


def decoded(response):
    name = response.header("Content-Encoding")
    return DECODERS[name](response.body) if name else response.body


def gathered(path="/x", **more):
    return {"path": path, "timeout": "20s", "compress": {}, **more,
            "calls": {"part": {"upstream": "up", "path": "/part"}}}


@pytest.fixture
def part(upstream):
    up = upstream()
    up.on("/part", json_reply(TEXT))
    return up


def accepting(value, *more):
    return [("Accept-Encoding", value), *more]


@pytest.mark.sanitize
def test_a_merged_answer_is_compressed_as_one_body(gatherd, part):
    d = gatherd([gathered()], {"up": part})
    whole = b'{"part":' + TEXT + b"}"
    with d.client() as client:
        for wish, name in (("gzip", "gzip"), ("br", "br"), ("gzip, deflate, br, zstd", "br"), ("gzip;q=0.9, br;q=0.1", "gzip"),
                           ("*", "br"), ("br;q=0, *;q=0.1", "gzip")):
            response = client.request("/x", fields=accepting(wish))
            assert (response.status, response.header("Content-Encoding")) == (200, name), wish
            assert response.header("Vary") == "Accept-Encoding"
            assert int(response.header("Content-Length")) == len(response.body) < len(TEXT) // 3
            assert decoded(response) == whole
        for wish in ("identity", "", "zstd", "gzip;q=0", "identity;q=0", "*;q=0"):
            response = client.request("/x", fields=accepting(wish))
            assert response.body == whole and response.header("Content-Encoding") is None, wish
            assert response.header("Vary") == "Accept-Encoding"
        assert client.request("/x").header("Vary") == "Accept-Encoding"
    log = d.access_log(13)
    assert [r.get("encoding") for r in log] == ["gzip", "br", "br", "gzip", "br", "gzip"] + [None] * 7
    assert d.metric("gatherd_compression_in_bytes_total", route="/x") == 6 * len(whole)
    sent = d.metric("gatherd_compression_out_bytes_total", route="/x")
    assert 0 < sent < sum(r["bytes_out"] for r in log[:6])


def test_curl_and_other_decoders_agree(gatherd, part, tmp_path):
    d = gatherd([gathered(), {"path": "/page", "compress": {}, "reply": {"body": PAGE.decode(), "headers": {"Content-Type": "text/html"}}}],
                {"up": part})
    for path, body in (("/x", b'{"part":' + TEXT + b"}"), ("/page", PAGE)):
        url = "http://127.0.0.1:%d%s" % (d.port, path)
        ran = subprocess.run(["curl", "-s", "--compressed", "-D", tmp_path / "head", url], capture_output=True, check=True)
        assert ran.stdout == body
        assert b"content-encoding: " in (tmp_path / "head").read_bytes().lower()
        for name in DECODERS:
            coded = subprocess.run(["curl", "-s", "-H", "Accept-Encoding: " + name, url], capture_output=True, check=True).stdout
            assert DECODERS[name](coded) == body
            tool = {"gzip": ["gzip", "-dc"], "br": ["brotli", "-dc"]}[name]
            assert subprocess.run(tool, input=coded, capture_output=True, check=True).stdout == body


def test_what_is_small_coded_or_of_another_type_is_left_alone(gatherd, upstream):
    up = upstream()
    up.on("/small", json_reply(b'{"ok":true}'))
    up.on("/coded", json_reply(gzip.compress(TEXT), fields=[("Content-Encoding", "gzip"), ("ETag", '"v"')]))
    up.on("/image", json_reply(TEXT, content_type="image/png"))
    up.on("/fixed", json_reply(TEXT, fields=[("Cache-Control", "public, no-transform")]))
    up.on("/typeless", json_reply(TEXT, content_type=None))
    up.on("/empty", json_reply(b""))
    d = gatherd([{"path": "/{any}", "compress": {}, "proxy": {"upstream": "up"}}], {"up": up})
    with d.client() as client:
        for path in ("/small", "/coded", "/image", "/fixed", "/typeless", "/empty"):
            plain = client.request(path)
            response = client.request(path, fields=accepting("gzip, br"))
            assert response.body == plain.body, path
            assert [f for f in response.fields if f[0] != "Date"] == [f for f in plain.fields if f[0] != "Date"], path
            assert response.header("Vary") is None
        up.on("/asked", json_reply(TEXT))
        response = client.request("/asked", fields=accepting("gzip", ("Cache-Control", "no-transform")))
        assert response.body == TEXT


def test_types_sizes_and_levels_are_those_of_the_file(gatherd, upstream):
    up = upstream()
    up.on("/x", json_reply(TEXT, content_type="application/vnd.shop+json; v=1"))
    routes = [{"path": "/" + name, "compress": compress, "proxy": {"upstream": "up", "path": "/x"}} for name, compress in {
        "types": {"types": ["application/vnd.shop+json"]}, "not": {"types": ["application/json"]},
        "min": {"types": "application/*", "min_size": str(len(TEXT))}, "below": {"types": "application/*", "min_size": str(len(TEXT) + 1)},
        "fast": {"types": "application/*", "levels": {"gzip": 1, "br": 1}}, "hard": {"types": "application/*", "levels": {"gzip": 9, "br": 9}},
        "off": {"encodings": []}, "only": {"types": "application/*", "encodings": "gzip"}}.items()]
    d = gatherd(routes, {"up": up}, defaults={"route": {"compress": {"min_size": 1}}})
    get = {}
    for route in routes:
        get[route["path"][1:]] = d.request(route["path"], fields=accepting("gzip, br"))
    assert [n for n, r in get.items() if r.header("Content-Encoding")] == ["types", "min", "fast", "hard", "only"]
    assert get["only"].header("Content-Encoding") == "gzip" and get["types"].header("Content-Encoding") == "br"
    for name in ("gzip", "br"):
        fast, hard = (d.request(path, fields=accepting(name)) for path in ("/fast", "/hard"))
        assert decoded(fast) == decoded(hard) == TEXT and len(hard.body) < len(fast.body)


def test_tags_become_weak_and_are_known_again(gatherd, upstream):
    up = upstream()
    up.on("/part", json_reply(TEXT, fields=[("ETag", '"v1"')]))
    d = gatherd([gathered(response={"headers": {"copy": ["part: ETag"], "set": {"Vary": "Origin"}}}),
                 {**gathered("/formats"), "format": ["json", "ndjson"]}], {"up": up})
    with d.client() as client:
        response = client.request("/x", fields=accepting("gzip"))
        assert response.header("ETag") == 'W/"v1"' and response.header("Vary") == "Origin, Accept-Encoding"
        assert client.request("/x").header("ETag") == '"v1"'
        for tag in ('W/"v1"', '"v1"'):
            same = client.request("/x", fields=accepting("gzip", ("If-None-Match", tag)))
            assert (same.status, same.body, same.header("ETag")) == (304, b"", 'W/"v1"')
            assert same.header("Vary") == "Origin, Accept-Encoding" and same.header("Content-Encoding") is None
        assert client.request("/x", fields=[("If-None-Match", '"v1"')]).header("ETag") == '"v1"'
        assert client.request("/formats", fields=accepting("br")).header("Vary") == "Accept, Accept-Encoding"


def test_head_has_no_length_and_http_1_0_no_chunks(gatherd, part):
    part.on("/page", json_reply(PAGE, content_type="text/html"))
    d = gatherd([gathered(), {"path": "/page", "compress": {}, "proxy": {"upstream": "up"}}], {"up": part})
    with d.client() as client:
        for path in ("/x", "/page"):
            head = client.request(path, "HEAD", fields=accepting("gzip"))
            assert (head.header("Content-Encoding"), head.header("Vary")) == ("gzip", "Accept-Encoding")
            assert head.header("Content-Length") is None and head.header("Transfer-Encoding") is None
            assert int(client.request(path, "HEAD").header("Content-Length")) > 1000
    for path, body in (("/x", b'{"part":' + TEXT + b"}"), ("/page", PAGE)):
        response = d.request(path, fields=accepting("gzip"), version="1.0")
        assert response.header("Transfer-Encoding") is None and gzip.decompress(response.body) == body


class Inflater:
    """Reads the chunks of an answer as they come and says what they decode to so far."""

    def __init__(self, client, name):
        self.client = client
        self.name = name
        self.coded = b""

    def read_until(self, text):
        while self.text() != text:
            size = int(self.client.reader.until(b"\r\n"), 16)
            assert size > 0, self.text()
            self.coded += self.client.reader.exactly(size)
            self.client.reader.exactly(2)

    def text(self):
        if self.name == "gzip":
            return zlib.decompressobj(31).decompress(self.coded)
        if not self.coded:
            return b""
        # what a flush has made of an unfinished stream: the tool says that it is cut short, and writes what it has
        return subprocess.run(["brotli", "-d", "-c"], input=self.coded, capture_output=True).stdout


@pytest.mark.sanitize
def test_events_pass_one_by_one(gatherd, upstream):
    doors = [threading.Event() for _ in range(20)]
    events = [b'event: tick\ndata: {"n": %d}\n\n' % n for n in range(20)]

    def handler(conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for door, event in zip(doors, events):
            assert door.wait(wait.PATIENCE)
            conn.send(b"%x\r\n%s\r\n" % (len(event), event))
        conn.send(b"0\r\n\r\n")
        conn.served += 1
    up = upstream(handler)
    d = gatherd([{"path": "/events", "compress": {}, "proxy": {"upstream": "up"}}], {"up": up})
    with d.client() as client:
        client.write_request("/events", fields=accepting("gzip"))
        response = client.read_head()
        assert response.header("Content-Encoding") == "gzip"
        inflater = Inflater(client, "gzip")
        for n, door in enumerate(doors):
            door.set()
            inflater.read_until(b"".join(events[:n + 1]))
        client.reader.chunked(response)
        assert gzip.decompress(inflater.coded + response.body) == b"".join(events)


@pytest.mark.sanitize
@pytest.mark.parametrize("form", ["ndjson", "sse", "multipart"])
def test_streams_of_parts_are_compressed_part_by_part(gatherd, upstream, form):
    up, slow = upstream(), threading.Event()
    up.on("/fast", json_reply(TEXT))
    up.on("/slow", gate(slow, b"[2]"))
    d = gatherd([{"path": "/x", "format": form, "compress": {}, "timeout": "20s",
                  "calls": {name: {"upstream": "up", "path": "/" + name} for name in ("fast", "slow")}}], {"up": up})
    for name in ("gzip", "br"):
        slow.clear()
        with d.client() as client:
            client.write_request("/x", fields=accepting(name))
            response = client.read_head()
            assert response.header("Content-Encoding") == name and response.header("Vary") == "Accept-Encoding"
            size = int(client.reader.until(b"\r\n"), 16)
            coded = client.reader.exactly(size)
            client.reader.exactly(2)
            if name == "gzip":
                assert TEXT in zlib.decompressobj(31).decompress(coded)
            slow.set()
            client.reader.chunked(response)
            text = DECODERS[name](coded + response.body)
            assert TEXT in text and b"[2]" in text and b'"complete":true' in text


@pytest.mark.sanitize
def test_a_large_answer_shares_the_worker_with_others(gatherd, upstream):
    big = json.dumps([{"n": n, "text": "%x" % (n * 2654435761)} for n in range(150000)]).encode()
    up = upstream()
    up.on("/part", json_reply(big))
    d = gatherd([gathered(compress={"levels": {"gzip": 9}}), {"path": "/small", "reply": {"body": "ok"}}], {"up": up},
                defaults={"call": {"max_body": "16MiB"}})

    def served_meanwhile():
        """How many others, between the last octet of three parts and the first of an answer."""
        count, calls = 0, d.metric("gatherd_calls_total", upstream="up")
        with d.client() as client, d.client() as second, d.client() as third, d.client() as other:
            for each in (second, third, client):
                each.write_request("/x", fields=accepting("gzip"))
            wait.until(lambda: d.metric("gatherd_calls_total", upstream="up") == calls + 3, "the parts")
            while not _readable(client):
                assert other.request("/small").body == b"ok"
                count += 1
            response = client.read_response()
        assert gzip.decompress(response.body) == b'{"part":' + big + b"}"
        return count
    # compressed at one go it would be three at most; a machine that stops this test meanwhile shows nothing
    wait.until(lambda: served_meanwhile() > 10, "others to be served while answers are compressed")


def _readable(client):
    import select
    return bool(select.select([client.sock], [], [], 0)[0])


def test_a_slow_client_holds_little(gatherd, upstream):
    noise = [os.urandom(32768) for _ in range(8)]
    sent = [0]

    def handler(conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")
        while not conn.upstream.stopping.is_set():
            conn.send(noise[sent[0] % 8])
            sent[0] += 1
    up = upstream(handler)
    up.on("/y", json_reply(noise[0], content_type="text/plain"))
    d = gatherd([{"path": "/{any}", "compress": {}, "proxy": {"upstream": "up"}}], {"up": up})
    d.request("/y", fields=accepting("gzip"))
    before = d.memory()
    clients = [d.client(receive_buffer=4096) for _ in range(20)]
    for client in clients:
        client.write_request("/x", fields=accepting("gzip"))
    for client in clients:
        assert client.read_head().header("Content-Encoding") == "gzip"

    def is_stuck():
        seen = sent[0]
        time.sleep(0.3)
        return sent[0] == seen
    wait.until(is_stuck, "the upstream to be stopped", timeout=wait.PATIENCE)
    d.check_memory(before, 20 * 900 << 10, 80 * 900 << 10)
    for client in clients:
        client.close()
    wait.until(lambda: d.metric("gatherd_requests_in_flight") == 0, "requests to end")


def test_beyond_the_memory_for_it_answers_leave_as_they_are(gatherd, upstream):
    hold = threading.Event()

    def handler(conn):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nhello")
        assert hold.wait(wait.PATIENCE)
        conn.close()
    up = upstream(handler)
    d = gatherd([{"path": "/x", "compress": {}, "proxy": {"upstream": "up"}}], {"up": up}, overload={"compression_memory": "1MiB"})
    clients = [d.client() for _ in range(5)]
    heads = []
    for client in clients:
        client.write_request("/x", fields=accepting("gzip"))
        heads.append(client.read_head())
    assert [h.header("Content-Encoding") for h in heads] == ["gzip"] * 3 + [None] * 2
    assert [h.header("Vary") for h in heads] == ["Accept-Encoding"] * 5
    assert d.metric("gatherd_compression_skipped_total", route="/x") == 2
    hold.set()
    for client, head in zip(clients, heads):
        client.reader.chunked(head)
        assert decoded(head) == b"hello"
        client.close()


def test_a_stream_that_breaks_off_is_seen_to_be_cut(gatherd, upstream):
    up = upstream(raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", then="reset"))
    d = gatherd([{"path": "/x", "compress": {}, "proxy": {"upstream": "up"}}], {"up": up})
    for name in ("gzip", "br"):
        with pytest.raises((wire.Closed, ConnectionError)):
            d.request("/x", fields=accepting(name))
    assert d.request("/x", "HEAD", fields=accepting("gzip")).header("Content-Encoding") == "gzip"


def test_a_batch_is_compressed_as_a_whole(gatherd, part):
    d = gatherd([gathered(), {"path": "/batch", "compress": {}, "batch": {}}], {"up": part})
    entries = [{"path": "/x", "headers": {"Accept-Encoding": "gzip"}}] * 2
    response = d.request("/batch", "POST", body=json.dumps(entries).encode(), fields=accepting("gzip"))
    assert response.header("Content-Encoding") == "gzip"
    for entry in json.loads(gzip.decompress(response.body)):
        assert entry["body"] == {"part": DOCUMENT} and not {"content-encoding", "Content-Encoding"} & entry["headers"].keys()


NGINX = """
    types { text/html html; } default_type text/html;
    server { listen 127.0.0.1:%(port)d; location / { alias %(dir)s/files/; } }
"""


def test_ranges_and_conditions_of_files_stay_right(gatherd, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "page.html").write_bytes(PAGE)
    with nginx.running(tmp_path, NGINX) as port:
        d = gatherd([{"path": "/{f}", "methods": "any", "compress": {}, "proxy": {"upstream": "up"}}],
                    {"up": {"servers": ["http://127.0.0.1:%d" % port]}})
        with d.client() as client:
            plain = client.request("/page.html")
            strong = plain.header("ETag")
            assert plain.body == PAGE and strong.startswith('"') and plain.header("Accept-Ranges") == "bytes"
            coded = client.request("/page.html", fields=accepting("br"))
            assert decoded(coded) == PAGE and coded.header("ETag") == "W/" + strong
            assert coded.header("Accept-Ranges") is None and coded.header("Last-Modified") == plain.header("Last-Modified")
            part = client.request("/page.html", fields=accepting("br", ("Range", "bytes=100-2099"), ("If-Range", strong)))
            assert (part.status, part.body, part.header("ETag")) == (206, PAGE[100:2100], strong)
            assert part.header("Content-Encoding") is None and part.header("Vary") == "Accept-Encoding"
            # a weak tag is no condition for a part (RFC 9110 13.1.5): all of it comes
            whole = client.request("/page.html", fields=accepting("br", ("Range", "bytes=100-2099"), ("If-Range", "W/" + strong)))
            assert (whole.status, decoded(whole)) == (200, PAGE)
            for condition in (("If-None-Match", "W/" + strong), ("If-Modified-Since", plain.header("Last-Modified"))):
                same = client.request("/page.html", fields=accepting("gzip", condition))
                assert (same.status, same.header("ETag"), same.header("Vary")) == (304, "W/" + strong, "Accept-Encoding")
            over = client.request("/page.html", fields=accepting("gzip", ("Range", "bytes=%d-" % len(PAGE))))
            assert over.status == 416 and over.header("Content-Range") == "bytes */%d" % len(PAGE)

"""Answers of upstreams that come compressed: decoded for merging, refused when they are damaged or too much,
left alone on proxy routes."""
import gzip
import json
import random
import subprocess
import zlib

import pytest
from harness import expect, nginx
from harness.upstream import json_reply, raw

DOCUMENT = {"items": [{"id": n, "name": "item %d" % n, "price": n * 1.5} for n in range(400)]}
TEXT = json.dumps(DOCUMENT).encode()


def brotli(data, quality=5):
    return subprocess.run(["brotli", "-c", "-q", str(quality)], input=data, capture_output=True, check=True).stdout


CODERS = {"gzip": gzip.compress, "br": brotli, "deflate": zlib.compress, "x-gzip": gzip.compress}


def coded(name, data, more=()):
    return json_reply(data, fields=[("Content-Encoding", name), *more])


def route(path, **call):
    return {"path": path, "timeout": "20s", "calls": {"part": {"upstream": "up", "path": path, **call}}}


@pytest.mark.sanitize
@pytest.mark.parametrize("name", list(CODERS))
def test_a_compressed_answer_is_merged_as_what_it_says(gatherd, upstream, name):
    up = upstream()
    up.on("/x", coded(name, CODERS[name](TEXT)))
    d = gatherd([route("/x")], {"up": up})
    with d.client() as client:
        for _ in range(3):
            response = client.request("/x")
            assert response.body == b'{"part":' + TEXT + b"}"
            assert response.header("Content-Encoding") is None
    assert up.requests[0].header("Accept-Encoding") is None
    assert len(up.conns) == 1
    labels = {"upstream": "up"}
    assert d.metric("gatherd_upstream_decompression_in_bytes_total", **labels) == 3 * len(CODERS[name](TEXT))
    assert d.metric("gatherd_upstream_decompression_out_bytes_total", **labels) == 3 * len(TEXT)


@pytest.mark.sanitize
def test_it_may_come_in_any_pieces(gatherd, upstream):
    rnd, up = random.Random(7), upstream()
    body = b"".join(gzip.compress(TEXT[at:at + 5000]) for at in range(0, len(TEXT), 5000))  # members

    def chunks():
        at = 0
        while at < len(body):
            n = rnd.randint(1, 900)
            yield b"%x\r\n%s\r\n" % (len(body[at:at + n]), body[at:at + n])
            at += n
        yield b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
    up.on("/chunked", raw(head + b"Transfer-Encoding: chunked\r\n\r\n", *chunks(), then="keep"))
    up.on("/close", raw(head + b"\r\n", *[body[at:at + 777] for at in range(0, len(body), 777)]))
    up.on("/cut", raw(head + b"\r\n", body[:-3]))
    d = gatherd([route("/chunked"), route("/close"), route("/cut")], {"up": up})
    for path in ("/chunked", "/close", "/chunked"):
        assert d.request(path).body == b'{"part":' + TEXT + b"}"
    expect.is_problem(d.request("/cut"), 502, "content_coding_invalid", "part")


@pytest.mark.sanitize
def test_what_cannot_be_decoded_is_a_failure_with_a_name(gatherd, upstream):
    up = upstream()
    whole = gzip.compress(TEXT)
    damaged = bytearray(whole)
    damaged[-6] ^= 1  # of the checksum
    cases = {
        "damaged": coded("gzip", bytes(damaged)),
        "short": coded("gzip", whole[:-1]),
        "garbage": coded("gzip", whole + b"garbage"),
        "plain": coded("gzip", TEXT),
        "br_short": coded("br", brotli(TEXT)[:-1]),
        "br_garbage": coded("br", brotli(TEXT) + b"x"),
        "raw_deflate": coded("deflate", zlib.compress(TEXT)[2:-4]),
    }
    unknown = {
        "zstd": coded("zstd", b"whatever"),
        "twice": coded("gzip, gzip", gzip.compress(whole)),
        "two_fields": coded("gzip", whole, [("Content-Encoding", "br")]),
    }
    for name, handler in {**cases, **unknown}.items():
        up.on("/" + name, handler)
    d = gatherd([route("/" + name) for name in {**cases, **unknown}], {"up": up})
    for name in cases:
        expect.is_problem(d.request("/" + name), 502, "content_coding_invalid", "part")
    for name in unknown:
        expect.is_problem(d.request("/" + name), 502, "content_coding_unknown", "part")
    assert d.metric("gatherd_calls_total", route="/twice", call="part", reason="content_coding_unknown") == 1


def test_bombs_are_refused_within_bounded_memory(gatherd, upstream):
    up = upstream()
    zeros = b"[" + b" " * (64 << 20) + b"]"
    up.on("/gzip", coded("gzip", gzip.compress(zeros, 9)))
    up.on("/br", coded("br", brotli(zeros, 9)))
    up.on("/large", coded("gzip", gzip.compress(zeros, 9)))
    d = gatherd([route("/gzip"), route("/br"), route("/large", max_ratio=100000, max_body="1MiB")], {"up": up})
    before = d.memory()
    for _ in range(5):
        for path in ("/gzip", "/br"):
            problem = d.request(path)
            # whichever bound is met first: four MiB, or two hundred times what came
            assert problem.json()["reason"] in ("decoded_ratio", "decoded_too_large")
        expect.is_problem(d.request("/large"), 502, "decoded_too_large", "part")
    assert d.request("/gzip").json()["reason"] == "decoded_ratio"
    d.check_memory(before, 12 << 20, 64 << 20)


def test_the_limits_are_those_of_what_comes_out(gatherd, upstream):
    up = upstream()
    up.on("/x", coded("gzip", gzip.compress(TEXT)))
    repetitive = b"[" + b"1," * 20000 + b"1]"
    up.on("/y", coded("gzip", gzip.compress(repetitive)))  # under 64 KiB the ratio does not matter
    d = gatherd([{**route("/x", max_body=str(len(TEXT))), "name": "fits"},
                 {**route("/x", max_body=str(len(TEXT) - 1)), "name": "over", "path": "/over"},
                 route("/y", max_ratio=2)], {"up": up})
    assert d.request("/x").status == 200
    expect.is_problem(d.request("/over"), 502, "decoded_too_large", "part")
    assert d.request("/y").json() == {"part": json.loads(repetitive)}


def test_bodies_that_are_not_there_have_no_coding(gatherd, upstream):
    up = upstream()
    up.on("/none", raw(b"HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n", then="keep"))
    up.on("/empty", coded("gzip", b""))
    d = gatherd([route("/none"), route("/empty")], {"up": up})
    assert d.request("/none").json() == {"part": None}
    assert d.request("/empty").json() == {"part": None}


def test_the_upstream_is_asked_only_when_the_file_says_so(gatherd, upstream):
    up = upstream()
    d = gatherd([route("/a"), route("/b", accept_encoding=["br", "gzip"]), route("/c", accept_encoding="gzip", headers={"X": "1"}),
                 {"path": "/d", "accept_encoding": "deflate", "calls": {"part": {"upstream": "up", "path": "/d"}}}],
                {"up": up})
    for path in "abcd":
        assert d.request("/" + path, fields=[("Accept-Encoding", "zstd")]).status == 200
    assert [r.header("Accept-Encoding") for r in up.requests] == [None, "br, gzip", "gzip", "deflate"]


def test_an_error_that_is_passed_on_is_readable(gatherd, upstream):
    up = upstream()
    problem = b'{"detail":"no such user"}'
    up.on("/x", json_reply(gzip.compress(problem), status=404, fields=[("Content-Encoding", "gzip")]))
    d = gatherd([route("/x", pass_errors=[404])], {"up": up})
    response = d.request("/x")
    assert (response.status, response.body, response.header("Content-Encoding")) == (404, problem, None)


def test_a_proxy_passes_what_is_compressed_on_untouched(gatherd, upstream):
    up = upstream()
    body = gzip.compress(TEXT) + b"and whatever follows"
    up.on("/x", coded("gzip", body))
    up.on("/y", coded("zstd, gzip", body))
    d = gatherd([{"path": "/{any}", "proxy": {"upstream": "up"}}], {"up": up})
    for path, name in (("/x", "gzip"), ("/y", "zstd, gzip")):
        response = d.request(path, fields=[("Accept-Encoding", "gzip, zstd")])
        assert response.body == body and response.header("Content-Encoding") == name
    assert up.requests[0].header("Accept-Encoding") == "gzip, zstd"


NGINX = """
    types { } default_type application/json;
    gzip on; gzip_types application/json; gzip_proxied any; gzip_http_version 1.1;
    server { listen 127.0.0.1:%(port)d; location /files/ { alias %(dir)s/files/; } }
"""


def test_nginx_that_compresses(gatherd, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "doc").write_bytes(TEXT)
    with nginx.running(tmp_path, NGINX) as port:
        call = {"upstream": "up", "path": "/files/doc"}
        d = gatherd([{"path": "/asked", "calls": {"part": {**call, "accept_encoding": "gzip"}}},
                     {"path": "/plain", "calls": {"part": call}}, {"path": "/files/{f}", "proxy": {"upstream": "up"}}],
                    {"up": {"servers": ["http://127.0.0.1:%d" % port]}})
        with d.client() as client:
            for _ in range(20):
                assert client.request("/asked").body == b'{"part":' + TEXT + b"}"
            made = d.metric("gatherd_upstream_decompression_out_bytes_total", upstream="up")
            assert made == 20 * len(TEXT)
            assert client.request("/plain").body == b'{"part":' + TEXT + b"}"
            assert d.metric("gatherd_upstream_decompression_out_bytes_total", upstream="up") == made
            response = client.request("/files/doc", fields=[("Accept-Encoding", "gzip")])
            assert response.header("Content-Encoding") == "gzip" and gzip.decompress(response.body) == TEXT

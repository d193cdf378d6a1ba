"""No way of writing a length makes gatherd and an upstream disagree on where a request ends.

Every request carries a second one in its body. However its length is written, either the request is refused and
the connection closed, or the body stays a body: the inner request never arrives at the upstream as one.
"""
import random
import re

import pytest
from harness import wait, wire

INNER = b"GET /smuggled HTTP/1.1\r\nHost: inner\r\n\r\n"
N = b"%d" % len(INNER)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(INNER), INNER)

LENGTHS = [b"Content-Length: " + v for v in (
    N, N + b" ", b"\t" + N, b"+" + N, b"-" + N, b"0" + N, b"0x%x" % len(INNER), N + b"," + N, N + b", " + N, N + b";", N + b".0",
    b'"%s"' % N, N + b"a", N + b" 0", N + b"\x0b", N + b"\x00", N + b"e0", b"%d" % (2 ** 64 + len(INNER)), b"", b",", N + b",",
    b"1_0")]
LENGTHS += [b"Content-Length : " + N, b"Content-Length\t: " + N, b"Content-Length:" + N, b"content-LENGTH: " + N,
            b"Content-Length: %s\r\nContent-Length: %s" % (N, N), b"Content-Length: %s\r\nContent-Length: 0" % N,
            b"Content-Length: 0\r\nContent-Length: %s" % N, b"Content-Length:\r\n %s" % N, b"X: y\r\n Content-Length: %s" % N,
            b"Content-Length: %s\r\nConnection: Content-Length" % N, b"\x0bContent-Length: " + N, b"Content-Length: %s\nX: y" % N, b"Content-Length: %s\rX: y" % N]
CODINGS = [b"Transfer-Encoding: " + v for v in (
    b"chunked", b"Chunked", b" chunked", b"chunked ", b"\tchunked", b"chunked,", b",chunked", b"chunked, chunked", b"chunked, identity",
    b"identity, chunked", b"identity", b"gzip", b"gzip, chunked", b"chunked, gzip", b"xchunked", b"chunkedx", b"chunk", b"chunked;q=1",
    b"\x0bchunked", b"chunked\x00", b'"chunked"', b"cow", b"")]
CODINGS += [b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b"Transfer-Encoding:\r\n chunked",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
            b"transfer-encoding:chunked", b"Transfer-Encoding: chunked\nX: y", b"X: y\nTransfer-Encoding: chunked", b" Transfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding"]
CHUNKS = [CHUNKED, CHUNKED.replace(b"\r\n0\r\n", b"\n0\n"), CHUNKED.replace(b"\r\n", b"\r\r\n", 1), b"0" * 20 + CHUNKED, b"+" + CHUNKED,
          b"0x" + CHUNKED, b" " + CHUNKED, CHUNKED.replace(b"\r\n", b" \r\n", 1), CHUNKED.replace(b"\r\n", b";a=\"\n\"\r\n", 1),
          CHUNKED.replace(b"\r\n", b";\x00\r\n", 1), b"00\r\n\r\n", b"0\r\nX: y\r\n\r\n", CHUNKED.replace(b"\r\n0", b"0"), b"-" + CHUNKED,
          CHUNKED.replace(b"\r\n", b"\n", 1), CHUNKED.replace(b"\r\n", b"\r", 1), b"10000000000000000" + CHUNKED]


@pytest.fixture
def proxy(gatherd, upstream):
    up = upstream()
    return gatherd([{"path": "/{rest...}", "methods": "any", "proxy": {"upstream": "up"}}], {"up": up}), up


def send(d, framing, body, version=b"1.1", method=b"POST", pieces=1, silence=0.25):
    """Sends one request and the stream that follows it; returns what came back until the end or silence."""
    data = b"%s /outer HTTP/%s\r\nHost: outer\r\n%s\r\n\r\n%s" % (method, version, framing, body)
    with d.client(timeout=silence) as client:
        try:
            step = max(1, len(data) // pieces)
            for start in range(0, len(data), step):
                client.send(data[start:start + step])
            return client.reader.to_eof()
        except TimeoutError:
            return bytes(client.reader.received)
        except ConnectionError:
            return b""


def check(up, sent, answers):
    assert not up.failures, "%r: %r" % (sent, up.failures)
    paths = [r.path for r in up.requests]
    assert "/smuggled" not in paths, sent
    assert len(re.findall(rb"(?:^|\n|\})HTTP/1\.1 [2-5]", answers)) <= 1, (sent, answers)
    for request in up.requests:
        lengths, codings = request.all("Content-Length"), request.all("Transfer-Encoding")
        assert not (lengths and codings), sent
        assert lengths in ([], [str(len(request.body))]), (sent, lengths)
        assert codings in ([], ["chunked"]), (sent, codings)
        assert len(request.all("Host")) == 1, sent
        head = request.raw.split(b"\r\n\r\n")[0]
        assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[^\r]\n|\r[^\n]", head), (sent, head)
    del up.requests[:]


@pytest.mark.sanitize
def test_no_way_of_writing_a_length_smuggles(proxy):
    d, up = proxy
    for framing in LENGTHS:
        check(up, framing, send(d, framing, INNER))
    for framing in CODINGS:
        check(up, framing, send(d, framing, CHUNKED))
    assert d.is_serving()


@pytest.mark.sanitize
def test_no_way_of_writing_chunks_smuggles(proxy):
    d, up = proxy
    for body in CHUNKS:
        if body in (b"00\r\n\r\n", b"0\r\nX: y\r\n\r\n"):
            continue
        check(up, body, send(d, b"Transfer-Encoding: chunked", body))


def test_both_lengths_in_any_order_and_spelling_are_refused(proxy):
    d, up = proxy
    for length in (b"Content-Length: " + N, b"content-length:%s" % N, b"Content-Length: 0"):
        for coding in (b"Transfer-Encoding: chunked", b"transfer-encoding: CHUNKED", b"Transfer-Encoding: x, chunked"):
            for framing in (length + b"\r\n" + coding, coding + b"\r\n" + length, coding + b"\r\nX: y\r\n" + length):
                answer = send(d, framing, CHUNKED, silence=wait.PATIENCE)  # an end must come
                assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), (framing, answer)
                check(up, framing, answer)
    assert not up.conns


def test_random_mixtures_never_smuggle(proxy):
    """A fixed seed; mutations of bytes, orders, versions and pieces."""
    d, up = proxy
    rnd = random.Random(20)
    for _ in range(400):
        lines = rnd.sample(LENGTHS, rnd.randint(0, 1)) + rnd.sample(CODINGS, rnd.randint(0, 2))
        if not lines:
            continue
        rnd.shuffle(lines)
        framing = b"\r\n".join(lines)
        body = rnd.choice([INNER, *CHUNKS[:11]]) if b"ransfer" not in framing else rnd.choice(CHUNKS[:10])
        legit = b"ransfer" not in framing.replace(b"Transfer-Encoding: identity", b"") and b"ontent" in framing and body is not INNER
        if legit:
            body = INNER
        sent = (framing, body)
        version = rnd.choice([b"1.1", b"1.1", b"1.0"])
        answers = send(d, framing, body, version=version, pieces=rnd.choice([1, 1, 2, 7]))
        check(up, sent, answers)
    assert d.is_serving()


def test_random_bytes_in_heads_never_reach_the_upstream(proxy):
    """Whatever is put anywhere into a request, the upstream only ever reads well-formed ones."""
    d, up = proxy
    rnd = random.Random(21)
    whole = b"POST /outer?q=1 HTTP/1.1\r\nHost: outer:80\r\nX-Some: thing\r\nCookie: a=b\r\nContent-Length: 5\r\n\r\nhello"
    for _ in range(600):
        data = bytearray(whole)
        for _ in range(rnd.randint(1, 3)):
            at = rnd.randrange(len(data) - 6)
            what = rnd.choice([b"\r", b"\n", b"\x00", b" ", b"\t", b":", b"\x7f", b"\xff", b"%", b"#", b"\\", b"@", b"\r\n", b"\r\n ", b";",
                               bytes([rnd.randrange(256)])])
            if rnd.random() < 0.5:
                data[at:at] = what
            else:
                data[at:at + 1] = what
        with d.client(timeout=0.05) as client:
            try:
                client.send(bytes(data))
                client.reader.to_eof()
            except (TimeoutError, ConnectionError, wire.Closed):
                pass
        assert not up.failures, (bytes(data), up.failures)
        for request in up.requests:
            head = request.raw.split(b"\r\n\r\n")[0]
            assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[^\r]\n|\r[^\n]", head), (bytes(data), head)
            assert re.match(r"[!-~]+$", request.target) and "#" not in request.target, (bytes(data), request.target)
            assert len(request.all("Host")) == 1
        del up.requests[:]
    assert d.is_serving()

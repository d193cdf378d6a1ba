"""A real browser at the edge: pages and WebSocket over TLS, with the certificate of a test's authority."""
import pytest
from harness import browser
from harness import websocket as ws
from harness.upstream import json_reply

pytestmark = [pytest.mark.skipif(browser.binary() is None, reason="neither chromium-headless-shell nor chromium is installed"),
              pytest.mark.alone]

PAGE = b"<!doctype html><title>at the edge</title><p id=text>" + b"the same words again and again. " * 2000

# Says `count` messages of many sizes, texts and bytes, and counts those that came back as they were.
TALK = """
new Promise((resolve) => {
    const socket = new WebSocket('wss://' + location.host + '/ws', ['chat']), count = 300, said = [];
    let right = 0;
    socket.binaryType = 'arraybuffer';
    const make = (n) => n % 2 ? 'text ' + 'ä'.repeat(n * 7 % 3000) : Uint8Array.from({length: n * 331 % 70000}, (_, i) => i * n);
    const same = (a, b) => typeof a === 'string' ? a === b :
        b instanceof ArrayBuffer && a.length === b.byteLength && new Uint8Array(b).every((v, i) => v === a[i]);
    socket.onopen = () => { for (let n = 0; n < count; n++) { said.push(make(n)); socket.send(said[n]); } };
    socket.onmessage = (event) => {
        right += same(said.shift(), event.data);
        if (said.length === 0) socket.close(4000, 'done');
    };
    socket.onclose = (event) => resolve({right, count, code: event.code, clean: event.wasClean,
        protocol: socket.protocol, extensions: socket.extensions});
})
"""


@pytest.fixture
def chromium(pki, tmp_path):
    started = browser.Browser(tmp_path, ca=pki.ca)
    yield started
    started.stop()


@pytest.fixture
def edge(pki):
    """The value of `listener` for a daemon behind https://localhost."""
    pair = pki.issue("site")
    return {"tls": {"certificate": pair[0], "key": pair[1]}}


def origin(d):
    return "https://localhost:%d" % d.port


def test_a_page_opens_a_websocket_over_tls(gatherd, upstream, chromium, edge):
    server = ws.Server(subprotocols=["chat"])
    page = upstream(json_reply(PAGE, content_type="text/html; charset=utf-8"))
    d = gatherd([{"path": "/", "proxy": {"upstream": "page"}}, {"path": "/ws", "proxy": {"upstream": "ws", "upgrade": "websocket"}}],
                {"page": page, "ws": server.conf()}, listener=edge)
    try:
        told = chromium.evaluate(origin(d) + "/", TALK)
    finally:
        server.stop()
    assert told.pop("extensions").startswith("permessage-deflate")
    assert told == {"right": 300, "count": 300, "code": 4000, "clean": True, "protocol": "chat"}
    assert [r["status"] for r in d.access_log(2) if r["path"] == "/ws"] == [101]


def test_a_page_by_an_authority_that_it_does_not_know_is_refused(gatherd, tmp_path, edge):
    stranger = browser.Browser(tmp_path)
    d = gatherd([{"path": "/", "reply": {"body": "hello"}}], listener=edge)
    try:
        with pytest.raises(AssertionError, match="ERR_CERT_AUTHORITY_INVALID"):
            stranger.evaluate(origin(d) + "/", "document.title")
    finally:
        stranger.stop()


FETCH = """
(async () => {
    const response = await fetch('/data'), text = await response.text(), lines = [];
    const events = new EventSource('/events');
    const ended = new Promise((resolve) => {
        events.onmessage = (event) => lines.push(event.data);
        events.addEventListener('end', () => { events.close(); resolve(); });
    });
    await ended;
    const [page] = performance.getEntriesByType('navigation');
    const [data] = performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/data'));
    return {text: document.getElementById('text').textContent.length, data: text.length, lines,
        page_saved: page.encodedBodySize < page.decodedBodySize / 4, data_saved: data.encodedBodySize < data.decodedBodySize / 2,
        decoded: page.decodedBodySize};
})()
"""


def test_a_page_its_data_and_its_events_are_compressed_over_tls(gatherd, upstream, chromium, edge):
    events = b"".join(b"data: event %d\n\n" % n for n in range(200)) + b"event: end\ndata: x\n\n"
    up = upstream()
    up.on("/", json_reply(PAGE, content_type="text/html; charset=utf-8"))
    up.on("/data", json_reply(b'{"n":[' + b",".join(b"%d" % (n * 7919) for n in range(3000)) + b"]}"))
    up.on("/events", json_reply(events, content_type="text/event-stream"))
    d = gatherd([{"path": "/{rest...}", "compress": {}, "proxy": {"upstream": "up"}},
                 {"path": "/data", "compress": {"encodings": "gzip"}, "calls": {"all": {"upstream": "up", "path": "/data", "into": "."}}}],
                {"up": up}, listener=edge)
    told = chromium.evaluate(origin(d) + "/", FETCH)
    assert told == {"text": len(PAGE) - PAGE.index(b"the same"), "data": 6 + sum(len(str(n * 7919)) + 1 for n in range(3000)) + 1,
                    "lines": ["event %d" % n for n in range(200)], "page_saved": True, "data_saved": True, "decoded": len(PAGE)}
    used = {r["path"]: r.get("encoding") for r in d.access_log(3)}
    assert (used["/"], used["/data"], used["/events"]) == ("br", "gzip", "br")

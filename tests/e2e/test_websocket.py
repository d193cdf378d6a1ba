"""WebSocket through gatherd, by python3-websockets on both sides, by curl, and through nginx."""
import asyncio
import http
import random
import signal
import subprocess
import time

import pytest
import websockets
from harness import nginx, tls, wait
from harness import websocket as ws

ROUTES = [{"name": "ws", "path": "/ws", "proxy": {"upstream": "up", "upgrade": ["websocket"]}},
          {"path": "/plain", "proxy": {"upstream": "up", "path": "/ws"}}]


@pytest.fixture
def server():
    started = []

    def start(*arguments, **named):
        started.append(ws.Server(*arguments, **named))
        return started[-1]
    yield start
    for each in started:
        each.stop()


def message(rnd):
    size = rnd.choice([0, 1, 100, 125, 126, 1000, 20000, 65535, 65536]) if rnd.random() < 0.2 else rnd.randrange(400)
    data = rnd.randbytes(size)
    return data if rnd.random() < 0.5 else data.hex()


async def talk(client, seed, count):
    """`count` messages to an echo, several under way at once; each must come back, in order."""
    rnd = random.Random(seed)
    sent = [message(rnd) for _ in range(count)]

    async def say():
        for each in sent:
            await client.send(each)
    saying = asyncio.create_task(say())
    for number, each in enumerate(sent):
        got = await asyncio.wait_for(client.recv(), wait.PATIENCE)
        assert got == each, "message %d: %r for %r" % (number, got[:40], each[:40])
    await saying


# ---- all transports

@pytest.mark.sanitize
@pytest.mark.threads
@pytest.mark.parametrize("front", ["plain", "tls"])
@pytest.mark.parametrize("back", ["plain", "tls", "unix"])
def test_thousands_of_messages_both_ways(gatherd, server, pki, front, back):
    pair = pki.issue("site")
    up = server(where="unix" if back == "unix" else "tcp", pair=pair if back == "tls" else None)
    d = gatherd(ROUTES, {"up": up.conf(**({"tls": {"ca": pki.ca}} if back == "tls" else {}))}, workers=2,
                listener={"tls": {"certificate": pair[0], "key": pair[1]}} if front == "tls" else {})
    context = tls.client_context(pki.ca) if front == "tls" else None

    async def run():
        async def one(seed):
            # the extension is between the two ends: offered, chosen and used
            async with ws.connect(d, context=context, compression="deflate" if seed % 2 else None) as client:
                assert bool(client.extensions) == bool(seed % 2)
                await talk(client, seed, 500)
        await asyncio.gather(*(one(seed) for seed in range(4)))
    asyncio.run(run())
    wait.until(lambda: d.metric("gatherd_tunnels") == 0, "the tunnels to end")
    wait.until(lambda: up.ended == [1000] * 4, "the server to have ended all four well")
    records = d.access_log(4)
    assert [(r["status"], r["reason"], r["upgrade"]) for r in records] == [(101, "none", "websocket")] * 4
    assert d.metric("gatherd_tunnel_received_bytes_total", route="ws") < sum(r["bytes_in"] for r in records)
    assert d.metric("gatherd_tunnel_sent_bytes_total", route="ws") == sum(r["calls"][0]["bytes"] for r in records)


def test_subprotocols_and_fields_cross(gatherd, server):
    up = server(subprotocols=["chat.v2", "chat"], extra_headers=[("X-From", "up")])
    d = gatherd(ROUTES, {"up": up.conf()})

    async def run():
        async with ws.connect(d, subprotocols=["chat", "other"], extra_headers=[("X-Mine", "1")]) as client:
            assert client.subprotocol == "chat"
            assert client.response_headers["X-From"] == "up"
            await talk(client, 1, 10)
            assert up.peers[0].request_headers["X-Mine"] == "1"
            assert up.peers[0].request_headers["X-Forwarded-For"] == "127.0.0.1"
    asyncio.run(run())


def test_fields_that_the_route_sets_cross(gatherd, server):
    up = server()
    route = {"path": "/{room}", "proxy": {"upstream": "up", "upgrade": ["websocket"], "headers": {"X-Room": "{room}"}}}
    d = gatherd([route], {"up": up.conf()})

    async def run():
        async with ws.connect(d, path="/7", extra_headers=[("x-room", "8"), ("X_Room", "9")]) as client:
            await talk(client, 1, 10)
            fields = up.peers[0].request_headers
            assert fields.get_all("X-Room") == ["7"] and "X_Room" not in fields
    asyncio.run(run())


def test_close_codes_cross(gatherd, server):
    async def bye(peer):
        await peer.recv()
        await peer.close(4001, "enough")
    d = gatherd(ROUTES, {"up": server(bye).conf()})

    async def run():
        async with ws.connect(d) as client:
            await client.send("go")
            with pytest.raises(websockets.ConnectionClosed):
                await client.recv()
            assert (client.close_code, client.close_reason) == (4001, "enough")
    asyncio.run(run())
    assert d.access_log()[0]["reason"] == "none"


# ---- who is let through

def test_a_route_without_upgrade_lets_none_through(gatherd, server):
    up = server()
    d = gatherd(ROUTES, {"up": up.conf()})

    async def run():
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            async with ws.connect(d, "/plain"):
                pass
        assert refused.value.status_code == 403
    asyncio.run(run())
    assert not up.peers


def test_what_the_server_refuses_is_an_ordinary_answer(gatherd, server):
    async def refuse(path, headers):
        return (http.HTTPStatus.FORBIDDEN, [("X-Why", "no")], b"not you\n") if "X-Mine" not in headers else None
    d = gatherd(ROUTES, {"up": server(process_request=refuse).conf()})
    for _ in range(3):
        response = d.request("/ws", fields=ws.OFFER)
        assert (response.status, response.body, response.header("X-Why")) == (403, b"not you\n", "no")
    with d.client() as client:
        client.write_request("/ws", fields=[*ws.OFFER, ("X-Mine", "1")])
        assert client.read_head().status == 101


def curl(d, *arguments):
    return subprocess.run(["curl", "-sS", "-i", "-N", "--max-time", "60", *arguments, "http://127.0.0.1:%d/ws" % d.port],
                          capture_output=True, timeout=wait.PATIENCE)


def test_curl_changes_to_it_and_never_to_h2c(gatherd, server):
    async def greet(peer):
        await peer.send("hello")
    d = gatherd(ROUTES, {"up": server(greet, close_timeout=0.2).conf()})
    offer = [option for field in ws.OFFER for option in ("-H", "%s: %s" % field)]
    said = curl(d, "--http1.1", *offer).stdout
    assert said.startswith(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
    assert b"\x81\x05hello\x88\x02\x03\xe8" in said
    said = curl(d, "--http2").stdout
    assert said.startswith(b"HTTP/1.1 426 ") and b"h2c" not in said


# ---- limits

def test_a_tunnel_holds_its_permits(gatherd, server):
    d = gatherd(ROUTES, {"up": server().conf(concurrency={"limit": 2}, queue={"size": 0})})

    async def run():
        async with ws.connect(d) as first, ws.connect(d) as second:
            await talk(first, 1, 3)
            await talk(second, 2, 3)
            assert d.upstream_state("up")["in_flight"] == 2
            assert d.metric("gatherd_tunnels", route="ws") == 2
            assert d.metric("gatherd_requests_in_flight") == 2
            with pytest.raises(websockets.InvalidStatusCode) as refused:
                async with ws.connect(d):
                    pass
            assert refused.value.status_code == 503
        wait.until(lambda: d.upstream_state("up")["in_flight"] == 0, "the permits to come back")
        async with ws.connect(d) as third:
            await talk(third, 3, 3)
    asyncio.run(run())


def test_silence_ends_a_tunnel_and_a_ping_is_no_silence(gatherd, server):
    async def run(d, ms):
        async with ws.connect(d, ping_interval=ms / 6000) as pinging:
            began = time.monotonic()
            async with ws.connect(d) as silent:
                with pytest.raises(websockets.ConnectionClosedError):
                    await asyncio.wait_for(silent.recv(), wait.PATIENCE)
            assert time.monotonic() - began > 0.7 * ms / 1000
            await asyncio.sleep(1.2 * ms / 1000)
            assert pinging.open
            await talk(pinging, 1, 3)

    def attempt(ms):
        tunnel = {"idle_timeout": "%dms" % ms}
        routes = [{"path": "/ws", "proxy": {"upstream": "up", "upgrade": "websocket", "tunnel": tunnel}}]
        d = gatherd(routes, {"up": server().conf(timeouts={"total": "%dms" % (ms / 2), "first_byte": "%dms" % (ms / 2)})})
        asyncio.run(run(d, ms))
        assert [r["reason"] for r in d.access_log(2)] == ["tunnel_idle", "none"]
    wait.with_time(attempt, 600)


def test_a_tunnel_may_be_open_for_so_long(gatherd, server):
    routes = [{"path": "/ws", "proxy": {"upstream": "up", "upgrade": "websocket", "tunnel": {"max_duration": "500ms"}}}]
    d = gatherd(routes, {"up": server().conf()})

    async def run():
        async with ws.connect(d, ping_interval=0.05) as client:
            with pytest.raises(websockets.ConnectionClosedError):
                await asyncio.wait_for(client.recv(), wait.PATIENCE)
    asyncio.run(run())
    assert [r["reason"] for r in d.access_log()] == ["tunnel_expired"]


# ---- ends

@pytest.mark.sanitize
def test_a_drain_waits_for_tunnels_until_its_deadline(gatherd, server):
    async def run(d, ms):
        async with ws.connect(d) as staying, ws.connect(d) as leaving:
            d.signal(signal.SIGTERM)
            await asyncio.sleep(ms / 3000)
            assert staying.open and leaving.open
            await talk(staying, 1, 50)
            await talk(leaving, 2, 50)
            await leaving.close()
            with pytest.raises(websockets.ConnectionClosedError):
                await asyncio.wait_for(staying.recv(), wait.PATIENCE)

    def attempt(ms):
        up = server()
        d = gatherd(ROUTES, {"up": up.conf()}, drain_timeout="%dms" % ms)
        asyncio.run(run(d, ms))
        assert d.wait() == 0
        assert sorted(r["reason"] for r in d.access_log(2)) == ["draining", "none"]
        wait.until(lambda: sorted(up.ended) == [1000, 1006], "the server to notice both ends")
    wait.with_time(attempt, 1500)


def test_a_drain_is_over_with_the_last_tunnel(gatherd, server):
    d = gatherd(ROUTES, {"up": server().conf()}, drain_timeout="1h")

    async def run():
        async with ws.connect(d) as client:
            d.signal(signal.SIGTERM)
            await talk(client, 1, 50)
    asyncio.run(run())
    assert d.wait() == 0


def test_a_server_that_dies(gatherd, server):
    async def die(peer):
        await peer.recv()
        ws.reset(peer)
    d = gatherd(ROUTES, {"up": server(die).conf()})

    async def run():
        async with ws.connect(d) as client:
            await client.send("x")
            with pytest.raises(websockets.ConnectionClosedError):
                await asyncio.wait_for(client.recv(), wait.PATIENCE)
    asyncio.run(run())
    record = d.access_log()[0]
    assert (record["status"], record["reason"]) == (101, "reset")


@pytest.mark.sanitize
def test_clients_that_come_and_go_leave_nothing_behind(gatherd, server):
    up = server()
    d = gatherd(ROUTES, {"up": up.conf(pool={"max_connections": 1000})}, workers=2)

    async def visit(seed):
        client = await ws.connect(d)
        if seed % 4 != 3:
            await talk(client, seed, 5)
        if seed % 2:
            ws.reset(client)
        else:
            await client.close()

    async def wave(count):
        for _ in range(count // 50):
            await asyncio.gather(*(visit(seed) for seed in range(50)))

    def at_rest():
        wait.until(lambda: d.metric("gatherd_tunnels") == 0 and d.upstream_state("up")["in_flight"] == 0, "rest")
        wait.until(lambda: d.metric("gatherd_client_connections") == 0, "connections to be gone")
        return d.fds(), d.memory()
    asyncio.run(wave(400))
    before = at_rest()
    asyncio.run(wave(1000))
    after = at_rest()
    wait.until(lambda: d.fds() <= before[0], "%d descriptors, as before; there were %d" % (before[0], after[0]))
    d.check_memory(before[1], 2 << 20)


@pytest.mark.alone
def test_an_idle_tunnel_costs_little(gatherd, server):
    """Both connections of it, with everything that gatherd remembers of the request."""
    count = 400
    d = gatherd(ROUTES, {"up": server().conf(pool={"max_connections": 1000})})

    async def open_all(n):
        return [await ws.connect(d) for _ in range(n)]

    async def run():
        first = await open_all(50)
        before = d.memory()
        more = await open_all(count)
        each = (d.memory() - before) / count
        print("bytes per idle tunnel: %d" % each)
        assert each < 24 << 10
        for client in first + more:
            client.transport.abort()
    asyncio.run(run())


# ---- nginx between

NGINX = """
    server {
        listen 127.0.0.1:%(port)d;
        location / {
            proxy_pass http://127.0.0.1:%(behind)d; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
        }
    }
"""


def test_through_nginx(gatherd, server, tmp_path):
    with nginx.running(tmp_path, NGINX, behind=server().port) as port:
        d = gatherd(ROUTES, {"up": {"servers": ["http://127.0.0.1:%d" % port]}})

        async def run():
            async with ws.connect(d) as client:
                await talk(client, 1, 1000)
        asyncio.run(run())

"""WebSocket by python3-websockets: a server in a thread of its own, and what tests say to it; and the bare handshake."""
import asyncio
import base64
import contextlib
import hashlib
import os
import socket
import ssl
import struct
import tempfile
import threading

import websockets

from . import wait

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def accept(key):
    """RFC 6455 4.2.2"""
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


OFFER = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", KEY)]
ANSWER = ("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Accept: %s\r\n\r\n" % accept(KEY))


async def echo(peer):
    async for message in peer:
        await peer.send(message)


class Server:
    """Listens from construction to stop(); where: tcp or unix; pair: certificate and key."""

    def __init__(self, handler=echo, where="tcp", pair=None, **how):
        self.handler, self.how = handler, how
        self.scheme = "https" if pair else "http"
        self.folder = tempfile.TemporaryDirectory(prefix="gatherd-ws-")
        self.path = os.path.join(self.folder.name, "ws.sock") if where == "unix" else None
        self.context = None
        if pair:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*pair)
        self.peers, self.ended = [], []
        self.loop = asyncio.new_event_loop()
        self.is_ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.is_ready.wait(wait.PATIENCE), "no WebSocket server"

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._listen())
        self.loop.run_forever()

    async def _listen(self):
        how = {"ssl": self.context, "max_size": None, "ping_interval": None, **self.how}
        if self.path:
            self.server = await websockets.unix_serve(self._serve, self.path, **how)
        else:
            self.server = await websockets.serve(self._serve, "127.0.0.1", 0, **how)
            self.port = self.server.sockets[0].getsockname()[1]
        self.is_ready.set()

    async def _serve(self, peer):
        self.peers.append(peer)
        try:
            await self.handler(peer)
        except websockets.ConnectionClosed:
            pass
        finally:
            await peer.close()
            self.ended.append(peer.close_code)

    def conf(self, **more):
        url = "http+unix:" + self.path if self.path else "%s://localhost:%d" % (self.scheme, self.port)
        return {"servers": [url], **more}

    def stop(self):
        async def close():
            self.server.close()
            await self.server.wait_closed()
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(close(), self.loop).result(wait.PATIENCE)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(wait.PATIENCE)
        self.folder.cleanup()


def reset(peer):
    """Ends the connection of either side with RST."""
    peer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.transport.abort()


def connect(d, path="/ws", context=None, **how):
    """A client of daemon d, for `async with`."""
    how = {"max_size": None, "ping_interval": None, "open_timeout": wait.PATIENCE, **how}
    if context:
        return websockets.connect("wss://localhost:%d%s" % (d.port, path), ssl=context, **how)
    return websockets.connect("ws://127.0.0.1:%d%s" % (d.port, path), **how)

"""Upstreams that do as they are told, well or badly, and write down every byte that reached them.

A handler is a function of a Conn, called once the request is in (`conn.request`). The makers at the end of this
file build the common ones. Threads, because a handler reads best as a sequence of steps.
"""
import contextlib
import socket
import struct
import threading
import time

from . import ports, wait, wire


class Request(wire.Message):
    def __init__(self, first_line, fields, number, arrived):
        super().__init__(first_line, fields)
        self.method, self.target, self.version = first_line.decode("latin-1").split(" ")
        self.path = self.target.split("?")[0]
        self.query = self.target.split("?", 1)[1] if "?" in self.target else ""
        self.number = number
        self.arrived = arrived
        self.raw = b""

    def names(self):
        return [n.lower() for n, _ in self.fields]


class Conn:
    """One accepted connection."""

    def __init__(self, upstream, sock, number):
        self.upstream = upstream
        self.sock = sock
        self.number = number
        self.reader = wire.Reader(sock)
        self.request = None
        self.served = 0
        self.is_open = True
        self.is_busy = False
        self.sent = 0
        self.saw_eof = threading.Event()

    @property
    def received(self):
        return bytes(self.reader.received)

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def set_busy(self, is_busy):
        """Counts the request among those in flight, or no longer: before its answer leaves."""
        with self.upstream.lock:
            if is_busy != self.is_busy:
                self.upstream.in_flight += 1 if is_busy else -1
                self.upstream.max_in_flight = max(self.upstream.max_in_flight, self.upstream.in_flight)
            self.is_busy = is_busy

    def reply(self, body=b"", status=200, fields=(), content_type="application/json"):
        self.set_busy(False)
        body = body if isinstance(body, bytes) else body.encode()
        lines = ["HTTP/1.1 %d Whatever" % status]
        if content_type:
            lines.append("Content-Type: " + content_type)
        lines += ["%s: %s" % field for field in fields]
        if status >= 200 and status != 204:
            lines.append("Content-Length: %d" % len(body))
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        self.send(head if self.request and self.request.method == "HEAD" else head + body)

    def close(self):
        self.is_open = False
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def reset(self):
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.is_open = False
        self.sock.close()

    def wait_for_eof(self, timeout=wait.PATIENCE):
        """Until the daemon leaves; whether it did."""
        self.sock.settimeout(timeout)
        try:
            while self.reader.more():
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        self.saw_eof.set()
        return True

    def pause(self, seconds):
        """Sleeps, but wakes when the upstream stops or the daemon closes this connection."""
        self.sock.settimeout(max(seconds, 0.001))
        try:
            if not self.sock.recv(1, socket.MSG_PEEK):
                self.saw_eof.set()
                raise wire.Closed(b"")
            self.upstream.stopping.wait(seconds)  # pipelined bytes are there already
        except TimeoutError:
            pass
        except ConnectionError:
            self.saw_eof.set()
            raise wire.Closed(b"") from None
        finally:
            with contextlib.suppress(OSError):
                self.sock.settimeout(wait.PATIENCE)


class Upstream:
    """Listens from construction to stop(). `routes` maps a path to a handler; `handler` serves the rest."""

    def __init__(self, handler=None, port=0, backlog=1024, receive_buffer=None, address="127.0.0.1"):
        self.handler = handler or json_reply(b'{"ok":true}')
        self.routes = {}
        self.lock = threading.Condition()
        self.requests = []
        self.conns = []
        self.in_flight = 0
        self.max_in_flight = 0
        self.failures = []
        self.backlog = backlog
        self.receive_buffer = receive_buffer
        # claimed until this object is gone: nobody else gets the port of one that is stopped
        self.claimed = None if port else ports.Port()
        self.port = port or self.claimed.number
        self.address = address
        self.start()

    def start(self):
        self.stopping = threading.Event()
        self.listener = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self.listener.bind((self.address, self.port))
        self.listener.listen(self.backlog)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        self.stopping.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            conns = list(self.conns)
        for conn in conns:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(conn.sock, socket.SHUT_RDWR)  # TLS belongs to the thread that serves it

    @property
    def url(self):
        return ("http://[%s]:%d" if ":" in self.address else "http://%s:%d") % (self.address, self.port)

    def conf(self, **more):
        """As the value of an entry under `upstreams`."""
        return {"servers": [self.url], **more}

    def on(self, path, handler):
        self.routes[path] = handler
        return self

    def wait_requests(self, count):
        wait.until(lambda: len(self.requests) >= count, "%d requests at the upstream" % count)
        return self.requests

    def only_request(self):
        assert len(self.requests) == 1, [r.first_line for r in self.requests]
        return self.requests[0]

    def open_conns(self):
        return [c for c in self.conns if c.is_open]

    def _accept(self, listener):
        while not self.stopping.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(wait.PATIENCE)
            with self.lock:
                conn = Conn(self, sock, len(self.conns))
                self.conns.append(conn)
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            while conn.is_open:
                self._read(conn)
                self._handle(conn)
        except (wire.Closed, ConnectionError, TimeoutError, OSError):
            pass
        except AssertionError as failure:
            self.failures.append(failure)
        finally:
            conn.is_open = False
            with contextlib.suppress(OSError):
                conn.sock.close()

    def _read(self, conn):
        before = len(conn.reader.received) - len(conn.reader.buffer)
        first_line, fields = conn.reader.head()
        request = Request(first_line, fields, len(self.requests), time.monotonic())
        conn.request = request
        self._body(conn, request)
        end = len(conn.reader.received) - len(conn.reader.buffer)
        request.raw = bytes(conn.reader.received[before:end])
        conn.served += 1

    def _body(self, conn, request):
        conn.reader.body(request, has_none=False, ends_with_connection=False)

    def _handle(self, conn):
        with self.lock:
            self.requests.append(conn.request)
        conn.set_busy(True)
        try:
            self.routes.get(conn.request.path, self.handler)(conn)
        finally:
            conn.set_busy(False)


class HeadUpstream(Upstream):
    """Calls its handler when the head is in; the handler reads the body, if it likes."""

    def _body(self, conn, request):
        pass


def json_reply(body, status=200, fields=(), delay=0, content_type="application/json"):
    def handler(conn):
        if delay:
            conn.pause(delay() if callable(delay) else delay)
        conn.reply(body(conn.request) if callable(body) else body, status, fields, content_type)
    return handler


def gate(event, body=b'{"ok":true}'):
    """Answers when the event is set; the test holds the gate."""
    def handler(conn):
        while not event.wait(0.005):
            conn.pause(0.005)
        conn.reply(body)
    return handler


def crowd(count, handler):
    """Holds the requests until so many have been in flight at once; from then on they go to the handler as they come."""
    def hold(conn):
        with conn.upstream.lock:
            conn.upstream.lock.notify_all()
            conn.upstream.lock.wait_for(lambda: conn.upstream.max_in_flight >= count, wait.PATIENCE)
        handler(conn)
    return hold


def raw(*pieces, then="close"):
    """Sends bytes, sleeping for numbers and calling callables between them; then close, keep, reset or hang."""
    def handler(conn):
        for piece in pieces:
            if callable(piece):
                piece(conn)
            elif isinstance(piece, (int, float)):
                conn.pause(piece)
            else:
                conn.send(piece)
        if then == "close":
            conn.close()
        elif then == "reset":
            conn.reset()
        elif then == "hang":
            conn.wait_for_eof()
    return handler


def endless(first, piece):
    """Never stops sending, until the daemon has had enough."""
    def handler(conn):
        conn.send(first)
        while not conn.upstream.stopping.is_set():
            conn.send(piece)
    return handler

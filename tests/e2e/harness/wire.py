"""A client that writes the bytes it is told to and reads answers as strictly as RFC 9112 has them."""
import contextlib
import json
import re
import select
import socket
import ssl
import struct

from . import wait

STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d) ([\t -~\x80-\xff]*)$")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$", re.S)
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
BAD_IN_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Closed(Exception):
    """The peer closed the connection where a message was due; .data is what had come of it."""

    def __init__(self, data):
        super().__init__("closed after %r" % data[:200])
        self.data = data


def parse_fields(lines):
    fields = []
    for line in lines:
        match = FIELD_LINE.match(line)
        assert match and not BAD_IN_VALUE.search(match.group(2)), "malformed field line %r" % line
        fields.append((match.group(1).decode(), match.group(2).decode("latin-1")))
    return fields


class Message:
    """Header fields, body and trailers, of a request or of an answer."""

    def __init__(self, first_line, fields):
        self.first_line = first_line
        self.fields = fields
        self.body = b""
        self.trailers = []
        self.chunks = []

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def header(self, name, default=None):
        values = self.all(name)
        assert len(values) <= 1, "%s stands %d times" % (name, len(values))
        return values[0] if values else default

    def json(self):
        return json.loads(self.body)


class Response(Message):
    def __init__(self, first_line, fields, interim):
        super().__init__(first_line, fields)
        match = STATUS_LINE.match(first_line)
        assert match, "malformed status line %r" % first_line
        self.minor = int(match.group(1))
        self.status = int(match.group(2))
        self.interim = interim

    def __repr__(self):
        return "<%s %r>" % (self.first_line.decode("latin-1"), self.body[:300])


class Reader:
    """Reads messages off a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()  # bytes would be copied whole for every piece that comes
        self.received = bytearray()

    def more(self):
        data = self.sock.recv(65536)
        self.received += data
        self.buffer += data
        return bool(data)

    def take(self, size):
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                raise Closed(bytes(self.buffer))
        data = self.take(self.buffer.index(mark))
        self.take(len(mark))
        return data

    def exactly(self, size):
        while len(self.buffer) < size:
            if not self.more():
                raise Closed(bytes(self.buffer))
        return self.take(size)

    def to_eof(self):
        while self.more():
            pass
        return self.take(len(self.buffer))

    def swap(self, data, when_sent=lambda: None):
        """Sends data while it reads to the end, which it returns. By one thread: two would break an ssl socket, whose
        error queue and state they share."""
        timeout, left, is_open = self.sock.gettimeout(), memoryview(data), True
        self.sock.setblocking(False)
        while left or is_open:
            ready = select.select([self.sock] if is_open else [], [self.sock] if left else [], [], timeout)
            if not any(ready):
                raise TimeoutError("%d bytes are not sent, %d came" % (len(left), len(self.buffer)))
            with contextlib.suppress(*WOULD_BLOCK):
                if left:
                    left = left[self.sock.send(left[:65536]):]
                    if not left:
                        when_sent()
            with contextlib.suppress(*WOULD_BLOCK):
                while is_open:
                    is_open = self.more()
        self.sock.settimeout(timeout)
        return self.take(len(self.buffer))

    def head(self):
        if not self.buffer and not self.more():
            raise Closed(b"")
        lines = self.until(b"\r\n\r\n").split(b"\r\n")
        return lines[0], parse_fields(lines[1:])

    def chunked(self, message, on_chunk=None):
        while True:
            line = self.until(b"\r\n")
            assert re.match(rb"[0-9A-Fa-f]{1,16}(?:[ \t]*;.*)?$", line), "bad chunk size %r" % line
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            data = self.exactly(size)
            assert self.exactly(2) == b"\r\n", "no CRLF after a chunk"
            message.body += data
            message.chunks.append(data)
            if on_chunk:
                on_chunk(data)
        lines = []
        while True:
            line = self.until(b"\r\n")
            if not line:
                break
            lines.append(line)
        message.trailers = parse_fields(lines)

    def body(self, message, has_none, ends_with_connection):
        lengths, codings = message.all("Content-Length"), message.all("Transfer-Encoding")
        assert not (lengths and codings), "both lengths in %r" % message.fields
        if has_none:
            return
        if codings:
            assert [c.lower() for c in codings] == ["chunked"], codings
            self.chunked(message)
        elif lengths:
            assert len(lengths) == 1 and lengths[0].isdigit(), lengths
            message.body = self.exactly(int(lengths[0]))
        elif ends_with_connection:
            message.body = self.to_eof()


class Client:
    """One connection to the daemon. Address: a port of 127.0.0.1, or the path of a unix socket."""

    def __init__(self, address, timeout=wait.PATIENCE, receive_buffer=None):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(address if isinstance(address, str) else ("127.0.0.1", address))
        if family == socket.AF_INET:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def write_request(self, target="/", method="GET", fields=(), body=None, host="gatherd.test", version="1.1"):
        lines = ["%s %s HTTP/%s" % (method, target, version)]
        if host is not None:
            lines.append("Host: " + host)
        names = {n.lower() for n, _ in fields}
        lines += ["%s: %s" % field for field in fields]
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            lines.append("Content-Length: %d" % len(body))
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    def read_head(self):
        """The next final answer's head, after any 1xx before it."""
        interim = []
        while True:
            response = Response(*self.reader.head(), interim)
            if response.status >= 200 or response.status == 101:
                return response
            interim.append(response)

    def read_response(self, method="GET"):
        response = self.read_head()
        has_none = method == "HEAD" or response.status in (204, 304)
        self.reader.body(response, has_none, ends_with_connection=True)
        return response

    def request(self, target="/", method="GET", **how):
        self.write_request(target, method, **how)
        return self.read_response(method)

    def is_closed(self, timeout=wait.PATIENCE):
        """Whether the peer closes, without another byte, within the timeout."""
        self.sock.settimeout(timeout)
        try:
            return not self.reader.buffer and not self.reader.more()
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def reset(self):
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

"""Certificates made by the openssl command, and both ends of TLS by Python's own ssl."""
import contextlib
import json
import os
import re
import socket
import ssl
import subprocess

from . import daemon, wait, wire
from .upstream import Upstream


def openssl(*arguments, **how):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=wait.PATIENCE, **how)


class Pki:
    """An authority in a folder, and what it signs."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.ca, self.ca_key = self.self_signed(name, "Test CA " + name)

    def path(self, name):
        return os.path.join(str(self.folder), name)

    def key(self, name, kind="ec"):
        how = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else \
            ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        path = self.path(name + ".key")
        openssl("genpkey", *how, "-out", path)
        return path

    def self_signed(self, name, subject, names=None):
        key, cert = self.key(name), self.path(name + ".pem")
        extensions = ["-addext", "subjectAltName=" + names] if names else []
        openssl("req", "-x509", "-key", key, "-out", cert, "-days", 30, "-subj", "/CN=" + subject, *extensions)
        return cert, key

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", kind="ec", subject=None, start=None, end=None):
        """A certificate and its key. start and end as YYYYMMDDHHMMSSZ."""
        key, cert, request = self.key(name, kind), self.path(name + ".pem"), self.path(name + ".csr")
        extensions = self.path(name + ".ext")
        with open(extensions, "w") as f:
            f.write("subjectAltName=%s\nbasicConstraints=CA:FALSE\n" % names)
        openssl("req", "-new", "-key", key, "-out", request, "-subj", "/CN=" + (subject or name))
        if start is None:
            openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial",
                    "-days", 30, "-extfile", extensions, "-out", cert)
        else:
            self._issue_between(request, cert, extensions, start, end)
        return cert, key

    def _issue_between(self, request, cert, extensions, start, end):
        folder = self.path("issued")
        os.makedirs(folder, exist_ok=True)
        conf, index = self.path("ca.conf"), self.path("index.txt")
        open(index, "a").close()
        with open(conf, "w") as f:
            f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nnew_certs_dir=%s\npolicy=p\nrand_serial=yes\n"
                    "default_md=sha256\nunique_subject=no\n[p]\ncommonName=supplied\n" % (index, folder))
        openssl("ca", "-batch", "-config", conf, "-in", request, "-out", cert, "-cert", self.ca, "-keyfile",
                self.ca_key, "-startdate", start, "-enddate", end, "-extfile", extensions, "-notext")

    def ocsp(self, cert):
        """A response for a certificate, DER."""
        response, index = self.path("staple.der"), self.path("ocsp.txt")
        serial = openssl("x509", "-in", cert, "-noout", "-serial").stdout.decode().split("=")[1].strip()
        with open(index, "w") as f:
            f.write("V\t491231235959Z\t\t%s\tunknown\t/CN=x\n" % serial)
        openssl("ocsp", "-index", index, "-rsigner", self.ca, "-rkey", self.ca_key, "-CA", self.ca, "-issuer", self.ca,
                "-cert", cert, "-respout", response, "-ndays", 7)
        return response


class Client(wire.Client):
    """As wire.Client, over TLS. `how` goes to the context: ca, cert, name, and what else is an attribute of it."""

    def __init__(self, port, ca, cert=None, name="localhost", session=None, context=None, **attributes):
        super().__init__(port)
        context = context or client_context(ca, cert, **attributes)
        self.sock = context.wrap_socket(self.sock, server_hostname=name, session=session)
        self.reader = wire.Reader(self.sock)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


def client_context(ca, cert=None, alpn=("http/1.1",), **attributes):
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(list(alpn))
    if cert:
        context.load_cert_chain(*cert)
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


class TlsUpstream(Upstream):
    """An upstream behind TLS."""

    def __init__(self, cert, *arguments, client_ca=None, version=None, **named):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*cert)
        if client_ca:
            self.context.load_verify_locations(client_ca)
            self.context.verify_mode = ssl.CERT_REQUIRED
        if version:
            self.context.minimum_version = self.context.maximum_version = version
        self.names, self.resumed, self.peers = [], [], []
        self.context.sni_callback = lambda sock, name, context: self.names.append(name)
        super().__init__(*arguments, **named)

    @property
    def url(self):
        return "https://localhost:%d" % self.port

    def _serve(self, conn):
        try:
            conn.sock = self.context.wrap_socket(conn.sock, server_side=True)
        except OSError:
            conn.is_open = False
            conn.sock.close()
            return
        self.resumed.append(conn.sock.session_reused)
        self.peers.append(conn.sock.getpeercert())
        conn.reader = wire.Reader(conn.sock)
        super()._serve(conn)


def listener(*pairs, **more):
    """What the file says of a listener with these certificates and their keys; `more` goes beside them."""
    certificates = [{"certificate": cert, "key": key} for cert, key in pairs]
    return {"tls": {**certificates[0], **more} if len(pairs) == 1 else {"certificates": certificates, **more}}


def drain(sock, timeout=wait.PATIENCE):
    """All that comes until the peer closes or resets."""
    came = b""
    sock.settimeout(timeout)
    try:
        while more := sock.recv(65536):
            came += more
    except (ConnectionError, ssl.SSLError):
        pass
    return came


def s_client(port, *arguments, send=b""):
    """What `openssl s_client` prints."""
    done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % port, *map(str, arguments)],
                          input=send, capture_output=True, timeout=wait.PATIENCE)
    return (done.stdout + done.stderr).decode("latin-1")


def shown_subject(port, *arguments):
    """The common name of the certificate that a server shows."""
    match = re.search(r"subject=CN = (\S+)", s_client(port, *arguments))
    return match and match.group(1)


def tlsload(mode, port, target, *options, timeout=600):
    """What tests/tools/tlsload counted."""
    done = subprocess.run([daemon.tool("tlsload"), *map(str, options), mode, str(port), target], capture_output=True, text=True,
                          timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


# time-outs of a listener for survive_aborts(): some bytes that are wrong have the daemon wait for more, in a handshake or behind it
WAITS_END = {"handshake": "5s", "header": "5s", "idle": "5s"}


def survive_aborts(d, n):
    """n connections to /hello that end anywhere in their handshake; then the descriptors and the memory of the daemon
    `d` are what they were after the first quarter. Returns what was measured."""
    def at_rest():
        wait.until(lambda: d.metric("gatherd_client_connections") == 0, "connections to be gone")
        return d.fds(), d.memory()

    def abort(share, seed):
        for version in ("1.2", "1.3"):
            tlsload("aborts", d.port, "/hello", "-V", version, "-s", seed, "-n", share // 2)
    abort(n // 4, 1)
    (fds, memory), began = at_rest(), d.metric("gatherd_client_handshakes_total")
    abort(n - n // 4, 2)
    end = at_rest()
    assert d.metric("gatherd_client_handshakes_total") > began
    # the connection that asked for the figures goes away in its own time
    wait.until(lambda: d.fds() <= fds, "descriptors: %d, and %d at the end" % (fds, end[0]))
    d.check_memory(memory, 2 << 20)
    assert tlsload("full", d.port, "/hello", "-n", 20)["done"] == 20
    reasons = {labels["reason"]: int(count) for name, labels, count in d.metrics()
               if name == "gatherd_client_handshakes_total" and count}
    return {"connections": n, "fds": (fds, end[0]), "memory": (memory, end[1]), "handshakes": reasons}


class BareClient:
    """TLS over a socket, step by step, because ssl's own sockets cannot end one direction and listen to the other."""

    def __init__(self, port, ca, name="localhost", receive_buffer=None, **attributes):
        self.sock = wire.Client(port, receive_buffer=receive_buffer).sock
        self.incoming, self.outgoing, self.kept = ssl.MemoryBIO(), ssl.MemoryBIO(), b""
        self.tls = client_context(ca, **attributes).wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self._step(self.tls.do_handshake)

    def _flush(self):
        data = self.outgoing.read()
        if data:
            self.sock.sendall(data)

    def _step(self, function, *arguments):
        while True:
            try:
                value = function(*arguments)
                self._flush()
                return value
            except ssl.SSLWantReadError:
                self._flush()
                data = self.sock.recv(65536)
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()

    def send(self, data):
        self._step(self.tls.write, data)

    def read(self, size=65536):
        """Some bytes, or none after close_notify; the end of the socket alone is an error."""
        if self.kept:
            data, self.kept = self.kept, b""
            return data
        try:
            return self._step(self.tls.read, size)
        except ssl.SSLZeroReturnError:
            return b""

    def to_eof(self):
        data = b""
        while piece := self.read():
            data += piece
        return data

    def until(self, mark):
        data = b""
        while mark not in data:
            piece = self.read()
            assert piece, data
            data += piece
        end = data.index(mark) + len(mark)
        self.kept = data[end:]
        return data[:end]

    def swap(self, data):
        """As wire.Reader.swap(), with close_notify and FIN behind the data."""
        self.tls.write(data)
        self._say_goodbye()
        heard = wire.Reader(self.sock).swap(self.outgoing.read(), lambda: self.sock.shutdown(socket.SHUT_WR))
        self.incoming.write(heard)
        return self.to_eof()

    def half_close(self):
        """close_notify and FIN."""
        self._say_goodbye()
        self._flush()
        self.sock.shutdown(socket.SHUT_WR)

    def _say_goodbye(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            # unwrap() looks for the other's goodbye, and would throw away what stands before it
            while piece := self.tls.read(65536):
                self.kept += piece
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()

    def close(self):
        self.sock.close()

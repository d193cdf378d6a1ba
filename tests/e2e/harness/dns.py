"""DNS servers of the tests, on loopback and ports of their own: Debian's dnsmasq, and one that lies, delays, cuts and
says nothing, as it is told."""
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading

from . import ports, wait

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "AAAA": 28, "SRV": 33}


def put_name(name):
    labels = [label for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def question_of(message):
    """(name, type, where the question ends)"""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels).lower(), struct.unpack_from(">H", message, at + 1)[0], at + 5


def record(name, kind, data, ttl=60):
    return put_name(name) + struct.pack(">HHIH", TYPES[kind], 1, ttl, len(data)) + data


def a(name, address, ttl=60):
    kind, family = ("AAAA", socket.AF_INET6) if ":" in address else ("A", socket.AF_INET)
    return record(name, kind, socket.inet_pton(family, address), ttl)


def srv(name, target, port, priority=0, weight=0, ttl=60):
    return record(name, "SRV", struct.pack(">HHH", priority, weight, port) + put_name(target), ttl)


def answer(query, records=(), rcode=0, flags=0, authority=()):
    _, _, end = question_of(query)
    head = struct.pack(">HHHHHH", struct.unpack_from(">H", query)[0], 0x8180 | flags | rcode, 1, len(records),
                       len(authority), 0)
    return head + query[12:end] + b"".join(records) + b"".join(authority)


class Dns:
    """`handler(query, is_tcp)` returns the bytes of the answer, a list of them, or None to say nothing; it may sleep.
    Without one, `zone` answers: {(name, "A"): [records]}; what is not there does not exist."""

    def __init__(self, handler=None, zone=None):
        self.zone = zone or {}
        self.handler = handler or self.from_zone
        self.queries = []
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.claimed = ports.Port()
        self.port = self.claimed.number
        self.tcp.bind(("127.0.0.1", self.port))
        self.tcp.listen(64)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        for target in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=target, daemon=True).start()

    @property
    def server(self):
        return "127.0.0.1:%d" % self.port

    def from_zone(self, query, is_tcp):
        name, kind, _ = question_of(query)
        names = {key[0] for key in self.zone}
        records = self.zone.get((name, {1: "A", 28: "AAAA", 33: "SRV"}.get(kind)), [])
        return answer(query, records, rcode=0 if name in names else 3)

    def asked(self, name=None):
        """The names that were asked for: (name, type, by TCP)"""
        return [q for q in self.queries if name in (None, q[0])]

    def _answers(self, query, is_tcp):
        name, kind, _ = question_of(query)
        self.queries.append((name, kind, is_tcp))
        said = self.handler(query, is_tcp)
        return [] if said is None else said if isinstance(said, list) else [said]

    def _serve_udp(self):
        while True:
            try:
                query, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if len(query) > 12:  # less is the end of this socket
                threading.Thread(target=self._answer_udp, args=(query, peer), daemon=True).start()

    def _answer_udp(self, query, peer):
        for message in self._answers(query, False):
            try:
                self.udp.sendto(message, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while True:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._answer_tcp, args=(sock,), daemon=True).start()

    def _answer_tcp(self, sock):
        with sock:
            while True:
                head = sock.recv(2, socket.MSG_WAITALL)
                if len(head) < 2:
                    return
                query = sock.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
                for message in self._answers(query, True):
                    sock.sendall(struct.pack(">H", len(message)) + message)

    def stop(self):
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        self.claimed.release()


class Dnsmasq:
    """Authoritative for the domain `test`; hosts is {name: [addresses]}, lines are more of its configuration."""

    def __init__(self, hosts=None, lines=(), ttl=1):
        self.folder = tempfile.mkdtemp(prefix="gatherd-dns-")
        self.hosts, self.lines, self.ttl = hosts or {}, list(lines), ttl
        self.claimed = ports.Port()
        self.port = self.claimed.number
        self.process = None
        self.start()

    @property
    def server(self):
        return "127.0.0.1:%d" % self.port

    def _write(self):
        with open(os.path.join(self.folder, "hosts"), "w", encoding="utf-8") as f:
            for name, addresses in self.hosts.items():
                f.writelines("%s %s\n" % (address, name) for address in addresses)
        with open(os.path.join(self.folder, "conf"), "w", encoding="utf-8") as f:
            f.write("\n".join(self.lines) + "\n")

    def start(self):
        self._write()
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("dnsmasq") or "/usr/sbin/dnsmasq", "--keep-in-foreground", "--log-facility=-", "--log-queries",
                 "--port=%d" % self.port, "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts",
                 "--addn-hosts=" + os.path.join(self.folder, "hosts"), "--local=/test/", "--local-ttl=%d" % self.ttl,
                 "--neg-ttl=1", "--user=", "--group=", "--pid-file=", "--conf-file=" + os.path.join(self.folder, "conf")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait.until(self._is_there, "dnsmasq to answer")
        return self

    def _is_there(self):
        assert self.process.poll() is None, self.log()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            probe.connect(("127.0.0.1", self.port))
            try:
                probe.send(struct.pack(">HHHHHH", 1, 0x0100, 1, 0, 0, 0) + put_name("probe.test") + b"\0\1\0\1")
                return probe.recv(512)
            except OSError:
                return None

    def change(self, hosts):
        """Other hosts, without a restart."""
        self.hosts = hosts
        self._write()
        self.process.send_signal(signal.SIGHUP)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def halt(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def stop(self):
        self.halt()
        self.claimed.release()
        shutil.rmtree(self.folder, ignore_errors=True)

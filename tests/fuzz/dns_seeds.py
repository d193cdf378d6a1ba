"""Writes answers of DNS servers and a hosts file as inputs of fuzz_dns: dns_seeds.py TARGET FOLDER"""
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import dns  # noqa: E402

NAME = "users.test"


def query(kind):
    return struct.pack(">HHHHHH", 1, 0x0100, 1, 0, 0, 0) + dns.put_name(NAME) + struct.pack(">HH", dns.TYPES[kind], 1)


def alias(name, to):
    return dns.record(name, "CNAME", dns.put_name(to))


SOA = dns.record("test", "SOA", dns.put_name("a") + dns.put_name("b") + struct.pack(">IIIII", 1, 2, 3, 4, 60))
SEEDS = {
    "a": dns.answer(query("A"), [dns.a(NAME, "127.0.0.%d" % i) for i in range(1, 5)]),
    "aaaa": dns.answer(query("AAAA"), [dns.a(NAME, "fd00::1"), dns.a(NAME, "127.0.0.1")]),
    "alias": dns.answer(query("A"), [alias(NAME, "a.test"), alias("a.test", "b.test"), dns.a("b.test", "127.0.0.1")]),
    "pointer": dns.answer(query("A"), [b"\xc0\x0c" + dns.a("", "127.0.0.1")[1:]]),
    "srv": dns.answer(query("SRV"), [dns.srv(NAME, "a.test", 80, 1, 2), dns.srv(NAME, "b.test", 81)]),
    "denied": dns.answer(query("A"), rcode=3, authority=[SOA]),
    "hosts": b"127.0.0.1 users.test users # first\n::1\tusers.test\n",
}
_, folder = sys.argv[1:]
for name, data in SEEDS.items():
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)

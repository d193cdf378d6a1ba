#!/usr/bin/env python3
"""How long the turns of a request take in user space, beside the floor's, and how long when caches have forgotten the server.

    cold.py [--shape A|B|C] [--delay 1000] [--rounds 20]

A turn goes from the return of epoll_wait() to its last write, without the time inside of system calls: the turn that reads
a request, and those that read what upstreams answer. One request at a time. Before each wait the lines of the program's
code, of libevent's and libc's, of its data or of all are flushed from all caches (cold.c, preloaded), which is what other
tenants of a processor do to a server that sleeps, but the same each time.
"""
import argparse
import os
import shutil
import statistics
import struct
import sys
import tempfile

import shapes

HEADER, ROW = struct.Struct("dQ"), struct.Struct("II")
FILE_BYTES = HEADER.size + 65536 * ROW.size
KINDS = ["", "program", "libraries", "data", "all"]


def start(bench, name, kind, path):
    with open(path, "wb") as f:
        f.truncate(FILE_BYTES)
    extra = {"LD_PRELOAD": shapes.program("cold.so"), "COLD_ROWS": path, "COLD": kind}
    os.environ.update(extra)
    try:
        return shapes.started(bench, [name])[0]
    finally:
        for key in extra:
            del os.environ[key]


def read_rows(path, n_calls):
    """µs in user space of the turn of each request, and of the turns of its answers."""
    with open(path, "rb") as f:
        ticks_per_us, n = HEADER.unpack(f.read(HEADER.size))
        rows = [ROW.unpack(f.read(ROW.size)) for _ in range(n)]
    turns, since, is_asking = ([], []), 0, True
    for user, writes in rows:
        since += user
        if writes == 0:
            continue
        if n_calls > 1:
            is_asking = writes > 1
        turns[0 if is_asking else 1].append(since / ticks_per_us)
        since, is_asking = 0, not is_asking
    return [statistics.median(t[len(t) // 5:]) for t in turns]  # the first ones warm it


def measure(args, bench, folder):
    """By server and kind: read_rows(). All of them in turns, as the machine has other minutes."""
    names = [(name, kind) for kind in KINDS for name in ("floor", "gatherd")]
    paths = {name: os.path.join(folder, "-".join(name)) for name in names}
    servers = [start(bench, *name, paths[name]) for name in names]
    try:
        for _ in range(args.rounds):
            for server in servers:
                bench.measure(server, args.seconds, 1, 0)
    finally:
        for server in servers:
            server.stop()
    return {name: read_rows(path, bench.shape.calls) for name, path in paths.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="B", choices=["A", "B", "C"])
    parser.add_argument("--delay", type=int, default=1000, help="of the upstreams, in µs")
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cold-")
    os.chmod(folder, 0o755)
    bench = shapes.Bench("cold", shapes.SHAPES[args.shape]._replace(clients=1), folder, args.delay)
    try:
        spent = measure(args, bench, folder)
    finally:
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)
    print("| %s: µs in user space | floor | gatherd | more |\n| --- | --: | --: | --: |" % bench.shape.title)
    for kind in KINDS:
        floor, gatherd = spent["floor", kind], spent["gatherd", kind]
        print("| %s | %.1f + %.1f | %.1f + %.1f | %.1f |" % (
            kind + " flushed" if kind else "nothing flushed", *floor, *gatherd, sum(gatherd) - sum(floor)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What select and rename in every call cost, times the plain merge of the same answers: CPU per request.

    shaping.py [--rounds 8] [--seconds 1]

Both daemons get the same load in turns, and the ratio is taken within a round. Scenarios B and C may cost 1.25 times
their plain merge; the others are to know what they cost: a list of records, shaped within its elements.
"""
import argparse
import json
import shutil
import statistics
import sys
import tempfile

import shape_peers as peers
import shapes

MOST = 1.25
FLAT = {"select": ["id", "svc", "pad"], "rename": {"id": "key", "svc": "service"}}
NESTED = {"select": ["total", "items[].id", "items[].name", "items[].address.geo", "items[].tags"],
          "rename": {"total": "n", "items[].name": "title", "items[].address.geo.lat": "latitude"}}
# name: shape, what is done to each part, whether it is held to MOST
CASES = {
    "B": (shapes.SHAPES["B"], FLAT, True),
    "C": (shapes.SHAPES["C"], FLAT, True),
    "3x2k": (shapes.shape("3 calls, 2 KiB of records", size=2048), NESTED, False),
    "3x200k": (shapes.SHAPES["3x200k"], NESTED, False),
}


class Gatherd(shapes.Server):
    """A daemon that merges parts, shaped or not; its answers are looked at by the tests."""

    def __init__(self, bench, shaping):
        super().__init__(bench, "gatherd", bench.shape)
        self.shaping = shaping

    def configuration(self):
        conf = peers.gatherd(self.bench.shape, self.port, self.bench.upstreams)
        for call in conf["routes"][-1]["calls"].values():
            call.update(self.shaping)
        return json.dumps(conf)

    def started(self):
        self.start()
        connection = shapes.http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", self.bench.target)
        answer = connection.getresponse()
        self.size = len(answer.read())
        connection.close()
        assert answer.status == 200
        return self


def measure(name, args, folder):
    """The ratio, and the CPU of both in microseconds: medians over the rounds."""
    shape, shaping, _ = CASES[name]
    bench = shapes.Bench(name, shape, folder)
    plain, shaped = Gatherd(bench, {}), Gatherd(bench, shaping)
    rows = []
    try:
        servers = [plain.started(), shaped.started()]
        for server in servers:
            bench.measure(server, shapes.WARM_SECONDS)
        for number in range(args.rounds):
            order = servers if number % 2 == 0 else servers[::-1]
            used = {server: bench.measure(server, args.seconds)["cpu_us"] for server in order}
            rows.append((used[plain], used[shaped]))
    finally:
        plain.stop()
        shaped.stop()
        bench.close()
    return (statistics.median(b / a for a, b in rows), statistics.median(a for a, _ in rows),
            statistics.median(b for _, b in rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1)
    args = parser.parse_args()
    folder, found = tempfile.mkdtemp(prefix="shaping-"), []
    try:
        for name, (shape, _, is_held) in CASES.items():
            ratio, plain, shaped = measure(name, args, folder)
            print("%-8s %-28s %7.1f us plain  %7.1f us shaped  %.2f" % (name, shape.title, plain, shaped, ratio))
            if is_held and ratio > MOST:
                found.append("%s: shaping costs %.2f times the plain merge, and may cost %.2f" % (name, ratio, MOST))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

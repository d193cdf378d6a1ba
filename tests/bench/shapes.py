#!/usr/bin/env python3
"""What requests of many shapes cost, beside the least that they can cost and beside nginx with Lua.

    shapes.py                        every shape, every server that is installed
    shapes.py --shapes 5x2k,3x200k --rounds 6 --seconds 2 --out shapes.json
    shapes.py --latency              what is added to an upstream that takes 5 ms, one request at a time and 300 a second
    shapes.py --workers              what a second worker adds to the cost of a request, with an upstream limit in force
    shapes.py --list

A stub answers as upstream, a load generator asks; both on one core, the measured server on the other. All servers get
the same load in turns, and their ratio to bench_floor is taken within a round: what disturbs the machine disturbs both.
CPU per request is user and system time of all the server's threads, by requests that were answered; every answer
is checked for its status and size, the first one by what is in it.
"""
import argparse
import collections
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import shape_docs as docs
import shape_peers as peers

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("GATHERD_BUILD") or os.path.join(HERE, "..", "..", "build"))
TICK = os.sysconf("SC_CLK_TCK")
REALTIME = bool(os.environ.get("BENCH_REALTIME"))  # before all else on the machine: for latency while it is busy
WARM_SECONDS = 0.3
PACED_SECONDS = 2  # at least, where clients send little
STARTS = 5  # with --workers and --latency: a process keeps for its life what luck it has with its addresses
DELAY_US = 5000  # of the upstreams, with --latency
SETTLE_SECONDS = 0.05  # for the server to accept the connections
SERVER_CORE, LOAD_CORE = 0, (os.cpu_count() or 1) - 1

# form: proxy, object (a call for each member) or list (one call for each of the ids that the client asks for).
# rate: requests per second of all clients; 0: each sends the next when it has the answer.
Shape = collections.namedtuple("Shape", "title form calls document size framing post closes clients rate limit workers")


def shape(title, form="object", calls=3, document="typical", size=512, framing="length", post=0, closes=False,
          clients=32, rate=0, limit=0, workers=1):
    return Shape(title, form, calls, document, size, framing, post, closes, clients, rate, limit, workers)


SHAPES = {
    "A": shape("proxy, 512 B", "proxy", 1, "plain"),
    "B": shape("3 calls, 512 B", document="plain"),
    "C": shape("10 calls, 512 B", calls=10, document="plain"),
    "5x2k": shape("5 calls, 2 KiB of real JSON", calls=5, size=2048),
    "3x200k": shape("3 calls, 200 KiB of real JSON", size=200 * 1024, clients=8),
    "post64k": shape("POST of 64 KiB to 3 calls", post=64 * 1024),
    "100x300": shape("100 calls (a list), 300 B", "list", 100, size=300, clients=16),
    "chunked": shape("3 calls, 2 KiB in chunks", size=2048, framing="chunked"),
    "http10": shape("3 calls to HTTP/1.0 upstreams", framing="close"),
    "clients": shape("3 calls, 1,000 clients at 1/s each", clients=1000, rate=1000),
    "new": shape("proxy, a connection per request", "proxy", 1, closes=True),
    "new3": shape("3 calls, a connection per request", closes=True),
}
NAMES = {"floor": "floor", "gatherd": "gatherd", "nginx-lua": "nginx+lua, pasting", "nginx-luajson": "nginx+lua, decoding"}


class Wrong(Exception):
    pass


def spawn(command, core, **options):
    def prepare():
        os.sched_setaffinity(0, core if isinstance(core, set) else {core})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if REALTIME:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    return subprocess.Popen([str(word) for word in command], preexec_fn=prepare, text=True, **options)


def program(name):
    return os.path.join(BUILD, "tests", "bench", name)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def threads(pid):
    """Of a process and of all that it has started."""
    for tid in os.listdir("/proc/%d/task" % pid):
        yield pid, tid
        with open("/proc/%d/task/%s/children" % (pid, tid), encoding="ascii") as f:
            for child in f.read().split():
                yield from threads(int(child))


def alike(value, expected, roughly):
    """roughly: as cjson keeps it, which writes fractions with 14 digits, and an empty array as an empty object."""
    if roughly and isinstance(expected, float):
        return abs(value - expected) <= 1e-12 * abs(expected)
    if roughly and expected == []:
        return not value
    if isinstance(expected, dict):
        return value.keys() == expected.keys() and all(alike(value[k], expected[k], roughly) for k in expected)
    if isinstance(expected, list):
        return len(value) == len(expected) and all(alike(v, e, roughly) for v, e in zip(value, expected))
    return value == expected


class Server:
    """A measured server, started for one shape."""

    def __init__(self, bench, name, shape):
        self.bench, self.name, self.shape = bench, name, shape
        self.folder = tempfile.mkdtemp(prefix=name, dir=bench.folder)
        os.chmod(self.folder, 0o755)
        self.process = self.port = None

    def start(self):
        shape, upstreams = self.shape, self.bench.upstreams
        if self.name == "floor":
            self.process = spawn([program("bench_floor"), shape.form, "POST" if shape.post else "GET", shape.calls]
                                 + upstreams, SERVER_CORE, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.port = int(self.process.stdout.readline())
            return
        self.port = free_port()
        path = os.path.join(self.folder, "conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.configuration())
        command = ([os.path.join(BUILD, "gatherd"), "run", "-c", path] if self.name == "gatherd"
                   else ["nginx", "-p", self.folder, "-c", path])
        with open(os.path.join(self.folder, "log"), "w", encoding="utf-8") as log:
            self.process = spawn(command, SERVER_CORE if shape.workers == 1 else set(range(os.cpu_count())),
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait()

    def configuration(self):
        shape, upstreams = self.shape, self.bench.upstreams
        if self.name == "gatherd":
            return json.dumps(peers.gatherd(shape, self.port, upstreams), indent=1)
        return peers.nginx(shape, self.port, upstreams, self.folder, self.name == "nginx-luajson")

    def wait(self):
        end = time.time() + 10
        while time.time() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as f:
            raise Wrong("%s does not start: %s" % (self.name, f.read()[-500:]))

    def ask(self):
        """The answer's body."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        c.request("POST" if self.bench.shape.post else "GET", self.bench.target, self.bench.post or None,
                  {"Content-Type": "application/json"} if self.bench.post else {})
        r = c.getresponse()
        body = r.read()
        c.close()
        if r.status != 200:
            raise Wrong("%s answers %d" % (self.name, r.status))
        if not alike(json.loads(body), self.bench.expected, self.name == "nginx-luajson"):
            raise Wrong("%s answers something else" % self.name)
        return body

    def cpu_ns(self):
        """All of it, and the part in user space."""
        total = user = system = 0
        for pid, tid in threads(self.process.pid):
            base = "/proc/%d/task/%s/" % (pid, tid)
            with open(base + "schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
            with open(base + "stat", encoding="ascii") as f:
                fields = f.read().rsplit(")", 1)[1].split()
                user, system = user + int(fields[11]), system + int(fields[12])
        return total, user / TICK * 1e9, system / TICK * 1e9

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGKILL if self.name == "floor" else signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bench:
    """One shape: its stub, the files that it needs, and the servers."""

    def __init__(self, name, shape, folder, delay_us=0):
        self.shape = shape
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        body = getattr(docs, shape.document)(shape.size)
        self.post = docs.typical(shape.post) if shape.post else b""
        self.target = "/x" + ("?" + "&".join("id=%d" % (1000 + i) for i in range(shape.calls))
                              if shape.form == "list" else "")
        part = json.loads(body)
        self.expected = {"proxy": part, "list": {"all": [part] * shape.calls},
                         "object": {"c%d" % i: part for i in range(shape.calls)}}[shape.form]
        self.answer = self.write("answer", docs.answer(body, shape.framing))
        self.request = self.write("request", docs.request(self.target, self.post, shape.closes))
        self.stub = spawn([program("bench_stub"), 10 if shape.calls > 3 else shape.calls, self.answer, delay_us],
                          LOAD_CORE, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.upstreams = [int(p) for p in self.stub.stdout.readline().split()]

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(content)
        return path

    def start_load(self, server, seconds, clients, rate, core=LOAD_CORE):
        process = spawn([program("bench_load"), server.port, self.request, server.size, clients, int(seconds * 1000),
                         rate], core, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        return process

    def measure(self, server, seconds, clients=None, rate=None):
        """A row: what bench_load says, and the server's CPU time per request meanwhile."""
        load = self.start_load(server, seconds, clients or self.shape.clients, self.shape.rate if rate is None else rate)
        return self.measure_loads([server], [load])

    def measure_loads(self, servers, loads):
        """The sums over some loads on some servers; the rest of the row is the first load's."""
        time.sleep(SETTLE_SECONDS)
        before = [s.cpu_ns() for s in servers]
        for load in loads:
            load.stdin.write("\n")
            load.stdin.flush()
        rows = [json.loads(load.communicate()[0] or "null") for load in loads]
        used = [sum(b[i] - a[i] for a, b in zip(before, (s.cpu_ns() for s in servers))) for i in range(3)]
        if None in rows:
            raise Wrong("%s: the load was refused" % servers[0].name)
        share = used[1] / max(1, used[1] + used[2])
        done = max(1, sum(row["done"] for row in rows))
        return dict(rows[0], done=done, wrong=sum(row["wrong"] for row in rows), cpu_us=used[0] / 1000 / done,
                    user_us=used[0] * share / 1000 / done, peer=servers[0].name)

    def close(self):
        self.stub.stdin.close()
        self.stub.wait()


def started(bench, names, shape=None):
    servers = []
    for name in names:
        if name.startswith("nginx") and (not peers.nginx_is_there()
                                         or (name == "nginx-luajson" and bench.shape.form == "proxy")):
            continue
        server = Server(bench, name, shape or bench.shape)
        try:
            server.start()
            server.size = len(server.ask())
            servers.append(server)
        except (Wrong, OSError, http.client.HTTPException) as e:
            print("# %s: not measured: %s" % (server.name, e), file=sys.stderr)
            server.stop()
    return servers


def in_turn(servers, number):
    """The servers of a round: each of them is the first one as often as the others."""
    first = number % len(servers)
    return servers[first:] + servers[:first]


def run_shape(name, args, folder):
    """Rows, one for each server and round."""
    bench = Bench(name, SHAPES[name], folder)
    servers = started(bench, args.peers.split(","))
    rows = []
    seconds = max(args.seconds, PACED_SECONDS) if bench.shape.rate else args.seconds
    try:
        for server in servers:
            bench.measure(server, WARM_SECONDS)
        for number in range(args.rounds):
            for server in in_turn(servers, number):
                rows.append(dict(bench.measure(server, seconds), shape=name, round=number))
    finally:
        for server in servers:
            server.stop()
        bench.close()
    return rows


def summary(rows, name):
    """By server: medians over the rounds, and the ratio to the floor of the same round."""
    of = {}
    floor = {r["round"]: r["cpu_us"] for r in rows if r["peer"] == "floor"}
    for peer in dict.fromkeys(r["peer"] for r in rows):
        mine = [r for r in rows if r["peer"] == peer]
        ratios = [r["cpu_us"] / floor[r["round"]] for r in mine if r["round"] in floor]
        of[peer] = {"shape": name, "peer": peer, "cpu_us": statistics.median(r["cpu_us"] for r in mine),
                    "cpu_us_min": min(r["cpu_us"] for r in mine),
                    "user_us": statistics.median(r["user_us"] for r in mine),
                    "ratio": statistics.median(ratios) if ratios else None,
                    "p50": statistics.median(r["p50"] for r in mine), "done": sum(r["done"] for r in mine),
                    "wrong": sum(r["wrong"] for r in mine), "late": sum(r["late"] for r in mine)}
    return of


def table(of_shapes, names):
    print("\n| CPU µs per request (ratio to the floor) | %s |" % " | ".join(NAMES[n] for n in names))
    print("| --- | %s |" % " | ".join("--:" for _ in names))
    for name, of in of_shapes.items():
        cells = []
        for peer in names:
            row = of.get(peer)
            cells.append("" if row is None else "%.1f" % row["cpu_us"]
                         + (" (%.2f)" % row["ratio"] if row["ratio"] and peer != "floor" else ""))
        print("| %s | %s |" % (SHAPES[name].title, " | ".join(cells)))


def behind(of_shapes):
    """Where gatherd is not the cheapest but for the floor, each measured by the floor of its round, or an answer was wrong."""
    for name, of in of_shapes.items():
        by = "ratio" if "floor" in of else "cpu_us"
        for peer, row in of.items():
            if row["wrong"]:
                yield "%s: %d wrong answers of %s" % (name, row["wrong"], peer)
            if peer.startswith("nginx") and "gatherd" in of and row[by] < of["gatherd"][by]:
                yield "%s: %s needs %.1f µs (%.2f), gatherd %.1f (%.2f)" % (
                    name, peer, row["cpu_us"], row[by], of["gatherd"]["cpu_us"], of["gatherd"][by])


def measure_latency(bench, args, load, above):
    """Adds to the lists of `above`, by server, a row's p50 less the upstreams' time for each round."""
    servers = started(bench, args.peers.split(","))
    try:
        for number in range(max(1, args.rounds // STARTS)):
            for server in in_turn(servers, number):
                above[server.name].append(bench.measure(server, args.seconds, *load)["p50"] - DELAY_US)
    finally:
        for server in servers:
            server.stop()


def run_latency(args, folder):
    """
    What servers add to an upstream that takes 5 ms, in µs: the floor's p50, and what the others add to it. The machine has
    other minutes and a process its own luck, so rounds are short and take turns, and each server is started several times.
    """
    rows = {}
    names = args.peers.split(",")
    print("\n| µs above the upstreams' 5 ms, p50 | %s | %s |" % (
        NAMES[names[0]], " | ".join(NAMES[n] + ", above that" for n in names[1:])))
    print("| --- | %s |" % " | ".join("--:" for _ in names))
    for name in ("A", "B", "C"):
        bench = Bench("latency-" + name, SHAPES[name]._replace(clients=1), folder, DELAY_US)
        try:
            for title, load in (("one at a time", (1, 0)), ("300 per second", (64, 300))):
                above = collections.defaultdict(list)
                for _ in range(STARTS):
                    measure_latency(bench, args, load, above)
                first = above[names[0]]
                added = [statistics.median(a - b for a, b in zip(above[n], first)) if above[n] else None for n in names[1:]]
                title = "%s, %s" % (SHAPES[name].title, title)
                print("| %s | %.0f | %s |" % (title, statistics.median(first),
                                              " | ".join("" if a is None else "%+.0f" % a for a in added)), flush=True)
                rows[title] = above
        finally:
            bench.close()
    return {"what": "latency", "rows": rows}


def measure_workers(bench, args, cpu):
    """Adds a figure for each round to each of the lists of `cpu`."""
    cores = set(range(os.cpu_count() or 1))
    one, two = (started(bench, ["gatherd"], bench.shape._replace(workers=n)) for n in (1, 2))
    floors = started(bench, ["floor"]) + started(bench, ["floor"])
    for server in one + two + floors:
        for pid, tid in threads(server.process.pid):
            os.sched_setaffinity(int(tid), cores)
    sets = {"floor": floors[:1], "floor twice": floors, "one worker": one, "two workers": two}
    try:
        for number in range(args.rounds // STARTS + 1):
            for what, servers in sets.items():
                clients = min(bench.shape.clients, args.limit) if servers[0].name == "floor" else bench.shape.clients
                loads = [bench.start_load(servers[i % len(servers)], args.seconds, clients // 2, 0, cores)
                         for i in range(2)]
                row = bench.measure_loads(servers, loads)
                if number > 0:  # the first round warms them
                    cpu[what].append(row["cpu_us"])
    finally:
        for server in one + two + floors:
            server.stop()


def run_workers(args, folder):
    """
    Load and stub share the cores with what is measured, so a second thread costs more in any program: the floor does too,
    run twice. What is left when that is divided out is the second worker's own. The floor has no queue: it is asked for
    as much at a time as the limit lets through, so that both have the same number of calls under way.
    """
    rows = {}
    for name in ("A", "B"):
        bench = Bench("workers-" + name, SHAPES[name]._replace(limit=args.limit, clients=32), folder)
        os.sched_setaffinity(bench.stub.pid, set(range(os.cpu_count() or 1)))
        cpu = collections.defaultdict(list)
        try:
            for _ in range(STARTS):
                measure_workers(bench, args, cpu)
        finally:
            bench.close()
        rows[name] = {what: statistics.median(v) for what, v in cpu.items()}
        rows[name]["ratio"] = statistics.median(
            (b / a) / (d / c) for a, b, c, d in zip(*(cpu[w] for w in ("one worker", "two workers", "floor", "floor twice"))))
    print("\n| CPU µs per request, limit of %d calls | floor | floor twice | one worker | two workers | two to one, over the "
          "floor's |\n| --- | --: | --: | --: | --: | --: |" % args.limit)
    for name, row in rows.items():
        print("| %s | %.1f | %.1f | %.1f | %.1f | %.3f |" % (SHAPES[name].title, row["floor"], row["floor twice"],
                                                          row["one worker"], row["two workers"], row["ratio"]))
    return {"what": "workers", "rows": rows}


def run_shapes(args, folder):
    rows, of_shapes = [], {}
    for name in args.shapes.split(","):
        mine = run_shape(name, args, folder)
        rows += mine
        of_shapes[name] = summary(mine, name)
        print("# %-8s %s" % (name, "  ".join("%s %.1f" % (p, r["cpu_us"]) for p, r in of_shapes[name].items())),
              file=sys.stderr)
    table(of_shapes, args.peers.split(","))
    found = list(behind(of_shapes))
    print("\n" + ("\n".join(found) if found else "gatherd is ahead of nginx+lua in all of them."))
    return {"what": "shapes", "rows": [r for of in of_shapes.values() for r in of.values()], "raw": rows,
            "behind": found}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--peers", default="floor,gatherd,nginx-lua,nginx-luajson")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--workers", action="store_true")
    parser.add_argument("--limit", type=int, default=48, help="of each upstream, with --workers")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--out")
    args = parser.parse_args()
    if args.list:
        for name, s in SHAPES.items():
            print("%-8s %s" % (name, s.title))
        return 0
    folder = tempfile.mkdtemp(prefix="shapes-")
    os.chmod(folder, 0o755)
    try:
        run = run_latency if args.latency else run_workers if args.workers else run_shapes
        result = run(args, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result["versions"] = [peers.version([os.path.join(BUILD, "gatherd"), "--version"])]
    if peers.nginx_is_there():
        result["versions"].append(peers.version(["nginx", "-v"]))
    result["args"] = vars(args)
    if args.out:
        with open(args.out, "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())

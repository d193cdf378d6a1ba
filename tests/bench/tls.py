"""TLS side by side: what handshakes, requests and idle connections cost gatherd, nginx and HAProxy.

    tls.py BENCH_DIR TLSLOAD [--peers A,B] [--rounds N] [--times N] [--conns N] [--what full-1.3,idle] [--out FILE]

BENCH_DIR is the folder of the side-by-side benchmark (its run.py starts stub and peers), TLSLOAD the program of
tests/tools; GATHERD names the binary. Each peer runs on one core with one worker, the load and the stub on the other;
rounds interleave the peers, the figures are medians. A handshake is counted with its connection, one small request
and its end; requests are proxied, 512 octets, on 32 connections that stay.
"""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
import types

HERE = os.path.dirname(os.path.realpath(__file__))
NAMES = {"gatherd-tls": "gatherd", "nginx-tls": "nginx", "haproxy-tls": "HAProxy"}
# label -> (mode of tlsload, version, target, connections, share of --times)
WHAT = {
    "request-1.3": ("requests", "1.3", "/proxy/1", 32, 10),
    "full-1.3": ("full", "1.3", "/healthz", 16, 1),
    "resumed-1.3": ("resumed", "1.3", "/healthz", 16, 1),
    "full-1.2": ("full", "1.2", "/healthz", 16, 1),
    "resumed-1.2": ("resumed", "1.2", "/healthz", 16, 1),
}
TEXTS = {
    "request-1.3": "request, keep-alive, µs", "full-1.3": "full handshake, TLS 1.3, µs",
    "resumed-1.3": "resumed handshake, TLS 1.3, µs", "full-1.2": "full handshake, TLS 1.2, µs",
    "resumed-1.2": "resumed handshake, TLS 1.2, µs", "idle": "idle connection, bytes",
}


def bench_module(folder):
    spec = importlib.util.spec_from_file_location("bench_run", os.path.join(folder, "run.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(run, tool, *arguments):
    """tlsload up to its READY."""
    proc = run.spawn([tool, "-w", *map(str, arguments)], run.LOAD_CPU, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if proc.stdout.readline() != "READY\n":
        sys.exit("tlsload did not connect: %s" % (arguments,))
    return proc


def cpu_of(run, tool, peer, label, times):
    """CPU microseconds of the peer for one of them."""
    mode, version, target, conns, share = WHAT[label]
    proc = load(run, tool, "-V", version, "-c", conns, "-n", times * share, mode, peer.port, target)
    before = peer.cpu()
    out = proc.communicate("\n")[0]
    time.sleep(0.05)
    spent = peer.cpu() - before
    if proc.returncode != 0:
        sys.exit("%s, %s: tlsload failed" % (peer.name, label))
    done = json.loads(out)
    if mode == "resumed" and done["resumed"] < done["done"] - 1:
        sys.exit("%s, %s: %d of %d were resumed" % (peer.name, label, done["resumed"], done["done"]))
    return spent / 1000 / done["done"]


def idle_bytes(run, tool, peer, conns):
    before = peer.mem("Pss")
    proc = load(run, tool, "-c", conns, "idle", peer.port, "/proxy/1")
    time.sleep(1)
    after = peer.mem("Pss")
    proc.communicate("\n")
    return (after - before) * 1024 / conns


def measure(run, args, env):
    rows = []
    peers = run.find(env, types.SimpleNamespace(peers=args.peers, extra=os.path.join(HERE, "peers")))
    for peer in peers:
        peer.start()
        env.peers.append(peer)
    for number in range(args.rounds):
        turn = number % len(peers)
        for label in [w for w in args.what.split(",") if w in WHAT]:
            for peer in peers[turn:] + peers[:turn]:
                rows.append({"peer": peer.name, "what": label, "round": number,
                             "value": cpu_of(run, args.tlsload, peer, label, args.times)})
        print("# round %d of %d" % (number + 1, args.rounds), file=sys.stderr, flush=True)
    # each from its start: what a peer has once taken it keeps for the next ones
    for peer in peers if "idle" in args.what.split(",") else []:
        peer.stop()
        peer.start()
        idle_bytes(run, args.tlsload, peer, 50)  # what is taken once
        rows.append({"peer": peer.name, "what": "idle", "round": 0,
                     "value": idle_bytes(run, args.tlsload, peer, args.conns)})
    return rows, [peer.version() for peer in peers]


def table(rows):
    peers = [p for p in NAMES if any(r["peer"] == p for r in rows)]
    lines = ["| | %s | gatherd to the better |" % " | ".join(NAMES[p] for p in peers), "| --- | %s | --: |" % " | ".join("--:" for _ in peers)]
    for label, text in TEXTS.items():
        of = {p: [r["value"] for r in rows if r["peer"] == p and r["what"] == label] for p in peers}
        if not all(of.values()):
            continue
        medians = {p: statistics.median(v) for p, v in of.items()}
        others = [v for p, v in medians.items() if p != "gatherd-tls"]
        form = "%.0f" if label == "idle" or medians[peers[0]] > 100 else "%.1f"
        ratio = "%.3f" % (medians["gatherd-tls"] / min(others)) if others and "gatherd-tls" in medians else ""
        lines.append("| %s | %s | %s |" % (text, " | ".join(form % medians[p] for p in peers), ratio))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench_dir")
    parser.add_argument("tlsload")
    parser.add_argument("--peers", default=",".join(NAMES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--times", type=int, default=2000)
    parser.add_argument("--conns", type=int, default=2000)
    parser.add_argument("--what", default=",".join(TEXTS))
    parser.add_argument("--base-port", type=int, default=21001)
    parser.add_argument("--out")
    args = parser.parse_args()
    run = bench_module(args.bench_dir)
    env = run.Env(args)
    try:
        env.stubset("body=512&delay=0&jitter=0&cap=0")
        rows, versions = measure(run, args, env)
    finally:
        env.close()
    print(table(rows))
    print("\n" + "; ".join(v for v in versions if v))
    if args.out:
        with open(args.out, "w", encoding="utf-8") as f:
            json.dump({"rows": rows, "versions": versions}, f, indent=1)


main()

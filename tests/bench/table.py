"""The README's tables, made of the JSON that `make bench` writes.

    table.py bench.json

CPU time per request in microseconds and its ratio to the floor, the least that the same job takes on this kernel;
then the part of it that is spent in user space. Medians over the rounds of one run, 32 requests outstanding.
"""
import json
import sys

SCENARIOS = {
    "A": "proxy, 512 octets", "B": "gather 3, 512 octets", "C": "gather 10, 512 octets",
    "A16": "proxy, 16 KiB", "B16": "gather 3, 16 KiB", "C16": "gather 10, 16 KiB",
}
# how they are called, in the order of the columns; others follow as they come
PEERS = {"floor": "floor", "gatherd": "gatherd", "nginx": "nginx", "haproxy": "HAProxy", "h2o": "h2o",
         "nginx-lua": "nginx+lua, bodies pasted", "nginx-luajson": "nginx+lua, JSON decoded"}


def table(title, rows, peers, cell):
    """rows: by scenario, then peer. cell(row, row of the floor) -> text"""
    lines = ["| %s | %s |" % (title, " | ".join(PEERS.get(p, p) for p in peers)),
             "| --- | %s |" % " | ".join("--:" for _ in peers)]
    for scenario, of in rows.items():
        cells = [cell(of[p], of.get("floor")) if p in of else "" for p in peers]
        lines.append("| %s: %s | %s |" % (scenario, SCENARIOS.get(scenario, scenario), " | ".join(cells)))
    return "\n".join(lines)


def cpu(row, floor):
    if floor is None:
        return "%.1f" % row["cpu_closed"]
    return "%.1f (%.2f)" % (row["cpu_closed"], row["cpu_closed"] / floor["cpu_closed"])


def user(row, _):
    share = row.get("user_share")
    return "" if share is None else "%.1f" % (row["cpu_closed"] * share)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as f:
        run = json.load(f)
    rows = {}
    for row in run["rows"]:
        rows.setdefault(row["scen"], {})[row["peer"]] = row
    there = {row["peer"] for row in run["rows"]}
    peers = [p for p in PEERS if p in there] + sorted(there - set(PEERS))
    print(table("CPU µs per request (ratio to the floor)", rows, peers, cpu))
    if any(user(row, None) for row in run["rows"]):
        print()
        print(table("of which in user space", rows, peers, user))
    versions = list(dict.fromkeys(v for v in run.get("versions", {}).values() if v))
    if versions:
        print("\n" + "; ".join(versions))
    wrong = ["%s in %s: %d" % (r["peer"], r["scen"], r["errors"]) for r in run["rows"] if r["errors"]]
    if wrong:
        print("\nWrong or missing answers: " + ", ".join(wrong))


main()

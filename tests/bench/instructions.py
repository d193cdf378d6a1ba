"""Instructions, allocations and system calls of one request, counted by callgrind, held to instructions.txt.

    instructions.py           fails when a request costs 3 % more than the file says, or allocates more
    instructions.py --write   measures and rewrites the file (`make bench-instructions`)
    instructions.py --order FILE  writes which functions of the daemon a request runs, as the linker takes it (`make order`)

bench_turns is the whole daemon without its process; only its turns of the loop are counted, so that the figures
are the same every time. They hold for one compiler, its flags and one kind of processor, which the file names:
with others nothing is compared. It has a block for each kind of build: as configured by default, and with
--enable-release.
"""
import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("abs_builddir") or os.path.join(HERE, "..", "..", "build"))
KEPT = os.path.join(HERE, "instructions.txt")
PROGRAM = os.path.join(BUILD, "tests", "bench", "bench_turns")
TOLERANCE = 1.03
WARM, FEW, MANY = 100, 100, 400  # requests
SKIPPED = 77  # automake's

# name: what it is, calls to upstreams, target
SCENARIOS = {
    "A": ("proxy", 1, "/proxy/7"),
    "A-post": ("proxy, POST of 65 octets", 1, "POST /proxy/7"),
    "B": ("gather 3", 3, "/agg3/7"),
    "C": ("gather 10", 10, "/agg10/7"),
    "B-shape": ("gather 3, select and rename in every call", 3, "/agg3/7"),
    "A-log": ("proxy, with an access log", 1, "/proxy/7"),
    "C-log": ("gather 10, with an access log", 10, "/agg10/7"),
}
SHAPED = {"B-shape"}
LOGGED = {"A-log", "C-log"}
SHAPING = 'select: [ id, "items[].sku", "items[].price", note ], rename: { note: remark, "items[].sku": article }'
TOTAL = "instructions"
ALLOCATIONS = "allocations"
# glibc's functions that enter the kernel
SYSTEM_CALLS = {"read", "write", "readv", "writev", "recv", "recvfrom", "recvmsg", "send", "sendto", "sendmsg",
                "epoll_wait", "epoll_ctl", "ioctl", "getsockopt", "setsockopt", "timerfd_settime", "fcntl",
                "accept4", "connect", "close", "shutdown"}


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIPPED)


def variable(name):
    """A variable of the build's Makefile."""
    with open(os.path.join(BUILD, "Makefile"), encoding="utf-8") as f:
        match = re.search(r"^%s = (.*)$" % name, f.read(), re.M)
    return match.group(1).split("#")[0].strip() if match else ""


def conditions():
    """What the figures depend on beside the sources."""
    cc = variable("CC")
    version = subprocess.run(cc.split() + ["--version"], capture_output=True, text=True).stdout.split("\n")[0]
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        vectors = "avx2" if " avx2" in f.read() else "no avx2"
    libc = os.confstr("CS_GNU_LIBC_VERSION")
    flags = " ".join(variable(v) for v in ("CFLAGS", "HARDEN_CFLAGS", "RELEASE_CFLAGS", "SAN_CFLAGS"))
    # In whatever order they were given.
    return "%s; %s; %s; %s" % (version, " ".join(sorted(flags.split())), libc, vectors)


def listen():
    s = socket.create_server(("127.0.0.1", 0), backlog=64)
    s.setblocking(False)  # as listeners are that the daemon opens
    return s, str(s.getsockname()[1])


def configuration(folder, name, ports, scenario):
    with open(os.path.join(HERE, "peers", "gatherd", "gatherd.yaml"), encoding="utf-8") as f:
        text = f.read().replace("@PORT@", "0")
    if scenario in LOGGED:
        text = text.replace("access_log: { path: none }", "access_log: { path: /dev/null }")
    if scenario in SHAPED:
        text = re.sub(r'^( {6}\w+: \{ upstream: .*?) \}$', r"\1, %s }" % SHAPING, text, flags=re.M)
    for i, port in enumerate(ports):
        text = text.replace("@UP%d@" % i, port)
    path = os.path.join(folder, name + ".yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def tally(path):
    """Instructions, and calls by function, of a file that callgrind has written."""
    names, calls, callee, n, is_cost = {}, {}, None, 0, False
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            match = re.match(r"c?fn=\((\d+)\)(?: (.*))?$", line)
            if match:
                if match.group(2):
                    names[match.group(1)] = re.sub(r"'\d+$", "", match.group(2))
                callee = names[match.group(1)]
            elif is_cost and line.split()[1] != "0":  # without cost: not in a turn that counts
                calls[callee] = calls.get(callee, 0) + n
            is_cost = line.startswith("calls=")
            if is_cost:
                n = int(line[len("calls="):].split()[0])
            elif line.startswith("totals:"):
                calls[TOTAL] = int(line.split()[1])
    return calls


def run(folder, scenario, n_requests):
    _, n_calls, target = SCENARIOS[scenario]
    sockets = [listen() for _ in range(11)]
    name = "%s-%d" % (scenario, n_requests)
    conf = configuration(folder, name, [port for _, port in sockets[1:]], scenario)
    fds = [s.fileno() for s, _ in sockets]
    out = os.path.join(folder, name + ".callgrind")
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, "--toggle-collect=turn_counted",
               PROGRAM, conf, n_calls, WARM, n_requests, target] + fds
    done = subprocess.run([str(word) for word in command], pass_fds=fds, capture_output=True, text=True)
    for s, _ in sockets:
        s.close()
    if done.returncode != 0:
        sys.exit("%s: bench_turns failed:\n%s" % (name, done.stderr))
    counts = tally(out)
    counts[ALLOCATIONS] = int(done.stdout)
    return counts


def measure(folder, name):
    """Per request: instructions, allocations, system calls as text. The difference of two runs has no start in it."""
    few, many = (run(folder, name, n) for n in (FEW, MANY))
    each = {function: (n - few.get(function, 0)) / (MANY - FEW) for function, n in many.items()}
    system = ["%s %.3g" % (function, n) for function, n in sorted(each.items())
              if function in SYSTEM_CALLS and n >= 0.5]
    return each[TOTAL], max(each[ALLOCATIONS], 0), " ".join(system)


def measure_all(folder):
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda name: measure(folder, name), SCENARIOS))
    return dict(zip(SCENARIOS, rows))


def least(row, other):
    return min(row[0], other[0]), min(row[1], other[1]), row[2]


def kind_of_build():
    return "release" if variable("RELEASE_CFLAGS") else "default"


def read_kept():
    """By kind of build: the conditions under which was counted, and the rows as they are in the file."""
    kept = {}
    if os.path.exists(KEPT):
        with open(KEPT, encoding="utf-8") as f:
            for line in f:
                head = re.match(r"# (default|release): (.*)$", line)
                if head:
                    rows = []
                    kept[head.group(1)] = head.group(2), rows
                elif not line.startswith("#"):
                    rows.append(line)
    return kept


def read_rows(rows):
    """By name: instructions and allocations."""
    return {fields[0]: (float(fields[1]), float(fields[3])) for fields in map(str.split, rows)}


def write_kept(kept):
    with open(KEPT, "w", encoding="utf-8") as f:
        f.write("# Instructions in user space, allocations and system calls of one request, one at a time, upstream\n"
                "# bodies of 512 octets. Written by `make bench-instructions`, for its kind of build; see instructions.py.\n")
        for kind, (of, rows) in sorted(kept.items()):
            f.write("# %s: %s\n" % (kind, of))
            f.writelines(rows)


def row_of(name, row):
    return "%-7s %7.0f instructions  %g allocations  %s  (%s)\n" % (
        name, row[0], round(row[1], 1), row[2], SCENARIOS[name][0])


def complaints(rows, was):
    for name, (instructions, allocations, _) in rows.items():
        was_instructions, was_allocations = was.get(name, (0, 0))
        if allocations > was_allocations + 0.05:
            yield ("%s: %g allocations per request, instructions.txt says %g; take memory from the worker's free lists"
                   % (name, allocations, was_allocations))
        if instructions > was_instructions * TOLERANCE:
            yield ("%s: %.0f instructions per request, instructions.txt says %.0f; spare them, or say in the commit what "
                   "they buy, with `make bench-instructions`" % (name, instructions, was_instructions))


def functions_run(folder):
    """Names of all that is the daemon's own; what many requests need comes first."""
    symbols = subprocess.run(["nm", "--defined-only", os.path.join(BUILD, "libgatherd.a")], capture_output=True,
                             text=True, check=True).stdout
    own = set(re.findall(r"^[0-9a-f]+ [tT] (\w+)$", symbols, re.M))
    for name in SCENARIOS:
        few, many = (run(folder, name, n) for n in (FEW, MANY))
        yield from sorted(f for f, n in many.items() if f in own and n > few.get(f, 0))


def write_order(path):
    with tempfile.TemporaryDirectory() as folder:
        names = list(dict.fromkeys(functions_run(folder)))
    with open(path, "w", encoding="utf-8") as f:
        f.write("""/*
 * What a request runs, side by side in the program (configure --enable-release): after some idle milliseconds each page
 * and each line of it has to be fetched again before the first byte of an answer can leave. A name that is not there any
 * more does no harm, a new one is only found elsewhere. Written by `make order`; see tests/bench/instructions.py.
 */
SECTIONS
{
	.text.steady :
	{
""")
        f.writelines("\t\t*(.text.%s .text.%s.*)\n" % (name, name) for name in names)
        f.write("\t}\n}\nINSERT BEFORE .text;\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--order", metavar="FILE")
    args = parser.parse_args()
    if shutil.which("valgrind") is None:
        skip("valgrind is not installed (scripts/bootstrap --tests installs it)")
    if args.order:
        write_order(args.order)
        return 0
    kept = read_kept()
    of, lines = kept.get(kind_of_build(), (None, []))
    if not args.write and of != conditions():
        skip("the figures are for %s, this is %s" % (of, conditions()))
    was = read_rows(lines)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure_all(folder)
    for name, row in rows.items():
        print("%-7s %9.0f instructions  %g allocations  %s" % ((name,) + row))
    if args.write:
        write_kept(dict(kept, **{kind_of_build(): (conditions(), [row_of(*item) for item in rows.items()])}))
        return 0
    found = list(complaints(rows, was))
    for _ in range(3):
        if not found:
            break
        # what a busy machine adds (a turn more, a second more) is another thing each time, what the code costs is there always
        with tempfile.TemporaryDirectory() as folder:
            rows = {name: least(row, rows[name]) for name, row in measure_all(folder).items()}
        found = list(complaints(rows, was))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

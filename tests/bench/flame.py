#!/usr/bin/env python3
"""A flame graph: where the time of requests goes, as an SVG made of what perf has sampled.

    flame.py --shape B --out doc/flame-b.svg         samples gatherd while it serves a shape of shapes.py (needs perf and root)
    perf script | flame.py --stdin --out FILE.svg    of samples that are there

Each box is a function, as wide as the share of samples in which it was on the stack; what it called lies above it.
Functions of less than 0.4 % are left out. Boxes tell their share when the pointer rests on them.
"""
import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
import time

WIDTH, ROW, FONT = 1200, 17, 11
LEAST = 0.004  # of all samples
COLOURS = {"gatherd": "#f0b37e", "libevent": "#b7d3a8", "libc": "#e6d690", "kernel": "#a9c4e0"}
DROPPED = re.compile(r"\.(lto_priv|constprop|isra|part|cold)\.?\d*")


class Node:
    def __init__(self):
        self.count = 0
        self.children = collections.OrderedDict()


def kind_of(module):
    if "kernel" in module:
        return "kernel"
    if "libevent" in module:
        return "libevent"
    return "libc" if "libc.so" in module or "vdso" in module or "ld-linux" in module else "gatherd"


def read_stacks(lines):
    """What perf script prints: a line for each sample, then a line for each frame, the innermost first."""
    stack = []
    for line in lines:
        frame = re.match(r"\s+[0-9a-f]+ (.+) \((.*)\)$", line)
        if frame:
            name = re.sub(r"\+0x[0-9a-f]+$", "", frame.group(1))
            stack.append((DROPPED.sub("", name), kind_of(frame.group(2))))
        elif not line.strip() and stack:
            yield stack[::-1]
            stack = []
    if stack:
        yield stack[::-1]


def tidy(stack):
    """Without what says nothing: frames of no name, and the entry into the kernel, which is there every time."""
    dull = ("[unknown]", "entry_SYSCALL_64_after_hwframe", "do_syscall_64", "clone3", "__clone3", "start_thread")
    return [frame for frame in stack if frame[0] not in dull and not frame[0].startswith("__x64_sys_")]


def build(stacks):
    root = Node()
    for stack in stacks:
        node = root
        node.count += 1
        for frame in tidy(stack):
            node = node.children.setdefault(frame, Node())
            node.count += 1
    return root


def depth(node, total):
    kept = [child for child in node.children.values() if child.count >= LEAST * total]
    return 1 + max((depth(child, total) for child in kept), default=0)


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def boxes(node, x, level, height, total, out):
    for (name, kind), child in sorted(node.children.items()):
        if child.count < LEAST * total:
            continue
        width = child.count / total * WIDTH
        y = height - (level + 1) * ROW
        letters = int(width / (FONT * 0.6)) - 1
        label = name if len(name) <= letters else name[:letters - 1] + "…" if letters > 3 else ""
        text = ('<text x="%.0f" y="%d">%s</text>' % (x + 3, y + ROW - 5, escape(label))) if label else ""
        out.append('<g><title>%s (%s): %.1f %%</title><rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>%s</g>'
                   % (escape(name), kind, 100 * child.count / total, x, y, max(width - 0.5, 0.5), ROW - 1,
                      COLOURS[kind], text))
        boxes(child, x, level + 1, height, total, out)
        x += width


def draw(root, title):
    height = (depth(root, root.count) + 2) * ROW
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="monospace" '
           'font-size="%d">' % (WIDTH, height, WIDTH, height, FONT),
           '<rect width="100%" height="100%" fill="#ffffff"/>', '<text x="3" y="12">%s</text>' % escape(title)]
    for i, (kind, colour) in enumerate(COLOURS.items()):
        out.append('<rect x="%d" y="3" width="10" height="10" fill="%s"/><text x="%d" y="12">%s</text>'
                   % (WIDTH - 340 + 85 * i, colour, WIDTH - 326 + 85 * i, kind))
    boxes(root, 0, 0, height, root.count, out)
    return "\n".join(out + ["</svg>"]) + "\n"


def sample(name, seconds):
    """perf script's lines while gatherd serves a shape."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import shapes
    with tempfile.TemporaryDirectory() as folder:
        bench = shapes.Bench(name, shapes.SHAPES[name], folder)
        servers = shapes.started(bench, ["gatherd"])
        data = os.path.join(folder, "perf.data")
        try:
            bench.measure(servers[0], 0.5)
            perf = subprocess.Popen(["perf", "record", "-q", "-F", "4999", "-g", "-o", data, "-p",
                                     str(servers[0].process.pid), "--", "sleep", str(seconds)])
            time.sleep(0.3)
            bench.measure(servers[0], seconds)
            perf.wait()
        finally:
            for server in servers:
                server.stop()
            bench.close()
        return subprocess.run(["perf", "script", "-i", data, "-F", "comm,tid,ip,sym,dso"], capture_output=True,
                              text=True).stdout.split("\n"), shapes.SHAPES[name].title


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="B")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--stdin", action="store_true")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    lines, title = (sys.stdin, "") if args.stdin else sample(args.shape, args.seconds)
    root = build(read_stacks(lines))
    if root.count == 0:
        sys.exit("no samples")
    with open(args.out, "w", encoding="utf-8") as f:
        f.write(draw(root, "%s: %d samples" % (title, root.count)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""No absolute path of somebody's machine: the project works wherever it is cloned."""
import os
import re

import lint

# /home/USER and /root, a top-level work folder, and wherever this very tree stands
SUSPECT = re.compile(r"(?<![\w.}@/*-])/(?:home/\w|root/|work/|Users/\w)")
TEXT = (".c", ".h", ".py", ".sh", ".md", ".yaml", ".json", ".am", ".ac", ".in", ".service", ".1", ".8",
        ".txt", ".cfg", ".toml", ".ini")
GENERATED = {"build-aux", "autom4te.cache", "m4"}


def candidates():
    for directory, folders, names in os.walk(lint.ROOT):
        folders[:] = [f for f in folders if f not in GENERATED and not f.startswith(("build", ".git", "_"))
                      and f != "__pycache__" and not f.startswith("gatherd-")]
        for name in names:
            path = os.path.relpath(os.path.join(directory, name), lint.ROOT)
            if name.endswith(TEXT) or path.startswith("scripts/"):
                yield path


for path in sorted(candidates()):
    if path in ("aclocal.m4", "Makefile.in", "config.h.in") or path == "tests/lint/paths.py":
        continue
    for number, line in enumerate(lint.read(path).split("\n"), 1):
        if SUSPECT.search(line) or (len(lint.ROOT) > 8 and lint.ROOT + "/" in line):
            lint.finding(path, number, "an absolute path of one machine; make it relative or a variable")
lint.finish()

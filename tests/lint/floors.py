"""Includes only go down: a file may include its own folder and folders on lower floors."""
import re

import lint

FLOORS = {"base": 0, "net": 1, "codec": 1, "upstream": 2, "gather": 3, "server": 4, "filters": 5,
          "conf": 6, "daemon": 7}
TOP = 8
INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')


def folder_of(path):
    parts = path.split("/")
    return parts[0] if len(parts) > 1 else None


def check_include(source, number, target):
    here, there = folder_of(source), folder_of(target)
    at = "src/" + source
    if target == "config.h":
        return
    if there not in FLOORS:
        lint.finding(at, number, '"%s" is not on a floor; include it as "folder/file.h"' % target)
        return
    if here == there:
        return
    if FLOORS[there] == FLOORS.get(here, TOP):
        lint.finding(at, number, "%s and %s share a floor and must not know each other; "
                     "join them one floor up" % (here, there))
    elif FLOORS[there] > FLOORS.get(here, TOP):
        lint.finding(at, number, "%s (floor %d) includes %s (floor %d); move what both need down, "
                     "or turn the dependency round with a callback"
                     % (here, FLOORS[here], there, FLOORS[there]))


for path in lint.files("src", ".c", ".h"):
    source = path[len("src/"):]
    if folder_of(source) not in FLOORS and folder_of(source) is not None:
        lint.finding(path, 1, "this folder is on no floor; add it to FLOORS in tests/lint/floors.py")
        continue
    for number, line in enumerate(lint.read(path).split("\n"), 1):
        match = INCLUDE.match(line)
        if match:
            check_include(source, number, match.group(1))
lint.finish()

"""What the checks of this folder share: where the sources are, how a finding is told, how C is stripped.

Each check prints `file:line: what is wrong; what to do` per finding and exits 1, or nothing and exits 0.
Automake runs them with srcdir and builddir in the environment; by hand they find the tree themselves.
"""
import os
import re
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.realpath(os.environ.get("abs_builddir") or os.path.join(ROOT, "build"))

_findings = []


def finding(path, line, text):
    _findings.append("%s:%d: %s" % (path, line, text))


def finish():
    for text in _findings:
        print(text)
    sys.exit(1 if _findings else 0)


def files(folder, *endings):
    """Paths relative to the root, sorted, of the files below `folder` with one of the endings."""
    found = []
    for directory, folders, names in os.walk(os.path.join(ROOT, folder)):
        folders[:] = [f for f in folders if not f.startswith((".", "__pycache__"))]
        for name in names:
            if name.endswith(endings):
                found.append(os.path.relpath(os.path.join(directory, name), ROOT))
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as f:
        return f.read()


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_lines(path):
    """The lines of a C file with comments and literals blanked, so that line numbers stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return _TOKEN.sub(blank, read(path)).split("\n")

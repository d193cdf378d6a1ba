"""HACKING.md names functions and files that are there: every `name()` is defined in src, every path exists."""
import os
import re

import lint

FUNCTION = re.compile(r"`([a-z_0-9]+)\(\)`")
PATH = re.compile(r"`((?:src|tests|scripts|doc|conf|systemd)/[\w./-]*\w)`")
DEFINED = re.compile(r"^(?:static inline [\w *]+?)?([a-z_0-9]+)\(", re.M)

defined = set()
for source in lint.files("src", ".c", ".h"):
    defined.update(DEFINED.findall(lint.read(source)))
for number, line in enumerate(lint.read("HACKING.md").split("\n"), 1):
    for name in FUNCTION.findall(line):
        if name not in defined:
            lint.finding("HACKING.md", number, "%s() is not in src; name the function that does it now" % name)
    for path in PATH.findall(line):
        if "*" not in path and not os.path.exists(os.path.join(lint.ROOT, path)):
            lint.finding("HACKING.md", number, "%s is not there; name what is" % path)
lint.finish()

"""The generated pages say what the program says: doc/reference.md, doc/metrics.md, the JSON Schema."""
import os
import subprocess

import lint

PAGES = {"conf/gatherd.schema.json": "schema", "doc/reference.md": "reference", "doc/metrics.md": "metrics"}


def first_difference(old, new):
    for number, (a, b) in enumerate(zip(old, new), 1):
        if a != b:
            return number
    return min(len(old), len(new)) + 1


for path, command in PAGES.items():
    said = subprocess.run([os.path.join(lint.BUILD, "gatherd"), command], check=True, capture_output=True, text=True).stdout
    try:
        kept = lint.read(path)
    except FileNotFoundError:
        kept = ""
    if kept != said:
        lint.finding(path, first_difference(kept.split("\n"), said.split("\n")),
                     "stale: not what `gatherd %s` prints; run `make generated` and commit it" % command)
lint.finish()

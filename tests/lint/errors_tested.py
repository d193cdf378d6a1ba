"""Every row of ERR_TABLE is produced by some test: its ERR_ name or its reason token stands in tests/."""
import re

import lint

TABLE = "src/base/err.h"
ROW = re.compile(r'^\s*X\((\w+), \d+, "(\w+)"')
# no failure at all, and what only a defect of gatherd or of the machine brings about
NOT_PROVOKED = {"NONE", "INTERNAL", "SYSTEM"}

tests = "\n".join(lint.read(path) for path in lint.files("tests", ".c", ".py", ".yaml", ".json", ".txt")
                  if not path.startswith("tests/lint/"))
for number, line in enumerate(lint.read(TABLE).split("\n"), 1):
    match = ROW.match(line)
    if not match or match.group(1) in NOT_PROVOKED:
        continue
    name, token = match.groups()
    if not re.search(r'\bERR_%s\b|["\'\s]%s["\'\s]' % (name, token), tests):
        lint.finding(TABLE, number, "no test produces ERR_%s (\"%s\"); add one" % (name, token))
lint.finish()

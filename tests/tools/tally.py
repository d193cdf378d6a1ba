"""Counts tests for scripts/check.

tally.py automake BUILD   one line "passed failed" for the .trs and .log files that `make check` left
tally.py junit FILE       the same for a pytest report
tally.py show BUILD       the logs of what failed
tally.py sum FILE BROKEN  adds the lines up, prints `N passed, N failed`, exits 1 when something failed
"""
import os
import re
import sys
import xml.etree.ElementTree

CHECKS = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)


def reports(build):
    """(name, result, log) of every test that automake ran."""
    for directory, _, names in os.walk(build):
        for name in names:
            if name.endswith(".trs"):
                path = os.path.join(directory, name)
                with open(path, errors="replace") as f:
                    result = re.search(r"^:global-test-result: (\w+)", f.read(), re.M)
                with open(path[:-4] + ".log", errors="replace") as f:
                    yield path[:-4], result.group(1) if result else "ERROR", f.read()


def automake(build):
    passed = failed = 0
    for _, result, log in reports(build):
        suites = [[int(n) for n in m] for m in CHECKS.findall(log)]
        bad = sum(f + e for _, f, e in suites)
        good = sum(n for n, _, _ in suites) - bad
        if result == "PASS":
            passed += max(good, 1)
        elif result != "SKIP":
            passed += good
            failed += max(bad, 1)
    return passed, failed


def junit(path):
    try:
        root = xml.etree.ElementTree.parse(path).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return 0, 1
    suites = [s.attrib for s in root.iter("testsuite")]
    total, bad, skipped = (sum(int(s[key]) for s in suites) for key in ("tests", "failures", "skipped"))
    bad += sum(int(s["errors"]) for s in suites)
    # a pass with no test at all did not show anything
    return max(total - bad - skipped, 0), bad if total else 1


def show(build):
    for name, result, log in reports(build):
        if result != "PASS":  # why a test was skipped is told as well
            print("---- %s: %s\n%s" % (name, result, log[-4000:]))


def total(path, broken):
    with open(path) as f:
        rows = [[int(n) for n in line.split()] for line in f]
    passed = sum(row[0] for row in rows)
    failed = sum(row[1] for row in rows) + broken
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed or not passed else 0


if sys.argv[1] == "automake":
    print("%d %d" % automake(sys.argv[2]))
elif sys.argv[1] == "junit":
    print("%d %d" % junit(sys.argv[2]))
elif sys.argv[1] == "show":
    show(sys.argv[2])
else:
    sys.exit(total(sys.argv[2], int(sys.argv[3])))

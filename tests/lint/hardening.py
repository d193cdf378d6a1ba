"""The daemon as it was built is hardened as distributions harden what faces a network, and compiled as doc/performance.md
says: position-independent, nothing writable that need not be, stacks guarded, lengths checked, frame pointers kept.

What the program shows is read from the program; what it does not show, from the flags of the build.
"""
import os
import platform
import re
import shutil
import subprocess
import sys

import lint

PROGRAM = os.path.join(lint.BUILD, "gatherd")
LIBRARY = os.path.join(lint.BUILD, "libgatherd.a")
SKIPPED = 77  # automake's
X86 = platform.machine() == "x86_64"
# of every file; the last two are not for every processor
WANTED = ["-fno-omit-frame-pointer", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2"] + \
    ["-fstack-clash-protection", "-fcf-protection"] * X86
UNWANTED = re.compile(r"-march=native|-mtune=native|-ffast-math|-Ofast|-fomit-frame-pointer|-fno-stack-\S+|-no-pie|"
                      r"-fcf-protection=none|-z,?execstack|-z,?lazy|-z,?norelro")


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIPPED)


def readelf(*arguments):
    done = subprocess.run(["readelf", "-W", *arguments], capture_output=True, text=True, check=True,
                          env=dict(os.environ, LC_ALL="C"))
    return done.stdout


def variables():
    """Those of the build's Makefile that are set in one line, or in several that are joined."""
    with open(os.path.join(lint.BUILD, "Makefile"), encoding="utf-8") as f:
        text = f.read().replace("\\\n", " ")
    return dict(re.findall(r"^(\w+) = (.*)$", text, re.M))


def segments(program_headers):
    """Type and flags of each."""
    return re.findall(r"^ +([A-Z_]+) +(?:0x\w+ +){5}([RWE ]{3}) ", program_headers, re.M)


def check_program():
    headers, dynamic, symbols = readelf("-hl", PROGRAM), readelf("-d", PROGRAM), readelf("--dyn-syms", PROGRAM)
    flags = " ".join(re.findall(r"\(FLAGS(?:_1)?\)(.*)", dynamic))
    kinds = segments(headers)
    yield "is not position-independent (-fPIE, -pie)", "DYN" not in headers or "PIE" not in flags
    yield "looks functions up while it runs (-z now)", "NOW" not in flags
    yield "can be written to where its addresses are (-z relro)", "GNU_RELRO" not in dict(kinds)
    yield "has a stack that can be run (-z noexecstack)", "E" in dict(kinds).get("GNU_STACK", "E")
    yield "has memory that can be written and run", any("W" in f and "E" in f for _, f in kinds)
    yield "changes its code when it is loaded (TEXTREL)", "TEXTREL" in dynamic
    yield "has stacks without guards (-fstack-protector-strong)", "__stack_chk_fail" not in symbols
    yield "checks no lengths (-D_FORTIFY_SOURCE)", not re.search(r"__(?!stack)\w+_chk@", symbols)
    if X86:
        # of its objects: the C library's part may lack the mark, and the linker then leaves it out
        notes = readelf("-n", LIBRARY).split("\nFile: ")[1:]
        unmarked = [note.split("\n")[0] for note in notes if "IBT, SHSTK" not in note]
        yield "has branches to anywhere (-fcf-protection): " + " ".join(unmarked), not notes or unmarked


def check_flags(of):
    compiled = " ".join(of[name] for name in ("HARDEN_CFLAGS", "RELEASE_CFLAGS", "CPPFLAGS", "CFLAGS"))
    linked = " ".join(of[name] for name in ("HARDEN_LDFLAGS", "RELEASE_LDFLAGS", "LDFLAGS"))
    for flag in WANTED:
        yield "is compiled without " + flag, flag not in compiled.split()
    for flag in UNWANTED.findall(compiled + " " + linked):
        yield "is built with " + flag, True
    is_release = of["RELEASE_CFLAGS"] != ""
    yield "is a release without -flto", is_release and ("-flto=auto" not in of["RELEASE_CFLAGS"].split() or
                                                        "-flto=auto" not in of["RELEASE_LDFLAGS"].split())


def main():
    of = variables()
    if of["SAN_CFLAGS"]:
        skip("a build for %s is not for networks" % of["SAN_CFLAGS"])
    if not re.search(r"-O[123s]", of["CFLAGS"]):
        skip("not optimised (CFLAGS=%s), which checked lengths need" % of["CFLAGS"])
    if shutil.which("readelf") is None:
        skip("readelf is not installed (package binutils)")
    for text, is_wrong in [*check_program(), *check_flags(of)]:
        if is_wrong:
            lint.finding("configure.ac", 1, "the program %s; see HARDEN_CFLAGS there, and `make clean` after a change" % text)
    lint.finish()


main()

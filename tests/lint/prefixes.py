"""File stem = prefix: every global symbol of pool.c begins with pool_. Asks nm about libgatherd.a."""
import os
import subprocess

import lint

# stem -> other names it may define
ALLOWED = {
    "limiter": ("permit_acquire", "permit_take", "permit_wait", "permit_hand", "permit_release"),  # the token that a limiter hands out
}


def line_of(stem, symbol):
    for path in lint.files("src", "/" + stem + ".c"):
        for number, line in enumerate(lint.read(path).split("\n"), 1):
            if symbol in line:
                return path, number
        return path, 1
    return "src", 1


def symbols():
    """(stem of the object, name) for every global symbol that the library defines."""
    archive = os.path.join(lint.BUILD, "libgatherd.a")
    out = subprocess.run([os.environ.get("NM", "nm"), "-g", "--defined-only", archive], check=True,
                         capture_output=True, text=True).stdout
    stem = None
    for line in out.split("\n"):
        if line.endswith(".o:"):
            stem = os.path.basename(line)[:-len(".o:")]
        elif line:
            yield stem, line.split()[-1]


for stem, symbol in symbols():
    if symbol.startswith("_") or "." in symbol:  # the compiler's own, under a sanitizer
        continue
    if symbol == stem or symbol.startswith(stem + "_") or symbol in ALLOWED.get(stem, ()):
        continue
    path, number = line_of(stem, symbol)
    lint.finding(path, number, "%s is global without the prefix %s_; rename it or make it static" % (symbol, stem))
lint.finish()

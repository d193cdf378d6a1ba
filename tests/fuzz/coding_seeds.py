"""Inputs that the fuzzer of compressed bodies starts from: the coding, how to cut, and a stream of it."""
import gzip
import os
import subprocess
import sys
import zlib

TEXTS = [b"", b"x", b'{"a":[1,2,3],"b":"hello world"}' * 20, bytes(range(256)) * 8, b"\0" * 400000]
GZIP, BR, DEFLATE = 0, 1, 2


def brotli(text, *how):
    return subprocess.run(["brotli", "-c", *how], input=text, capture_output=True, check=True).stdout


def streams():
    for text in TEXTS:
        yield GZIP, gzip.compress(text, 9)
        yield GZIP, gzip.compress(text, 1) + gzip.compress(b"and more")
        yield DEFLATE, zlib.compress(text)
        for quality in ("0", "5", "11"):
            yield BR, brotli(text, "-q", quality)
        yield BR, brotli(text, "-w", "24")


folder = sys.argv[2]
for number, (coding, stream) in enumerate(streams()):
    for cut in (0, 7):
        with open(os.path.join(folder, "seed-%d-%d" % (number, cut)), "wb") as f:
            f.write(bytes([coding, cut]) + stream)

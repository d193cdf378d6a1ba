"""Gives every row of HEADER_TABLE its slot in the perfect hash of src/codec/http_table.c, in place.

Run it after adding a row with any number in the slot's place. The multiplier stays when it still tells all names
apart; otherwise another one is searched for and written too.
"""
import os
import random
import re

CODEC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "codec")
ROW = re.compile(r'X\((\w+), \d+, "([^"]+)"')
MULTIPLIER = re.compile(r"UINT32_C\((0x[0-9a-f]{8})\)")
SLOT_BITS = 9


def slot(name, multiplier):
    """As slot_of() there."""
    name = name.encode()
    if len(name) < 4:
        first = last = int.from_bytes(name, "big")
    else:
        first, last = (int.from_bytes(part, "little") for part in (name[:4], name[-4:]))
    key = (first | 0x20202020) ^ (last | 0x20202020) << 1 ^ len(name)
    return (key * multiplier & 0xffffffff) >> (32 - SLOT_BITS)


def is_perfect(names, multiplier):
    return len({slot(name, multiplier) for name in names}) == len(names)


def read(name):
    with open(os.path.join(CODEC, name), encoding="utf-8") as f:
        return f.read()


def write(name, text):
    with open(os.path.join(CODEC, name), "w", encoding="utf-8") as f:
        f.write(text)


table, code = read("http_table.h"), read("http_table.c")
names = [name for _, name in ROW.findall(table)]
multiplier = int(MULTIPLIER.search(code).group(1), 16)
rnd = random.Random(1)
tries = 0
while not is_perfect(names, multiplier):
    multiplier = rnd.getrandbits(32) | 1
    tries += 1
    if tries > 3000000:
        raise SystemExit("no multiplier tells these %d names apart: take other characters or more slots" % len(names))
write("http_table.c", MULTIPLIER.sub("UINT32_C(0x%08x)" % multiplier, code))
write("http_table.h", ROW.sub(lambda m: 'X(%s, %d, "%s"' % (m.group(1), slot(m.group(2), multiplier), m.group(2)), table))

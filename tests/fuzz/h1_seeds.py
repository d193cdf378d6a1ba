"""Writes the wire vectors as inputs of fuzz_h1_head or fuzz_h1_frame: h1_seeds.py TARGET FOLDER"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import h1_vectors  # noqa: E402

LONGEST = 4000


def head_input(vector):
    return (b"\1" if vector.side == "response" else b"\0") + vector.bytes


def frame_input(vector):
    return (b"\2" if vector.side == "response" else b"\0") + b"\0" + vector.bytes.partition(b"\r\n\r\n")[2]


target, folder = sys.argv[1:]
make = {"fuzz_h1_head": head_input, "fuzz_h1_frame": frame_input}[target]
for each in h1_vectors.load():
    with open(os.path.join(folder, each.name), "wb") as f:
        f.write(make(each)[:LONGEST])

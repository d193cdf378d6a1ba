"""Programs and documents that fit each other, as fuzz_shape reads them: shape_seeds.py TARGET FOLDER"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import json_model as model  # noqa: E402
import shape_model as shapes  # noqa: E402


def field(paths):
    return b"\xfe".join(path if isinstance(path, bytes) else shapes.path_text(path) for path in paths)


def seed(number):
    documents, programs = model.Documents(number), shapes.Programs(number)
    text = documents.object(4)
    tree = shapes.tree_of(text)
    program = programs.program(text)
    moves = [programs.path(tree, each=None) for _ in range(4)]
    renames = [part for path, key in program.rename for part in (path, key.encode())]
    return bytes([programs.rnd.randrange(256)]) + b"\xff".join([
        field([program.from_] if program.from_ else []), field(program.select), field(program.drop), field(renames),
        field([("l", shapes.EACH, "a")]), field(moves[:2]), field(moves[2:]), text])


for n in range(300):
    with open(os.path.join(sys.argv[2], "seed-%03d" % n), "wb") as out:
        out.write(seed(n))

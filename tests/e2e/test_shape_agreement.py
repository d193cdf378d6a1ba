"""Shaping against a plain model: random documents and random programs from fixed seeds."""
import os
import random

import json_model as model
import pytest
import shape_model as shapes
from shape_model import EACH

SEEDS = int(os.environ.get("GATHERD_JSON_SEEDS", "8"))
RUNS = 800
NEW_KEYS = ["a", "b", "id", "name", "x.y", "new", "a long name that was not there", "\u00e9", '"', "\U0001f600"]


def is_usable(key):
    """Paths are UTF-8: a lone surrogate cannot be in one."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


class Programs:
    """Programs that find something in their document more often than not."""

    def __init__(self, seed):
        self.rnd = random.Random(seed)

    def key(self):
        key = model.unescaped(self.rnd.choice(model.KEYS))
        return key if is_usable(key) else "a"

    def path(self, tree, each=EACH):
        """A few steps down the tree, sometimes past what is there."""
        path = ()
        for _ in range(self.rnd.choice([1, 1, 1, 2, 2, 3, 4])):
            members = [] if tree is None else tree.members
            member = self.rnd.choice(members) if members and self.rnd.random() < 0.85 else None
            tree = None if member is None else member[3]
            if member is None or (member[1] is not None and not is_usable(model.unescaped(member[1]))):
                path += (each,) if self.rnd.random() < 0.2 and each is not None else (self.key(),)
            elif member[1] is None:
                if each is None:
                    break
                path += (each,)
            else:
                path += (model.unescaped(member[1]),)
        return path or (self.key(),)

    def indexed(self, tree):
        path = ()
        while tree.members and self.rnd.random() < 0.7:
            at = self.rnd.randrange(len(tree.members))
            key = tree.members[at][1]
            step = at if key is None else model.unescaped(key)
            if not isinstance(step, int) and not is_usable(step):
                break
            path += (step,)
            tree = tree.members[at][3]
        return path if self.rnd.random() < 0.9 else path + (self.rnd.choice([7, "none"]),)

    def paths(self, tree, most):
        return [self.path(tree) for _ in range(self.rnd.randrange(most + 1))]

    def program(self, text):
        tree = shapes.tree_of(text)
        from_ = self.indexed(tree) if self.rnd.random() < 0.3 else None
        try:
            tree = shapes.find(tree, from_ or ())
        except shapes.Mismatch:
            pass
        select = self.paths(tree, 4) if self.rnd.random() < 0.6 else []
        drop = self.paths(tree, 3) if self.rnd.random() < 0.5 else []
        rename = [(path, self.rnd.choice(NEW_KEYS)) for path in self.paths(tree, 3)]
        if rename and self.rnd.random() < 0.2:  # two members swap
            a, b = self.path(tree), self.path(tree)
            if a[-1] is not EACH and b[-1] is not EACH and a[:-1] == b[:-1]:
                rename += [(a, b[-1]), (b, a[-1])]
        return shapes.Program(from_, select, drop, rename)


def modelled(function, *arguments):
    try:
        return b"ok\n" + function(*arguments)
    except shapes.Mismatch:
        return b"shape_mismatch"
    except model.Conflict:
        return b"merge_conflict"


def compacted(answer):
    return b"ok\n" + model.compact_text(answer[3:]) if answer.startswith(b"ok\n") else answer


@pytest.mark.parametrize("seed", range(SEEDS))
def test_shapes_as_the_model_does(seed):
    documents, programs = model.Documents(seed), Programs(seed)
    texts = [documents.document() for _ in range(RUNS)]
    cases = [(text, programs.program(text)) for text in texts]
    answers = model.ask([program.request(text) for text, program in cases])
    outcomes = {"ok": 0, "shape_mismatch": 0, "plan": 0, "changed": 0}
    for (text, program), answer in zip(cases, answers):
        about = (text, vars(program))
        if not program.is_valid():
            assert answer.startswith(b"plan "), about
            outcomes["plan"] += 1
            continue
        expected = modelled(shapes.shape, program, text)
        assert answer == expected, about
        outcomes[answer.split(b"\n")[0].decode()] += 1
        outcomes["changed"] += answer[3:] != text.strip(b" \t\r\n")
    assert min(outcomes.values()) > RUNS / 60, outcomes


@pytest.mark.parametrize("seed", range(SEEDS))
def test_programs_that_change_nothing_keep_every_byte(seed):
    """Everything is selected, what is not there is dropped and renamed, keys are renamed to themselves."""
    documents = model.Documents(1000 + seed)
    rnd = random.Random(seed)
    requests, texts = [], []
    for _ in range(RUNS):
        text = documents.document()
        tree = shapes.tree_of(text)
        keys = [(model.unescaped(m[1]),) if m[1] is not None else (EACH,) for m in tree.members]
        if not all(step is EACH or is_usable(step) for (step,) in keys):
            continue
        program = shapes.Program(
            select=list(dict.fromkeys(keys)) if rnd.random() < 0.7 else [],
            drop=[("not there",), (EACH, "not there", EACH)],
            rename=[(("none", "x"), "y")] + [
                ((key,), key) for (key,), m in zip(keys, tree.members)
                if m[1] is not None and key != "" and m[1] == model.json.dumps(key, ensure_ascii=False).encode()[1:-1]])
        requests.append(program.request(text))
        texts.append(text)
    assert len(texts) > RUNS / 2
    for text, answer in zip(texts, model.ask(requests)):
        assert answer == b"ok\n" + text.strip(b" \t\r\n"), text


def elements(rnd, documents, length):
    """A list as an upstream would give it, mostly of objects."""
    items = [documents.object(2) if rnd.random() < 0.95 else documents.scalar() for _ in range(length)]
    return documents.join(b"[", items, b"]")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_zips_as_the_model_does(seed):
    documents, rnd = model.Documents(2000 + seed), random.Random(seed)
    cases = []
    for _ in range(RUNS // 2):
        length = rnd.choice([0, 1, 2, 3, 5, 20])
        text = elements(rnd, documents, length)
        inside = (EACH,) + tuple(rnd.choice(["a", "b", "id", "new", "x.y"]) for _ in range(rnd.choice([1, 1, 2, 3])))
        if rnd.random() < 0.4:
            text, inside = b'{"l" : ' + text + b" }", ("l",) + inside
        if rnd.random() < 0.05:
            length += 1
        results = [None if rnd.random() < 0.1 else documents.value(2) for _ in range(length)]
        cases.append((rnd.choice(model.POLICIES), inside, text, results))
    answers = model.ask([shapes.zip_request(*case) for case in cases])
    seen = set()
    for case, answer in zip(cases, answers):
        assert compacted(answer) == modelled(shapes.zip_results, *case), case
        seen.add(answer.split(b"\n")[0])
    assert seen == {b"ok", b"shape_mismatch", b"merge_conflict"}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_reshapes_answers_as_the_model_does(seed):
    documents, programs = model.Documents(3000 + seed), Programs(seed)
    rnd = programs.rnd
    cases = []
    for _ in range(RUNS // 2):
        text = documents.object(4).strip(b" \t\r\n") if rnd.random() < 0.9 else documents.value(2)
        tree = shapes.tree_of(text)

        def no_meta(path):
            return ("meta",) + path[1:] if path[0] == "_meta" else path

        def place():
            return no_meta(programs.path(tree, each=None))

        answer = shapes.Answer(
            policy=rnd.choice(model.POLICIES),
            statics=[(key, documents.value(2)) for key in rnd.sample(["a", "b", "s", "x.y"], rnd.choice([0, 0, 0, 1, 2]))],
            when=rnd.randrange(3),
            moves=[(place(), place()) for _ in range(rnd.choice([0, 1, 1, 2]))],
            appends=[(place(), place()) for _ in range(rnd.choice([0, 1, 1, 2]))],
            drops=[no_meta(programs.path(tree)) for _ in range(rnd.choice([0, 0, 1, 2]))],
            is_array=rnd.random() < 0.2)
        cases.append((answer, text, b'{"complete":false}' if rnd.random() < 0.3 else None))
    answers = model.ask([answer.request(text, meta) for answer, text, meta in cases])
    seen = set()
    for (program, text, meta), answer in zip(cases, answers):
        about = (text, meta, vars(program))
        if not program.is_valid():
            assert answer.startswith(b"plan "), about
            continue
        is_idle = not (program.statics or program.moves or program.appends or program.drops or program.is_array)
        expected = b"ok\n" + model.compact_text(text) if is_idle else modelled(program.apply, text, meta)
        assert compacted(answer) == expected, about
        seen.add(answer.split(b"\n")[0])
    assert seen == {b"ok", b"merge_conflict"}

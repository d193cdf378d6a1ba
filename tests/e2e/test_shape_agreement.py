"""Shaping against a plain model: random documents and random programs from fixed seeds."""
import os
import random

import json_model as model
import pytest
import shape_model as shapes
from harness.upstream import json_reply
from shape_model import EACH

SEEDS = int(os.environ.get("GATHERD_JSON_SEEDS", "8"))
RUNS = 800


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
    documents, programs = model.Documents(seed), shapes.Programs(seed)
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
        if not all(step is EACH or shapes.is_usable(step) for (step,) in keys):
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
    documents, programs = model.Documents(3000 + seed), shapes.Programs(seed)
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


# ---- whole requests

INTOS = [None, None, ".", "m", "m.x", "list[]", "a", "a.b"]


def list_of_texts(paths):
    return [shapes.path_text(path).decode() for path in paths]


def map_of_texts(pairs):
    return {shapes.path_text(path).decode(): text for path, text in pairs}


class Routes:
    """Random routes whose calls' answers are known, as the configuration and as the model have them."""

    def __init__(self, seed):
        self.documents, self.programs = model.Documents(seed), shapes.Programs(seed)
        self.rnd = self.programs.rnd

    def call(self, name, up):
        text = self.documents.object(3) if self.rnd.random() < 0.8 else self.documents.document()
        program = self.programs.program(text)
        while not program.is_valid() or len(map_of_texts(program.rename)) != len(program.rename):
            program = self.programs.program(text)
        fails = self.rnd.random() < 0.15
        up.on("/" + name, json_reply(text, status=500 if fails else 200, delay=self.rnd.choice([0, 0, 0.002, 0.005])))
        call = {"upstream": "up", "path": "/" + name, "required": False, "select": list_of_texts(program.select),
                "drop": list_of_texts(program.drop), "rename": map_of_texts(program.rename)}
        if program.from_ is not None:
            call["from"] = shapes.path_text(program.from_).decode()
        into = self.rnd.choice(INTOS)
        if into is not None:
            call["into"] = into
        try:
            part = None if fails else shapes.shape(program, text)
        except shapes.Mismatch:
            part = None
        return call, steps_of(name, into), part

    def answer(self, policy):
        keys = ["m", "a", "list", "x", "c0", "new"]

        def place():
            return tuple(self.rnd.choice(keys) for _ in range(self.rnd.choice([1, 1, 2])))

        def moves():
            return [(place(), place()) for _ in range(self.rnd.choice([0, 0, 1, 2]))]

        while True:
            answer = shapes.Answer(policy, self.rnd.choice([[], [], [("s", b"1.5"), ("m", b'{"n":[]}')]]),
                                   self.rnd.randrange(3), moves(), moves(),
                                   [place() for _ in range(self.rnd.choice([0, 0, 1]))], self.rnd.random() < 0.1)
            sources = [len({source for source, _ in list_}) == len(list_) for list_ in (answer.moves, answer.appends)]
            if answer.is_valid() and all(sources):
                return answer

    def route(self, number, up):
        calls, parts = {}, []
        for index in range(self.rnd.choice([1, 2, 2, 3, 5])):
            name = "c%d" % index
            call, steps, part = self.call("r%d%s" % (number, name), up)
            calls[name] = call
            if "into" not in call:
                steps = [name]
            parts.append((steps, part))
        policy = self.rnd.choice(model.POLICIES[1:])
        answer = self.answer(policy)
        response = {"on_conflict": policy, "drop": list_of_texts(answer.drops), "shape": ["object", "array"][answer.is_array],
                    "move": map_of_texts((a, shapes.path_text(b).decode()) for a, b in answer.moves),
                    "append": map_of_texts((a, shapes.path_text(b).decode()) for a, b in answer.appends)}
        if answer.statics:
            response["static"] = {"when": ["always", "complete", "partial"][answer.when],
                                  "json": {key: model.json.loads(value) for key, value in answer.statics}}
        return {"path": "/r%d" % number, "calls": calls, "response": response}, parts, answer


def steps_of(name, into):
    if into is None:
        return [name]
    steps = [] if into == "." else into.replace("[]", "").split(".")
    return steps + (["[]"] if into.endswith("[]") else [])


def expected_body(parts, answer):
    is_partial = any(part is None for _, part in parts)
    merged = model.merge(answer.policy, parts, keeps_places=answer.is_array)
    return answer.apply(merged, b"{}" if is_partial else None)


def without_meta(text):
    """What the metadata says is another test's business."""
    tree = shapes.tree_of(text)
    for member in tree.members:
        if member[1] == b"_meta":
            member[3] = shapes.Tree("object")
    return model.compact_text(tree.text())


@pytest.mark.parametrize("seed", range(2))
def test_the_daemon_answers_as_the_model_does(gatherd, upstream, seed):
    """Whichever calls fail or have another shape, in whatever order they end: twice the same, and what the model says."""
    up, random_routes = upstream(), Routes(4000 + seed)
    cases = [random_routes.route(number, up) for number in range(60)]
    d = gatherd([route for route, _, _ in cases], {"up": up})
    statuses = set()
    for route, parts, answer in cases:
        try:
            expected = without_meta(expected_body(parts, answer))
        except model.Conflict:
            expected = None
        first, second = d.get(route["path"]), d.get(route["path"])
        statuses.add(first.status)
        assert first.status == second.status == (502 if expected is None else 200), (route, parts, first.body)
        if expected is not None:
            assert without_meta(first.body) == without_meta(second.body) == expected, (route, parts, first.body)
    assert 200 in statuses

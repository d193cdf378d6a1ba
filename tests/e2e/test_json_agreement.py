"""The scanner against Python's json, and merging against a plain model: random documents from fixed seeds."""
import json
import os
import random

import pytest

import json_model as model

SEEDS = int(os.environ.get("GATHERD_JSON_SEEDS", "8"))
DOCUMENTS = 4000


def mutated(rnd, text):
    """A few bytes changed, mostly into what the grammar knows."""
    text = bytearray(text)
    for _ in range(rnd.choice([1, 1, 1, 2, 4])):
        at = rnd.randrange(len(text) + 1)
        piece = rnd.choice([b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"0", b"-", b".", b"e", b"+", b" ", b"\x0b",
                            b"\x00", b"\x1f", b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"NaN",
                            b"Infinity", b"true", b"nul", b"/*", b"'", bytes([rnd.randrange(256)]), b"\\ud800", b"01",
                            b'"a":1,', b",\"id\":2"])
        kind = rnd.randrange(4)
        if kind == 0:
            text[at:at] = piece
        elif kind == 1:
            text[at:at + len(piece)] = piece
        elif kind == 2:
            del text[at:at + rnd.choice([1, 1, 2, 8])]
        else:
            other = rnd.randrange(len(text) + 1)
            text[at:at] = text[min(at, other):max(at, other)][:30]
    return bytes(text)


def verdicts(texts, flags=0):
    return [answer.startswith(b"ok") for answer in model.ask([model.scan_request(text, flags) for text in texts])]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_accepts_valid_and_agrees_on_mutations(seed):
    documents = model.Documents(seed)
    rnd = random.Random(seed)
    valid = [documents.document() for _ in range(DOCUMENTS // 4)]
    broken = [mutated(rnd, rnd.choice(valid)) for _ in range(DOCUMENTS)]
    assert all(model.python_accepts(text) for text in valid)
    assert all(verdicts(valid))
    expected = [model.python_accepts(text) for text in broken]
    assert 0.02 < sum(expected) / len(expected) < 0.9
    for text, ours, pythons in zip(broken, verdicts(broken), expected):
        assert ours == pythons, text


def test_agrees_on_every_truncation():
    documents = model.Documents(99)
    whole = b'{"a":[1.5e-3,true,"\\u00e9\xc3\xa9"],"b":null,"c":{"d":-0}}'
    texts = [whole[:n] for n in range(len(whole) + 1)]
    for _ in range(40):
        text = documents.document()
        texts += [text[:n] for n in range(len(text))][:400]
    for text, ours in zip(texts, verdicts(texts)):
        assert ours == model.python_accepts(text), text


@pytest.mark.parametrize("depth", [1, 2, 127, 128, 129, 500])
def test_agrees_on_depth(depth):
    texts = [b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth,
             b'[{"a":' * (depth // 2) + b"[" * (depth % 2) + b"]" * (depth % 2) + (b"" if depth % 2 else b"0") + b"}]" * (depth // 2)]
    for text, ours in zip(texts, verdicts(texts)):
        assert ours == model.python_accepts(text) == (depth <= 128), text


def test_refuses_nesting_of_any_depth():
    assert verdicts([b"[" * 100000, b'{"a":' * 100000, b"[" * 100000 + b"]" * 100000]) == [False] * 3


def test_agrees_on_every_utf8_sequence_of_two_and_three_bytes():
    tails = [0x00, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]
    texts = [b'"' + bytes([a, b]) + b'"' for a in range(0x80, 256) for b in range(256)]
    texts += [b'"' + bytes([a, b, c]) + b'"' for a in range(0x80, 256) for b in tails for c in tails]
    texts += [b'"' + bytes([a, b, c, d]) + b'"' for a in range(0xe0, 256) for b in tails for c in tails for d in tails]
    for text, ours in zip(texts, verdicts(texts)):
        assert ours == model.python_accepts(text), text


@pytest.mark.parametrize("seed", range(SEEDS))
def test_keeps_the_last_of_duplicates(seed):
    rnd = random.Random(seed)
    documents = model.Documents(seed)
    # keys are all valid, but nothing keeps them apart
    documents.object = lambda depth, size=None: documents.join(b"{", [
        b'"' + rnd.choice(model.KEYS[:9]) + b'"' + documents.space() + b":" + documents.space() + documents.value(depth - 1)
        for _ in range(rnd.choice([0, 1, 2, 3, 5]) if size is None else size)], b"}")
    texts = [documents.document() for _ in range(500)]
    for text, answer in zip(texts, model.ask([model.dedup_request(text) for text in texts])):
        # Python's dict: the place of the first, the value of the last
        kept = model.node_of(model.parse(text)[0])
        assert json.loads(answer, parse_int=str, parse_float=str) == json.loads(text, parse_int=str, parse_float=str), text
        assert model.compact_text(answer) == model.compact(kept), text
        if model.python_accepts(text):
            assert answer == text.strip(b" \t\r\n")


# ---- paths and strings

def find(value, steps):
    for step in steps:
        if isinstance(step, int):
            if value.kind != "array" or step >= len(value.items):
                return None
            value = value.items[step]
        else:
            found = [child for key, child in value.members if model.unescaped(key) == step]
            if not found:
                return None
            value = found[-1]
    return value


def test_finds_what_paths_name():
    rnd = random.Random(7)
    documents = model.Documents(7)
    cases = []
    for _ in range(3000):
        text = documents.document()
        value = model.parse(text)[0]
        steps = []
        while len(steps) < 8 and rnd.random() < 0.8:
            steps.append(rnd.randrange(4) if rnd.random() < 0.3 else model.unescaped(rnd.choice(model.KEYS)))
        if any(isinstance(step, str) and any(0xd800 <= ord(c) < 0xe000 for c in step) for step in steps):
            continue
        path = b"".join(b"[%d]" % step if isinstance(step, int) else b"." + json.dumps(step).encode() for step in steps)
        path = path[1:] if path.startswith(b".") else path
        found = find(value, steps)
        cases.append((path or b".", text, b"" if found is None else found.raw))
    answers = model.ask([model.path_request(path, text) for path, text, _ in cases])
    assert sum(bool(expected) for _, _, expected in cases) > 500
    for (path, text, expected), answer in zip(cases, answers):
        assert answer == expected, (path, text)


def test_writes_strings_that_python_reads_back():
    rnd = random.Random(3)
    texts = []
    for _ in range(3000):
        texts.append("".join(chr(rnd.choice([rnd.randrange(0x20), rnd.randrange(0x80), rnd.randrange(0xd800), 0x22, 0x5c, 0x10ffff,
                                             0xe000])) for _ in range(rnd.randrange(40))))
    answers = model.ask([model.write_request(text.encode()) for text in texts])
    for text, answer in zip(texts, answers):
        assert json.loads(answer.decode()) == text
    for raw, text in [(b"\xff", "\ufffd"), (b"a\xc3", "a\ufffd"), (b"\xed\xa0\x80", "\ufffd" * 3), (b"\xc0\xafx", "\ufffd\ufffdx")]:
        assert json.loads(model.ask([model.write_request(raw)])[0].decode()) == text


# ---- merging

INTOS = [None, b".", b"a", b"b", b"a.b", b"a.b.c", b"c.id", b"list[]", b"a[]", b"a.b[]", b'"x.y"', b'"x.y".name', b'"\\u00e9"', b"name"]


def steps_of(name, into):
    if into is None:
        return [name.decode()]
    if into == b".":
        return []
    steps = []
    is_append = into.endswith(b"[]")
    into = into[:-2] if is_append else into
    while into:
        if into[:1] == b'"':
            end = model.string_end(into, 0)
            steps.append(json.loads(into[:end]))
        else:
            end = into.find(b".") if b"." in into else len(into)
            steps.append(into[:end].decode())
        into = into[end + 1:]
    return steps + (["[]"] if is_append else [])


def random_parts(rnd, documents):
    intos = INTOS if rnd.random() < 0.5 else [b"[]"] if rnd.random() < 0.2 else rnd.sample(INTOS + [b"[]"], 2)
    parts = []
    for index in range(rnd.choice([1, 2, 2, 3, 3, 4, 8])):
        name = rnd.choice([b"a", b"b", b"id", b"n%d" % index, "\u00e9".encode(), b'q"'])
        text = None
        if rnd.random() < 0.9:
            text = documents.object(rnd.choice([1, 2, 3])) if rnd.random() < 0.7 else documents.document()
            if rnd.random() < 0.1:
                text = documents.object(2, rnd.choice([20, 50, 200]))
        parts.append((name, rnd.choice(intos), text))
    return parts


def check_merge(policy, parts, meta_key, meta, keeps_places, answer):
    steps = [steps_of(name, into) for name, into, _ in parts]
    context = (policy, parts, meta_key, meta, keeps_places, answer)
    if answer.startswith(b"plan "):
        same = [s for s in steps if s and s[-1] != "[]" and steps.count(s) > 1]
        arrays = [s == ["[]"] for s in steps]
        assert any(arrays) != all(arrays) or (policy == "error" and same) or (meta_key and any(s and s[0] == meta_key.decode() for s in steps)), context
        return "plan"
    try:
        expected = model.merge(policy, [(s, part[2]) for s, part in zip(steps, parts)],
                               meta_key and meta_key.decode(), meta, keeps_places)
    except model.Conflict:
        assert answer.startswith(b"conflict "), context
        return "conflict"
    assert answer.startswith(b"ok\n"), context
    answer = answer[3:]
    assert model.python_accepts(answer, hook=unlimited_pairs) or model.depth_of(json.loads(answer)) > 120, context
    assert model.compact_text(answer) == expected, context
    return "ok"


def unlimited_pairs(pairs):
    return model.unique_pairs(pairs)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("policy", model.POLICIES)
def test_merges_as_the_model_does(seed, policy):
    rnd = random.Random("%s %d" % (policy, seed))
    documents = model.Documents(rnd.random())
    cases = []
    for _ in range(600):
        parts = random_parts(rnd, documents)
        meta_key = rnd.choice([None, b"_meta", b"_meta", b"id"])
        meta = rnd.choice([None, b'{"complete":false}'])
        cases.append((policy, parts, meta_key, meta, rnd.random() < 0.3))
    answers = model.ask([model.merge_request(*case) for case in cases])
    results = [check_merge(*case, answer) for case, answer in zip(cases, answers)]
    assert results.count("ok") > 100


# key -> a value of its kind: what a service sends under one name is of one kind
KINDS = {"s": lambda rnd, deeper: b"%d" % rnd.randrange(100), "o": lambda rnd, deeper: deeper(),
         "a": lambda rnd, deeper: b"[" + b",".join(deeper() for _ in range(rnd.randrange(3))) + b"]"}


def kinds_of(value, path=()):
    """{(path, kind)} of everything inside; elements of one array are one path."""
    found = {(path, "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "scalar")}
    inside = value.items() if isinstance(value, dict) else (("[]", v) for v in value) if isinstance(value, list) else ()
    return found.union(*(kinds_of(child, path + (key,)) for key, child in inside))


@pytest.mark.parametrize("policy", model.POLICIES[1:])
def test_a_missing_part_changes_the_kind_of_nothing_else(policy):
    rnd = random.Random("stable " + policy)
    intos = [b".", b".", b"o", b"o.s", b"o.o", b"a", b"o.a[]", b"a[]"]

    def value(depth):
        return b"{" + b",".join(b'"%s":%s' % (key.encode(), KINDS[key](rnd, lambda: value(depth - 1)))
                                for key in "soa" if depth > 0 and rnd.random() < 0.7) + b"}"

    cases = []
    for _ in range(400):
        parts = []
        for number in range(rnd.choice([2, 3, 4])):
            into = rnd.choice(intos)
            text = value(3) if into in (b".", b"o", b"o.o") or into.endswith(b"[]") else KINDS[into[-1:].decode()](rnd, lambda: value(2))
            parts.append((b"n%d" % number, into, text))
        gone = rnd.randrange(len(parts))
        rest = [part[:2] + (None,) if number == gone else part for number, part in enumerate(parts)]
        cases += [(parts, False), (rest, False), (parts, True), (rest, True)]
    answers = model.ask([model.merge_request(policy, parts, keeps_places=keeps) for parts, keeps in cases])
    for at in range(0, len(cases), 4):
        whole, rest, _, kept = [json.loads(answer[3:]) for answer in answers[at:at + 4]]
        paths = [path for path, _ in kinds_of(rest) | kinds_of(whole)]
        assert len(paths) == len(set(paths)), (cases[at][0], cases[at + 1][0])
        assert kept.keys() >= rest.keys(), cases[at + 1][0]
        for into in (steps[0] for steps in (steps_of(*part[:2]) for part in cases[at][0]) if steps):
            assert into in kept, (cases[at + 1][0], kept)


def test_values_keep_their_bytes():
    text = b'{ "id" : 1234567890123456789,"p":1.10 , "x":1E400,"z":-0,"s":"\\u003c<\\/" ,"o":{ "b":1,\n "a":[ 1 , 2 ] } }'
    inside = text[1:-1].strip()
    cases = [
        ([(b"one", None, text), (b"two", None, b" [1.0] ")], b'{"one":' + text + b',"two":[1.0]}'),
        ([(b"one", b".", text), (b"two", None, b"-0")], b"{" + inside + b',"two":-0}'),
        ([(b"one", b".", text)], text),
        ([(b"one", b"a.b", text)], b'{"a":{"b":' + text + b"}}"),
        ([(b"one", b"l[]", b"[ 1.10 , -0 ]"), (b"two", b"l[]", text)], b'{"l":[1.10 , -0,' + text + b"]}"),
    ]
    for policy in model.POLICIES:
        answers = model.ask([model.merge_request(policy, parts) for parts, _ in cases])
        for (_, expected), answer in zip(cases, answers):
            assert answer == b"ok\n" + expected


def test_names_the_place_of_a_conflict():
    cases = [
        ([(b"a", b".", b'{"x":1}'), (b"b", b".", b'{"x":2}')], b"conflict 1 x"),
        ([(b"a", b".", b'{"x":1}'), (b"b", b".", b"[1]")], b"conflict 1 ."),
        ([(b"a", b"p.q", b'{"x.y":1}'), (b"b", b"p.q.\"x.y\"", b"2")], b'conflict 1 p.q."x.y"'),
        ([(b"a", b"p", b"1"), (b"b", b"p.q", b"2")], b"conflict 1 p"),
        ([(b"a", b"p", b"1"), (b"b", b"p[]", b"2")], b"conflict 1 p"),
    ]
    answers = model.ask([model.merge_request("error", parts) for parts, _ in cases])
    assert answers == [expected for _, expected in cases]


def test_merges_a_hundred_thousand_keys_with_as_many():
    first = b"{" + b",".join(b'"key%d":%d' % (i, i) for i in range(100000)) + b"}"
    second = b"{" + b",".join(b'"key%d":%d' % (i, -i) for i in range(50000, 150000)) + b"}"
    parts = [(b"a", b".", first), (b"b", b".", second)]
    expected = {"key%d" % i: i for i in range(100000)}
    expected.update({"key%d" % i: -i for i in range(50000, 150000)})
    answer, = model.ask([model.merge_request("last", parts)])
    merged = json.loads(answer[3:])
    assert merged == expected and list(merged) == list(expected)

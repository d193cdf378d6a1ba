"""Plain Python models of what gatherd does with JSON, and a client for tests/tools/json_check."""
import json
import os
import random
import struct
import subprocess
import tempfile

BUILD = os.environ.get("GATHERD_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
HELPER = os.path.join(BUILD, "tests", "tools", "json_check")
MAX_DEPTH = 128


# ---- the helper

def packed(text):
    return b"\xff\xff\xff\xff" if text is None else struct.pack("<I", len(text)) + text


def scan_request(text, flags=0):
    return b"S" + bytes([flags]) + packed(text)


def dedup_request(text):
    return b"D\x01" + packed(text)


def path_request(path, text):
    return b"P" + packed(path) + packed(text)


def write_request(text):
    return b"W" + packed(text)


def merge_request(policy, parts, meta_key=None, meta=None, keeps_places=False):
    """parts: (name, into or None, text or None)."""
    out = [b"M", bytes([POLICIES.index(policy), keeps_places]), packed(meta_key), packed(meta), struct.pack("<I", len(parts))]
    for name, into, text in parts:
        out += [packed(name), packed(into), packed(text)]
    return b"".join(out)


def ask(requests):
    """The answers of one run of the helper, in order."""
    with tempfile.TemporaryFile() as questions:
        for request in requests:
            questions.write(request)
        questions.seek(0)
        out = subprocess.run([HELPER], stdin=questions, stdout=subprocess.PIPE, check=True).stdout
    answers = []
    at = 0
    while at < len(out):
        n, = struct.unpack_from("<I", out, at)
        answers.append(out[at + 4:at + 4 + n])
        at += 4 + n
    assert len(answers) == len(requests)
    return answers


# ---- accept and refuse

class Refused(Exception):
    pass


def refuse_constant(name):
    raise Refused(name)


class Pairs(list):
    """The members of an object, as they stand."""


def unique_pairs(pairs):
    if len({key for key, _ in pairs}) != len(pairs):
        raise Refused("duplicate key")
    return Pairs(pairs)


def depth_of(value):
    """Without recursion: nesting may be deep."""
    deepest, todo = 0, [(value, 1)]
    while todo:
        value, level = todo.pop()
        if isinstance(value, Pairs):
            value = [child for _, child in value]
        if isinstance(value, list):
            deepest = max(deepest, level)
            todo += [(child, level + 1) for child in value]
    return deepest


def python_accepts(text, hook=unique_pairs):
    """Python's json, made strict."""
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=refuse_constant, object_pairs_hook=hook,
                           parse_int=str, parse_float=str)
    except (ValueError, Refused, RecursionError):
        return False
    return depth_of(value) <= MAX_DEPTH


# ---- random documents

SPACE = [b"", b"", b"", b"", b" ", b"\n", b"\t", b"\r\n  ", b"                       "]
NUMBERS = [b"0", b"-0", b"1.10", b"1E400", b"-0.0e-0", b"9223372036854775808", b"1234567890123456789", b"1e+5",
           b"3.141592653589793238462643383279", b"7", b"-12"]
STRINGS = [b"", b"a", b"b", b"id", b"name", b"\\u003c", b"<", b"&amp;", b"\\u0061", b"\\/", b"/", b"\\\"", b"\\\\", b"\\n",
           b"\\ud83d\\ude00", "\U0001f600".encode(), "\u00e9".encode(), b"\\u00e9", "\u3042".encode(), b"\\ud800", b"\\udc00\\ud800",
           "\ud7ff\ue000\uffff".encode(), b"\x7f", b"0123456789abcdef", b"0123456789abcdefg", b"x" * 40, b"\\u0000", b"{[,:]}"]
KEYS = [b"a", b"b", b"c", b"id", b"name", b"\\u0061", b"a\\u0062", b"ab", b"", b"\\ud83d\\ude00", "\U0001f600".encode(),
        "\u00e9".encode(), b"\\u00E9", b"k" * 15, b"k" * 16, b"k" * 17, b"k" * 33, b"x.y", b"\\\"", b"_meta"]


def unescaped(raw):
    return json.loads(b'"' + raw + b'"')


class Documents:
    """Valid documents, from a seed."""

    def __init__(self, seed):
        self.rnd = random.Random(seed)

    def space(self):
        return self.rnd.choice(SPACE)

    def string(self):
        return b'"' + b"".join(self.rnd.choice(STRINGS) for _ in range(self.rnd.choice([0, 1, 1, 1, 2, 5]))) + b'"'

    def scalar(self):
        kind = self.rnd.randrange(8)
        if kind < 3:
            return self.rnd.choice(NUMBERS)
        if kind < 6:
            return self.string()
        return self.rnd.choice([b"true", b"false", b"null"])

    def value(self, depth):
        if depth <= 0 or self.rnd.random() < 0.4:
            return self.scalar()
        return self.array(depth) if self.rnd.random() < 0.4 else self.object(depth)

    def join(self, opening, items, closing):
        if not items:
            return opening + self.space() + closing
        return opening + b",".join(self.space() + item + self.space() for item in items) + closing

    def array(self, depth):
        return self.join(b"[", [self.value(depth - 1) for _ in range(self.rnd.choice([0, 1, 2, 3]))], b"]")

    def object(self, depth, size=None):
        members, seen = [], set()
        for _ in range(self.rnd.choice([0, 1, 2, 3, 5]) if size is None else size):
            key = self.rnd.choice(KEYS)
            if size is not None:
                key += b"%d" % self.rnd.randrange(4 * size)
            if unescaped(key) in seen:
                continue
            seen.add(unescaped(key))
            members.append(b'"' + key + b'"' + self.space() + b":" + self.space() + self.value(depth - 1))
        return self.join(b"{", members, b"}")

    def document(self):
        if self.rnd.random() < 0.1:
            value = self.object(2, self.rnd.choice([10, 16, 17, 18, 40, 70, 300]))
        else:
            value = self.value(self.rnd.choice([1, 2, 3, 5]))
        return self.space() + value + self.space()


# ---- spans: a document as Python sees it, every value with its bytes

class Value:
    """kind: "object", "array" or "scalar"; members: (raw key, Value), items: Values."""

    def __init__(self, kind, raw, members=(), items=()):
        self.kind, self.raw, self.members, self.items = kind, raw, list(members), list(items)


def skip(text, at):
    while at < len(text) and text[at] in b" \t\r\n":
        at += 1
    return at


def string_end(text, at):
    at += 1
    while text[at] != 0x22:
        at += 2 if text[at] == 0x5c else 1
    return at + 1


def parse(text, at=0):
    """A Value and the offset behind it; the text is known to be valid."""
    at = start = skip(text, at)
    if text[at] in b"{[":
        return parse_container(text, at)
    if text[at] == 0x22:
        at = string_end(text, at)
    else:
        while at < len(text) and text[at] not in b" \t\r\n,]}":
            at += 1
    return Value("scalar", text[start:at]), at


def parse_container(text, start):
    is_object = text[start] == 0x7b
    members, items = [], []
    at = skip(text, start + 1)
    while text[at] not in b"}]":
        if is_object:
            end = string_end(text, at)
            key = text[at + 1:end - 1]
            at = skip(text, skip(text, end) + 1)
            value, at = parse(text, at)
            members.append((key, value))
        else:
            value, at = parse(text, at)
            items.append(value)
        at = skip(text, at)
        if text[at] == 0x2c:
            at = skip(text, at + 1)
    return Value("object" if is_object else "array", text[start:at + 1], members, items), at + 1


# ---- merging, value by value

POLICIES = ["error", "first", "last", "deep", "append"]


class Conflict(Exception):
    def __init__(self, part):
        super().__init__(part)
        self.part = part


class Node:
    """What stands at one place. An object that only paths made has no owner; nor has such an array."""

    def __init__(self, kind, owned, leaf=None):
        self.kind, self.owned, self.leaf = kind, owned, leaf
        self.is_filler = False
        self.members = {}  # unescaped key -> [raw key, Node], in order
        self.items = []    # Nodes


def node_of(value):
    node = Node(value.kind, True, value)
    for key, child in value.members:
        key = node.members.get(unescaped(key), [key])[0]
        node.members[unescaped(key)] = [key, node_of(child)]
    node.items = [node_of(child) for child in value.items]
    return node


def claim(steps, value):
    """The node that a part makes of the place that its remaining path begins at."""
    if not steps:
        return node_of(value)
    if steps[0] == "[]":
        node = Node("array", False)
        node.items = [node_of(item) for item in value.items] if value.kind == "array" else [node_of(value)]
        return node
    node = Node("object", False)
    raw = json.dumps(steps[0], ensure_ascii=False).encode()[1:-1]
    node.members[steps[0]] = [raw, claim(steps[1:], value)]
    return node


def settle(old, new, policy, part):
    """Puts `new` where `old` is."""
    if old.is_filler:
        return new
    shared = not old.owned or not new.owned
    if old.kind == new.kind == "object" and (shared or policy == "deep"):
        for text, (key, child) in new.members.items():
            if text in old.members:
                old.members[text][1] = settle(old.members[text][1], child, policy, part)
            else:
                old.members[text] = [key, child]
        old.owned = old.owned or new.owned
        return old
    if old.kind == new.kind == "array" and (shared or policy == "append"):
        old.items += new.items
        old.owned = old.owned or new.owned
        return old
    if policy == "error":
        raise Conflict(part)
    return old if policy == "first" else new


def compact(node):
    """Without the white space around members and elements: where it goes is not promised."""
    if node.kind == "object":
        return b"{" + b",".join(b'"' + key + b'":' + compact(child) for key, child in node.members.values()) + b"}"
    if node.kind == "array":
        return b"[" + b",".join(compact(item) for item in node.items) + b"]"
    return node.leaf.raw


def compact_text(text):
    return compact(node_of(parse(text)[0]))


def add_filler(root, steps):
    """An absent part whose place is kept: null, unless there is or comes something else."""
    if root.kind != "object" or not steps or steps[0] in root.members:
        return
    filler = node_of(parse(b"null")[0])
    filler.is_filler = True
    root.members[steps[0]] = [json.dumps(steps[0], ensure_ascii=False).encode()[1:-1], filler]


def merge(policy, parts, meta_key=None, meta=None, keeps_places=False):
    """parts: (steps, text or None). The compact text of the answer; Conflict."""
    if len(parts) == 1 and parts[0][0] == [] and parts[0][1] is not None:
        value = parse(parts[0][1])[0]
        if value.kind != "object":
            return compact(node_of(value))
    root = Node("array" if parts and parts[0][0] == ["[]"] else "object", False)
    conflict = None
    for index, (steps, text) in enumerate(parts):
        if text is None:
            continue
        value = parse(text)[0]
        if not steps and value.kind != "object":
            raise Conflict(index)
    for index, (steps, text) in enumerate(parts):
        if text is None and keeps_places:
            add_filler(root, steps)
        if text is None:
            continue
        node = claim(steps, parse(text)[0])
        node.owned = False  # the root is everyone's
        if meta is not None and root.kind == "object":
            node.members.pop(meta_key, None)
        try:
            settle(root, node, policy, index)
        except Conflict as found:
            conflict = conflict or found
    if conflict:
        raise conflict
    if meta is not None and meta_key is not None and root.kind == "object":
        root.members[meta_key] = [json.dumps(meta_key).encode()[1:-1], node_of(parse(meta)[0])]
    return compact(root)

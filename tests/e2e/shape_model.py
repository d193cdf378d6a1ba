"""A plain model of shaping: documents as trees that keep their white space, programs as sets of paths."""
import json
import random
import struct

import json_model as model

EACH = object()  # the step "[]"; other steps are keys


# ---- documents with their white space

class Tree:
    """members: [space before, raw key or None, what is between key and value, Tree, space behind]."""

    def __init__(self, kind, raw=b"", members=(), inside=b""):
        self.kind, self.raw, self.members, self.inside = kind, raw, [list(m) for m in members], inside

    def text(self):
        if self.kind == "scalar":
            return self.raw
        opening, closing = (b"{", b"}") if self.kind == "object" else (b"[", b"]")
        if not self.members:
            return opening + self.inside + closing
        return opening + b",".join(self.member_text(*m) for m in self.members) + closing

    @staticmethod
    def member_text(before, key, between, value, behind):
        return before + (b"" if key is None else b'"' + key + b'"' + between) + value.text() + behind


def parse(text, at):
    """A Tree and the offset behind it; no white space at its ends."""
    if text[at] not in b"{[":
        value, end = model.parse(text, at)
        return Tree("scalar", value.raw), end
    kind = "object" if text[at] == 0x7b else "array"
    members, at = [], at + 1
    start, at = at, model.skip(text, at)
    if text[at] in b"}]":
        return Tree(kind, inside=text[start:at]), at + 1
    while True:
        before, key, between = text[start:at], None, b""
        if kind == "object":
            end = model.string_end(text, at)
            key = text[at + 1:end - 1]
            at = model.skip(text, model.skip(text, end) + 1)
            between = text[end:at]
        value, end = parse(text, at)
        at = model.skip(text, end)
        members.append([before, key, between, value, text[end:at]])
        at += 1
        if text[at - 1] in b"}]":
            return Tree(kind, members=members), at
        start, at = at, model.skip(text, at)


def tree_of(text):
    return parse(text, model.skip(text, 0))[0]


# ---- programs

class Program:
    """from_: keys and indexes; select, drop: lists of paths; rename: list of (path, new key)."""

    def __init__(self, from_=None, select=(), drop=(), rename=()):
        self.from_, self.select, self.drop, self.rename = from_, list(select), list(drop), list(rename)

    def is_valid(self):
        renamed = [path for path, _ in self.rename]
        for paths in (self.select, self.drop, renamed):
            if len(set(paths)) != len(paths) or () in paths:
                return False
        if any(path[:n] in self.drop for path in self.select + renamed for n in range(1, len(path) + 1)):
            return False
        return all(path[-1] is not EACH and key != "" for path, key in self.rename)

    def request(self, text):
        out = [b"H", model.packed(None if self.from_ is None else path_text(self.from_))]
        out.append(listed([path_text(path) for path in self.select]))
        out.append(listed([path_text(path) for path in self.drop]))
        out.append(struct.pack("<I", len(self.rename)))
        out += [model.packed(path_text(path)) + model.packed(key.encode()) for path, key in self.rename]
        return b"".join(out) + model.packed(text)


def listed(texts):
    return struct.pack("<I", len(texts)) + b"".join(model.packed(text) for text in texts)


def step_text(step, is_first):
    if step is EACH:
        return "[]"
    if isinstance(step, int):
        return "[%d]" % step
    is_bare = step != "" and all(c > " " and c not in '.[]{}|"\\\x7f' for c in step)
    return ("" if is_first else ".") + (step if is_bare else json.dumps(step))


def path_text(path):
    return "".join(step_text(step, i == 0) for i, step in enumerate(path)).encode() or b"."


# ---- shaping

class Mismatch(Exception):
    pass


def find(tree, path):
    for step in path:
        if isinstance(step, int):
            if tree.kind != "array" or step >= len(tree.members):
                raise Mismatch
            tree = tree.members[step][3]
        else:
            values = [m[3] for m in tree.members if tree.kind == "object" and model.unescaped(m[1]) == step]
            if not values:
                raise Mismatch
            tree = values[0]
    return tree


def is_kept(program, path):
    if path in program.drop:
        return False
    if not program.select:
        return True
    return any(path[:len(s)] == s or s[:len(path)] == path for s in program.select)


def leave_out(tree, kept):
    """A member goes with the comma behind it, the ones at the end with the comma before."""
    out, before = [], None
    for member, stays in zip(tree.members, kept):
        before = member[0] if before is None else before
        if stays:
            out.append([before] + member[1:])
            before = None
    if not out and tree.members:
        tree.inside = tree.members[0][0] + tree.members[-1][4]
    elif before is not None and out:
        out[-1][4] = tree.members[-1][4]
    tree.members = out


def apply_inside(tree, program, renames, path):
    if tree.kind == "scalar":
        return
    steps = [EACH if key is None else model.unescaped(key) for _, key, _, _, _ in tree.members]
    kept = [is_kept(program, path + (step,)) for step in steps]
    names = []
    for member, step, stays in zip(tree.members, steps, kept):
        if not stays:
            continue
        apply_inside(member[3], program, renames, path + (step,))
        new_key = renames.get(path + (step,))
        if new_key is not None:
            member[1] = json.dumps(new_key, ensure_ascii=False).encode()[1:-1]
        if step is not EACH:
            names.append(model.unescaped(member[1]))
    if len(set(names)) != len(names):
        raise Mismatch
    leave_out(tree, kept)


def shape(program, text):
    """The bytes of the part; Mismatch."""
    tree = find(tree_of(text), program.from_ or ())
    apply_inside(tree, program, dict(program.rename), ())
    return tree.text()


# ---- putting values into documents, and what becomes of merged answers; up to white space

def insert(text, steps, value, policy):
    """json_model's merge knows how a value meets what is there; model.Conflict."""
    root = model.node_of(model.parse(text)[0])
    return model.compact(model.settle(root, model.claim(list(steps), model.parse(value)[0]), policy, 0))


def zip_request(policy, inside, text, results):
    return b"".join([b"Z", bytes([model.POLICIES.index(policy)]), model.packed(path_text(inside)), model.packed(text),
                     struct.pack("<I", len(results))] + [model.packed(result) for result in results])


def zip_results(policy, inside, text, results):
    at = inside.index(EACH)
    tree = tree_of(text)
    target = find(tree, inside[:at])
    if target.kind != "array":
        raise Mismatch
    for member, result in zip(target.members, results):
        if result is None:
            continue
        if member[3].kind != "object":
            raise Mismatch
        member[3] = Tree("scalar", insert(member[3].text(), inside[at + 1:], result, policy))
    if len(target.members) != len(results):
        raise Mismatch
    return model.compact_text(tree.text())


def elements_at(text, path):
    """What the value there gives as elements: an array its own, null none, any other value itself. None: nothing is there."""
    try:
        value = find(tree_of(text), path)
    except Mismatch:
        return None
    if value.kind == "array":
        return [member[3].text() for member in value.members]
    return [] if value.text() == b"null" else [value.text()]


class Answer:
    """What a configuration says of merged answers."""

    def __init__(self, policy, statics, when, moves, appends, drops, is_array):
        self.policy, self.statics, self.when = policy, statics, when
        self.moves, self.appends, self.drops, self.is_array = moves, appends, drops, is_array

    def is_valid(self):
        return Program(drop=self.drops).is_valid() and not any(a == b for a, b in self.moves + self.appends)

    def request(self, text, meta):
        pairs = [struct.pack("<I", len(list_)) + b"".join(model.packed(path_text(p)) for pair in list_ for p in pair)
                 for list_ in (self.moves, self.appends)]
        return b"".join([
            b"A", bytes([model.POLICIES.index(self.policy)]), model.packed(b"_meta"),
            struct.pack("<I", len(self.statics)),
            b"".join(model.packed(key.encode()) + model.packed(value) for key, value in self.statics),
            bytes([self.when, meta is not None]), pairs[0], pairs[1],
            listed([path_text(path) for path in self.drops]), bytes([self.is_array]), model.packed(meta),
            model.packed(text)])

    def apply(self, text, meta):
        text = self.transferred(self.with_statics(text, meta is not None))
        if self.drops:
            text = model.compact_text(shape(Program(drop=self.drops), text))
        tree = tree_of(text)
        if tree.kind != "object":
            return text
        if self.is_array:
            return b"[" + b",".join(member[3].text() for member in tree.members) + b"]"
        return text if meta is None else insert(text, ["_meta"], meta, "last")

    def with_statics(self, text, is_partial):
        text = model.compact_text(text)
        if not self.statics or (self.when != 0 and (self.when == 2) != is_partial):
            return text
        static = b"{" + b",".join(json.dumps(key).encode() + b":" + value for key, value in self.statics) + b"}"
        return model.merge(self.policy, [([], static), ([], text)])

    def transferred(self, text):
        for source, target in self.moves:
            try:
                value = find(tree_of(text), source).text()
            except Mismatch:
                continue
            rest = model.compact_text(shape(Program(drop=[source]), text))
            text = insert(rest, target, value, self.policy)
        for source, target in self.appends:
            added, there = elements_at(text, source), elements_at(text, target)
            if there is not None:
                text = insert(text, target, b"[" + b",".join(there + (added or [])) + b"]", "last")
            elif added is not None and find(tree_of(text), source).text() != b"null":
                text = insert(text, target, b"[" + b",".join(added) + b"]", self.policy)
        return text


# ---- random programs

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
        tree = tree_of(text)
        from_ = self.indexed(tree) if self.rnd.random() < 0.3 else None
        try:
            tree = find(tree, from_ or ())
        except Mismatch:
            pass
        select = self.paths(tree, 4) if self.rnd.random() < 0.6 else []
        drop = self.paths(tree, 3) if self.rnd.random() < 0.5 else []
        rename = [(path, self.rnd.choice(NEW_KEYS)) for path in self.paths(tree, 3)]
        if rename and self.rnd.random() < 0.2:  # two members swap
            a, b = self.path(tree), self.path(tree)
            if a[-1] is not EACH and b[-1] is not EACH and a[:-1] == b[:-1]:
                rename += [(a, b[-1]), (b, a[-1])]
        return Program(from_, select, drop, rename)

"""The wire vectors of tests/data/h1 (its README.md tells the format), as objects: for c in load(): ..."""
import glob
import os
import re
from dataclasses import dataclass, field

DATA = os.path.join(os.path.dirname(__file__), "..", "data", "h1")
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", '"': b'"', "\\": b"\\"}
STRING = re.compile(r'(?:(\d+) \* )?"(.*)"$')
ESCAPE = re.compile(r'\\(x[0-9a-fA-F]{2}|.)')


@dataclass
class Message:
    """What one accepted head means. `method`, `target`, `authority` of a request, `status` of a response."""
    method: str = ""
    target: str = ""
    authority: str = ""
    status: int = 0
    fields: list = field(default_factory=list)  # (name, value) as bytes: exactly those that cross, in order
    waits_for_continue: bool = False
    closes: bool = False


@dataclass
class Vector:
    name: str = ""
    rfc: str = ""
    side: str = ""
    asked: str = "GET"
    only: str = ""  # "codec": not for the daemon
    bytes: bytes = b""
    reject: tuple = ()  # (status, reason token)
    messages: list = field(default_factory=list)  # interim responses, then the final message
    body: bytes = b""
    left: bytes = b""
    is_incomplete: bool = False

    def __str__(self):
        return self.name


def unquote(text):
    times, quoted = STRING.match(text).groups()
    out, at = b"", 0
    for escape in ESCAPE.finditer(quoted):
        out += quoted[at:escape.start()].encode()
        code = escape.group(1)
        out += bytes([int(code[1:], 16)]) if len(code) == 3 else ESCAPES[code]
        at = escape.end()
    return (out + quoted[at:].encode()) * int(times or 1)


def _accept(vector, value):
    if vector.side == "response":
        vector.messages.append(Message(status=int(value)))
        return
    words = value.split(" ")
    vector.messages.append(Message(words[0], words[1] if len(words) == 3 else "", words[-1]))


def _add(vector, word, value):
    if word == "vector":
        vector.name = value
    elif word in ("rfc", "side", "asked", "only"):
        setattr(vector, word, value)
    elif word == "bytes":
        vector.bytes += unquote(value)
    elif word == "reject":
        status, token = value.split()
        vector.reject = (int(status), token)
    elif word == "accept":
        _accept(vector, value)
    elif word == "field":
        vector.messages[-1].fields.append(tuple(unquote(value).split(b": ", 1)))
    elif word == "continue":
        vector.messages[-1].waits_for_continue = True
    elif word == "close":
        vector.messages[-1].closes = True
    elif word in ("body", "left"):
        setattr(vector, word, unquote(value))
    elif word == "incomplete":
        vector.is_incomplete = True
    else:
        raise ValueError("%s: unknown word %s" % (vector.name, word))


def load(side=None, folder=DATA):
    """Every vector, or those of one side ("request", "response"), in the order of files and lines."""
    vectors = []
    for path in sorted(glob.glob(os.path.join(folder, "*.vec"))):
        with open(path, encoding="ascii") as f:
            for block in f.read().split("\n\n"):
                lines = [line for line in block.split("\n") if line and not line.startswith("#")]
                if not lines:
                    continue
                vectors.append(Vector())
                for line in lines:
                    word, _, value = line.partition(" ")
                    _add(vectors[-1], word, value)
    return [vector for vector in vectors if side in (None, vector.side)]

"""The examples of doc/recipes.md: a configuration each, and what it answers to which request.

    ## Title ... ```yaml FILE``` ... ```console (a command line of curl, a status line, fields, an empty line, the body)*```
"""
import os
import re
import shlex
import subprocess

from .daemon import ROOT

PAGE = os.path.join(ROOT, "doc", "recipes.md")
BASE = "http://127.0.0.1:8080"
RECIPE = re.compile(r"^## (.+?)\n(.*?)(?=^#|\Z)", re.M | re.S)


def read_page():
    with open(PAGE, encoding="utf-8") as f:
        return f.read()


class Exchange:
    """One request of curl and the answer that is shown for it."""

    def __init__(self, text):
        command, self.shown = text.split("\n", 1)
        self.method, self.fields, self.body = "GET", [], None
        self._take(shlex.split(command))
        head, _, body = self.shown.partition("\n\n")
        status_line, *lines = head.rstrip("\n").split("\n")
        self.status = int(status_line.split(" ")[1])
        self.answer_fields = [tuple(line.split(": ", 1)) for line in lines]
        self.answer = body.rstrip("\n").encode()

    def _take(self, words):
        assert words[:2] == ["curl", "-i"], words
        words = iter(words[2:])
        for word in words:
            if word == "-X":
                self.method = next(words)
            elif word == "-H":
                self.fields.append(tuple(next(words).split(": ", 1)))
            elif word == "--compressed":
                self.fields.append(("Accept-Encoding", "deflate, gzip, br"))
            elif word == "-d":
                self.body = next(words).encode()
                self.method = "POST" if self.method == "GET" else self.method
            else:
                assert word.startswith(BASE + "/"), word
                self.target = word[len(BASE):]

    def send(self, daemon):
        answer = daemon.request(self.target, self.method, fields=self.fields, body=self.body)
        tool = {"br": ["brotli", "-dc"], "gzip": ["gzip", "-dc"]}.get(answer.header("Content-Encoding"))
        if tool:  # as curl does
            answer.body = subprocess.run(tool, input=answer.body, capture_output=True, check=True).stdout
        return answer


class Recipe:
    def __init__(self, title, text):
        self.title = title
        self.blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)
        assert [kind for kind, _ in self.blocks] == ["yaml", "console"], (title, [kind for kind, _ in self.blocks])
        self.conf = self.blocks[0][1]
        self.exchanges = [Exchange(each) for each in re.split(r"^\$ ", self.blocks[1][1], flags=re.M)[1:]]
        assert self.exchanges, title


def read_all():
    return [Recipe(title, text) for title, text in RECIPE.findall(read_page()) if "```" in text]

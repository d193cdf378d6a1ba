"""What doc/testing.md shows is what the commands print."""
import os
import re
import shlex

import pytest
from harness import daemon

with open(os.path.join(daemon.ROOT, "doc", "testing.md"), encoding="utf-8") as page:
    BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", page.read(), re.M | re.S)
CONSOLES = [text for kind, text in BLOCKS if kind == "console"]


@pytest.mark.parametrize("console", CONSOLES, ids=lambda text: text.split("\n")[0])
def test_the_page_shows_what_is_printed(console, tmp_path):
    (tmp_path / "shop.yaml").write_text(dict(BLOCKS)["yaml"])
    command, shown = console.split("\n", 1)
    words = shlex.split(command)
    assert words[:2] == ["$", "gatherd"]
    printed = daemon.run(*words[2:], cwd=tmp_path).stdout
    if "...\n" not in shown.replace("  ...\n", ""):
        assert printed == shown
        return
    at = 0
    for piece in re.split(r"^\.\.\.\n", shown, flags=re.M):
        assert piece in printed[at:], piece
        at = printed.index(piece, at) + len(piece)

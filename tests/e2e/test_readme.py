"""What README.md shows is true: its configuration is valid, its links lead somewhere, its output is the demo's."""
import os
import re

from harness import daemon


def readme():
    with open(os.path.join(daemon.ROOT, "README.md"), encoding="utf-8") as f:
        return f.read()


def test_its_configuration_is_valid(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", readme(), re.S)
    assert blocks
    for block in blocks:
        path = tmp_path / "readme.yaml"
        path.write_text(block)
        checked = daemon.run("check", "-c", str(path))
        assert checked.returncode == 0, checked.stderr


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", readme()):
        assert target.startswith("http") or os.path.exists(os.path.join(daemon.ROOT, target)), target


def test_the_annotated_configuration_has_every_key():
    with open(os.path.join(daemon.ROOT, "conf", "gatherd.yaml"), encoding="utf-8") as f:
        text = f.read()
    keys = set(re.findall(r"^- \*\*`(\w+)`", daemon.run("reference").stdout, re.M))
    assert len(keys) > 100
    assert not [key for key in sorted(keys) if not re.search(r"\b%s:" % key, text)]

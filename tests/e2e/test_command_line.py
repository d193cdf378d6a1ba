"""The commands that need no daemon: what they print, where, and how they end."""
import glob
import json
import os
import subprocess

import jsonschema
import pytest
import yaml

from harness import daemon, wait

DATA = os.path.join(daemon.ROOT, "tests", "data", "conf")
SECRETS = dict(os.environ, GATHERD_TEST_SECRET="hunter2", GATHERD_TEST_PORT="9000",
               CREDENTIALS_DIRECTORY=os.path.join(DATA, "good", "parts"))
GOOD = sorted(glob.glob(os.path.join(DATA, "good", "*.yaml")) + glob.glob(os.path.join(daemon.ROOT, "conf", "*.yaml")))


def good(name):
    return os.path.join(DATA, "good", name)


def bad(name):
    return os.path.join(DATA, "bad", name)


def test_check_of_a_good_file_says_so_in_one_line():
    ran = daemon.run("check", "-c", good("included.yaml"))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(good("included.yaml") + ": fine: 2 listeners, 2 upstreams, 2 routes, worst case ")
    assert ran.stdout.endswith(" bytes per exchange\n") and ran.stdout.count("\n") == 1


def test_check_of_a_bad_file_says_everything_and_counts():
    ran = daemon.run("check", "-c", bad("all_at_once.yaml"))
    assert (ran.returncode, ran.stdout) == (78, "")
    lines = ran.stderr.splitlines()
    assert len(lines) == 12 + 1 and lines[-1].endswith(": 12 errors")
    assert all(line.startswith(bad("all_at_once.yaml") + ":") for line in lines)


def test_check_of_a_file_full_of_errors_stops_telling(tmp_path):
    path = tmp_path / "many.yaml"
    path.write_text("version: 1\nlisteners: { a: { address: 127.0.0.1:1 } }\nroutes:\n"
                    + "  - { path: /a, repl: 1 }\n" * 3000)
    ran = daemon.run("check", "-c", str(path))
    lines = ran.stderr.splitlines()
    assert ran.returncode == 78 and lines[-2] == "and more errors, not shown"
    assert lines[-1] == "%s: more than %d errors" % (path, len(lines) - 2)


def test_check_reads_a_pipe():
    with open(good("minimal.yaml")) as f:
        ran = daemon.run("check", "-c", "/dev/stdin", input=f.read())
    assert ran.returncode == 0, ran.stderr


def test_dump_shows_what_was_written_and_effective_what_holds():
    written = yaml.safe_load(daemon.run("dump", "-c", good("inherited.yaml")).stdout)
    assert "defaults" in written and written["upstreams"]["plain"] == {"servers": ["http://127.0.0.1:9001"]}
    effective = yaml.safe_load(daemon.run("dump", "--effective", "-c", good("inherited.yaml")).stdout)
    assert "defaults" not in effective
    assert effective["upstreams"]["plain"]["servers"] == [{"url": "http://127.0.0.1:9001", "weight": 1}]
    assert effective["routes"][0]["calls"]["own"]["max_body"] == "2KiB"


@pytest.mark.parametrize("path", GOOD, ids=os.path.basename)
def test_neither_dump_shows_a_secret(path):
    for how in ([], ["--effective"]):
        ran = daemon.run("dump", *how, "-c", path, env=SECRETS)
        assert ran.returncode == 0, ran.stderr
        assert "hunter2" not in ran.stdout and "file {secret}" not in ran.stdout


# texts.yaml: its keys are no texts to this YAML reader
@pytest.mark.parametrize("path", [p for p in GOOD if p != good("texts.yaml")], ids=os.path.basename)
def test_schema_takes_what_check_takes(path):
    with open(path) as f:
        document = yaml.safe_load(f)
    effective = yaml.safe_load(daemon.run("dump", "--effective", "-c", path, env=SECRETS).stdout)
    schema = json.loads(daemon.run("schema").stdout)
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(document)
    jsonschema.Draft7Validator(schema).validate(effective)


@pytest.mark.parametrize("name", ["unknown_top_key", "near_spelling", "duration_without_unit", "word_unknown",
                                  "count_out_of_range", "listener_without_address", "unbuilt_keys_of_upstream"])
def test_schema_refuses_plain_mistakes(name):
    with open(bad(name + ".yaml")) as f:
        document = yaml.safe_load(f)
    schema = json.loads(daemon.run("schema").stdout)
    assert list(jsonschema.Draft7Validator(schema).iter_errors(document))


def test_help_and_version_go_to_standard_output():
    for word in ("-h", "--help"):
        ran = daemon.run(word)
        assert ran.returncode == 0 and ran.stdout.startswith("usage: gatherd") and not ran.stderr
    ran = daemon.run("--version")
    assert ran.returncode == 0 and ran.stdout.startswith("gatherd ")


@pytest.mark.parametrize("words", [[], ["serve"], ["check", "file.yaml"], ["check", "--effective"], ["schema", "-c", "x"],
                                   ["check", "-c"], ["check", "-x"]], ids=" ".join)
def test_misuse_ends_with_2(words):
    ran = daemon.run(*words)
    assert ran.returncode == 2 and ran.stderr and not ran.stdout


def test_a_full_disk_is_a_failure():
    with open("/dev/full", "w") as full:
        ran = subprocess.run([daemon.BINARY, "schema"], stdout=full, stderr=subprocess.PIPE, timeout=wait.PATIENCE)
    assert ran.returncode == 1 and b"standard output" in ran.stderr

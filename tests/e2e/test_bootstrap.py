"""scripts/bootstrap on machines that lack packages, root or sudo, played by stubs in front of the PATH."""
import os
import subprocess

import pytest
from harness import daemon

BOOTSTRAP = os.path.join(daemon.ROOT, "scripts", "bootstrap")


@pytest.fixture
def machine(tmp_path):
    """Runs bootstrap up to configure with stubs given as name = shell text; returns its end and what was called."""
    def run(*arguments, **stubs):
        stub_path, log = tmp_path / "bin", tmp_path / "log"
        stub_path.mkdir(exist_ok=True)
        log.write_text("")
        for name, text in stubs.items():
            stub = stub_path / name.replace("_", "-")
            stub.write_text('#!/bin/sh\necho "%s $*" >>%s\n%s\n' % (stub.name, log, text))
            stub.chmod(0o755)
        ran = subprocess.run([BOOTSTRAP, "--build", str(tmp_path / "build"), "--target", "none", *arguments], capture_output=True,
                             text=True, stdin=subprocess.DEVNULL, env=dict(os.environ, PATH="%s:%s" % (stub_path, os.environ["PATH"])))
        return ran, log.read_text()
    return run


INSTALLED = "echo 'install ok installed'"
MISSING = 'case "$*" in *libyaml-dev*|*check*) exit 1 ;; esac; echo "install ok installed"'


def test_nothing_missing_calls_no_apt(machine):
    ran, called = machine(dpkg_query=INSTALLED, apt_get="exit 1", sudo="exit 1")
    assert ran.returncode == 0, ran.stderr
    assert "apt-get" not in called and "sudo" not in called


def test_without_root_and_sudo_it_says_what_to_install(machine):
    ran, called = machine(dpkg_query=MISSING, id="echo 1000", sudo="exit 1", apt_get="exit 0")
    assert ran.returncode != 0
    assert "apt-get install --no-install-recommends check libyaml-dev" in ran.stderr or \
        "apt-get install --no-install-recommends libyaml-dev check" in ran.stderr, ran.stderr
    assert "\napt-get" not in called


def test_with_sudo_it_installs_only_what_is_missing(machine):
    ran, called = machine(dpkg_query=MISSING, id="echo 1000", sudo='case "$*" in *tee*) cat >/dev/null ;; esac; exit 0')
    assert ran.returncode == 0, ran.stderr
    installs = [line for line in called.split("\n") if " install " in line]
    assert len(installs) == 1, called
    assert installs[0].endswith("install -y --no-install-recommends libyaml-dev check "[:-1]), installs
    assert "DEBIAN_FRONTEND=noninteractive" in installs[0]


def test_a_failing_installation_is_an_error(machine):
    ran, _ = machine(dpkg_query=MISSING, id="echo 1000",
                     sudo='case "$*" in *tee*) cat >/dev/null ;; *" install "*) exit 100 ;; esac; exit 0')
    assert ran.returncode != 0
    assert "could not install" in ran.stderr


def test_other_arguments_build_everything_anew(machine, tmp_path):
    """What README.md says to install is built in the folder in which the demo was built with other arguments."""
    built = tmp_path / "build" / "src" / "base" / "str.o"
    machine(dpkg_query=INSTALLED)
    built.parent.mkdir(parents=True, exist_ok=True)
    built.write_text("")
    machine()
    assert built.exists(), "the same arguments, and nothing to do"
    ran, _ = machine("--prefix=/usr")
    assert ran.returncode == 0, ran.stderr
    assert not built.exists()


def test_a_browser_that_is_not_to_be_had_is_done_without(machine):
    ran, called = machine("--tests", dpkg_query='case "$*" in *chromium*) exit 1 ;; esac; echo "install ok installed"', id="echo 1000",
                          sudo='case "$*" in *tee*) cat >/dev/null ;; *" install "*) exit 100 ;; esac; exit 0')
    assert ran.returncode == 0, ran.stderr
    assert "no browser" in ran.stderr and "chromium-headless-shell" in called

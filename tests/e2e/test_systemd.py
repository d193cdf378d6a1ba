"""The unit: sandboxed, and the same sandbox after it was filled in for an installation."""
import os
import shutil
import subprocess

from harness import daemon

UNIT = os.path.join(daemon.BUILD, "systemd", "gatherd.service")


def test_unit_exposes_little():
    analyze = shutil.which("systemd-analyze") or "/usr/bin/systemd-analyze"
    analyzed = subprocess.run([analyze, "security", "--offline=true", "--threshold=20", "--no-pager", UNIT],
                              capture_output=True, text=True)
    assert analyzed.returncode == 0, analyzed.stdout[-2000:] + analyzed.stderr


def test_unit_is_filled_in():
    with open(UNIT, encoding="utf-8") as f:
        unit = f.read()
    assert "@bindir@" not in unit and "@sysconfdir@" not in unit
    assert "Type=notify" in unit and "User=gatherd" in unit

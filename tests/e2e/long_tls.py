"""What takes too long for every run: make check-handshakes, make check-testssl."""
import json
import shutil
import subprocess

import pytest

from harness import tls

HELLO = [{"path": "/hello", "reply": {"body": "hello"}}]


@pytest.mark.parametrize("workers", [1, 2])
def test_100000_aborted_handshakes_leave_nothing(gatherd, pki, workers):
    pair = pki.issue("site")
    d = gatherd(HELLO, workers=workers,
                listener={"tls": {"certificate": pair[0], "key": pair[1]}, "timeouts": tls.WAITS_END})
    print("\n%d workers: %s" % (workers, tls.survive_aborts(d, 100000)))


# what no configuration helps: the authority is a test's, its certificates are young and say nothing of revocation
OF_THE_TEST_CA = {"cert_trust", "cert_chain_of_trust", "cert_revocation", "cert_expirationStatus", "cert_notAfter",
                  "cert_validityPeriod", "OCSP_stapling", "DNS_CAArecord", "certificate_transparency"}
HARMLESS = {"OK", "INFO", "LOW", "DEBUG"}
# what testssl looks for in an answer is the site's to say
FIELDS = {"Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
          "Content-Security-Policy": "default-src 'none'"}


def test_testssl_reports_nothing_above_low(gatherd, pki, tmp_path):
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    assert program, "apt-get install testssl.sh"
    pairs = [pki.issue("ecdsa", kind="ec"), pki.issue("rsa", kind="rsa")]
    d = gatherd([{"path": "/", "reply": {"body": "hello", "headers": FIELDS}}],
                listener={"tls": {"certificates": [{"certificate": c, "key": k} for c, k in pairs]}})
    report = tmp_path / "report.json"
    said = subprocess.run([program, "--add-ca", pki.ca, "--jsonfile", report, "--warnings", "off", "--quiet", "--color", "0",
                           "--nodns", "none", "--ip", "127.0.0.1", "localhost:%d" % d.port], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=1200)
    findings = json.loads(report.read_text())
    assert len(findings) > 100 and "Done" in said.stdout, said.stdout + said.stderr
    bad = [f for f in findings if f["severity"] not in HARMLESS and f["id"].split(" ")[0] not in OF_THE_TEST_CA]
    assert not bad, json.dumps(bad, indent=1)
    print("\ntestssl: %d findings, none above LOW" % len(findings))

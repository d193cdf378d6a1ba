"""Waiting for something to become true, and saying what did not.

Nothing that a test proves depends on how long it is patient: only a test that fails anyway waits so long. A machine with
much else to do may stop any thread for seconds, so a test waits for what happens and never asks how fast it was.
"""
import time

PATIENCE = 90.0


def until(condition, what, timeout=PATIENCE):
    """Polls condition() and returns its first true value; fails with `what` after the timeout."""
    deadline = time.monotonic() + timeout
    while True:
        is_late = time.monotonic() > deadline  # a last look after it: this thread may have been stopped meanwhile
        value = condition()
        if value:
            return value
        if is_late:
            raise AssertionError("not within %g s: %s" % (timeout, what))
        time.sleep(0.005)


def with_time(attempt, milliseconds):
    """attempt(milliseconds) proves something of a time-out that ends one thing, and that leaves another the time it needs.
    Where that was too little for the machine of today it is made again with more."""
    while True:
        try:
            return attempt(milliseconds)
        except Exception:  # an end that came too early shows in many ways
            if milliseconds > 10000:
                raise
        milliseconds *= 4

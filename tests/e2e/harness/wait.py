"""Waiting for something to become true, and saying what did not."""
import time


def until(condition, what, timeout=10.0):
    """Polls condition() and returns its first true value; fails with `what` after the timeout."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not within %g s: %s" % (timeout, what))
        time.sleep(0.005)

"""TCP ports of 127.0.0.1 that no other test of this machine uses at the same time.

Binding port 0 and closing the socket again leaves a gap in which somebody else gets the port, and two daemons
with SO_REUSEPORT would not even notice. So a port is claimed by binding an abstract unix socket of that number
(it vanishes with its process), below the kernel's own range for outgoing connections, and then tried.
"""
import random
import socket

FIRST, LAST = 10000, 30000


class Port:
    def __init__(self):
        for _ in range(1000):
            self.number = random.SystemRandom().randint(FIRST, LAST)
            self._claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._claim.bind("\0gatherd-test-port-%d" % self.number)
                self._try()
                return
            except OSError:
                self._claim.close()
        raise RuntimeError("no free port found")

    def _try(self):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", self.number))

    def release(self):
        self._claim.close()

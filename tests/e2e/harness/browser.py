"""A headless Chromium that trusts a test's authority, told by its DevTools protocol what to open and what to run there.

    browser = Browser(tmp_path, ca=pki.ca)
    browser.evaluate("https://localhost:%d/" % d.port, "document.title")
"""
import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess

import websockets

from . import wait

NAMES = ("chromium-headless-shell", "chromium")


def binary():
    """None: none is installed."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """Started by its first evaluate(), ended by stop(). All it keeps is in `folder`."""

    def __init__(self, folder, ca=None):
        self.folder, self.profile = str(folder), os.path.join(str(folder), "profile")
        self.process = None
        self.said = os.path.join(self.folder, "browser.log")
        if ca:
            self._trust(ca)

    def _trust(self, ca):
        """Chromium takes what a user trusts from the NSS database below HOME."""
        store = os.path.join(self.folder, ".pki", "nssdb")
        os.makedirs(store)
        for arguments in (["-N", "--empty-password"], ["-A", "-n", "test", "-t", "C,,", "-i", ca]):
            subprocess.run(["certutil", "-d", "sql:" + store, *arguments], check=True, capture_output=True, timeout=60)

    def start(self):
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen(
                [binary(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--remote-debugging-port=0", "--remote-allow-origins=*",
                 "--user-data-dir=" + self.profile, "about:blank"],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, env={**os.environ, "HOME": self.folder},
                start_new_session=True)
        self.port = wait.until(self._debugging_port, "the browser to start")

    def _debugging_port(self):
        assert self.process.poll() is None, open(self.said, errors="replace").read()
        with contextlib.suppress(FileNotFoundError):
            with open(os.path.join(self.profile, "DevToolsActivePort")) as f:
                port, _, path = f.read().partition("\n")
            return (port, path) if path else None  # the file is there before what is in it
        return None

    def evaluate(self, url, expression, timeout=wait.PATIENCE):
        """Opens the page; the value of an expression there, or of the promise that it is."""
        if not self.process:
            self.start()
        return asyncio.run(asyncio.wait_for(self._evaluate(url, expression), timeout))

    async def _evaluate(self, url, expression):
        port, path = self.port
        async with websockets.connect("ws://127.0.0.1:%s%s" % (port, path), max_size=None, compression=None) as devtools:
            numbers = itertools.count(1)

            async def call(method, session=None, **parameters):
                number = next(numbers)
                message = {"id": number, "method": method, "params": parameters}
                await devtools.send(json.dumps({**message, "sessionId": session} if session else message))
                while True:
                    answer = json.loads(await devtools.recv())
                    if answer.get("id") == number:
                        assert "error" not in answer, (method, answer)
                        return answer["result"]
                    events.append(answer.get("method"))
            events = []
            target = (await call("Target.createTarget", url="about:blank"))["targetId"]
            session = (await call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
            await call("Page.enable", session)
            opened = await call("Page.navigate", session, url=url)
            assert "errorText" not in opened, (url, opened["errorText"])
            while "Page.loadEventFired" not in events:
                events.append(json.loads(await devtools.recv()).get("method"))
            done = await call("Runtime.evaluate", session, expression=expression, awaitPromise=True, returnByValue=True)
            assert "exceptionDetails" not in done, done["exceptionDetails"]
            await call("Target.closeTarget", targetId=target)
            return done["result"].get("value")

    def stop(self):
        if self.process:
            # what is called chromium is a script, and the browser its child
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

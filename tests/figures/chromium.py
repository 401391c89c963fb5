"""Headless Chromium, driven through a pipe by its own protocol: no library is needed, and no port."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


class Browser:
    """A window on one page; records every request and every problem."""

    def __init__(self, folder, width=1200, height=800):
        down, self._to = os.pipe()
        self._from, up = os.pipe()
        options = ["--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--use-angle=swiftshader"]
        options += [
            "--enable-unsafe-swiftshader",
            "--hide-scrollbars",
            "--disable-background-networking",
            "--no-first-run",
        ]
        options += [f"--window-size={width},{height}", f"--user-data-dir={folder}", "about:blank"]

        # Chromium reads commands from 3 and writes answers to 4.
        code = "import os, sys; r, w = int(sys.argv[1]), int(sys.argv[2]); a, b = os.dup(r), os.dup(w); "
        code += "os.dup2(a, 3); os.dup2(b, 4); os.set_inheritable(3, True); os.set_inheritable(4, True); "
        code += "os.execv(sys.argv[3], sys.argv[3:])"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(down), str(up), PROGRAM, *options],
            pass_fds=(down, up),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(down)
        os.close(up)
        self._buffer, self._number, self._session = b"", 0, None
        self.requests, self.problems = [], []
        found = self.call("Target.getTargets")["targetInfos"]
        target = next((one["targetId"] for one in found if one["type"] == "page"), None)
        target = target or self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session and not method.startswith("Target."):
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _next(self):
        while b"\0" not in self._buffer:
            data = os.read(self._from, 1 << 20)
            if not data:
                raise RuntimeError("the browser has ended")
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        kind, about = message.get("method"), message.get("params", {})
        if kind == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif kind == "Runtime.exceptionThrown":
            self.problems.append(str(about["exceptionDetails"]))
        elif kind == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.problems.append(about["entry"]["text"])
        elif kind == "Page.javascriptDialogOpening":
            self.problems.append("a dialog: " + about["message"])
        return message

    def do(self, expression):
        """Evaluate JavaScript in the page and return its value."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def until(self, expression, seconds=30):
        end = time.monotonic() + seconds
        while not (value := self.do(expression)):
            if time.monotonic() > end:
                raise TimeoutError(expression)
            time.sleep(0.05)
        return value

    def open(self, path, seconds=60):
        self.call("Page.navigate", url=path.as_uri())
        self.until("Boolean(window.nodeloom)", seconds)

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

"""Headless Chromium, spoken to as the WebDriver standard says: Debian's packages chromium and chromium-driver."""

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = "no headless Chromium here: apt-get install chromium chromium-driver"
PATIENCE = 20  # seconds
QUIET = """
    --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync
"""
ENTER, TAB, LEFT, HOME, ESCAPE = "\ue007", "\ue004", "\ue012", "\ue011", "\ue00c"


class Browser:
    """One browser with an empty profile. `run` runs JavaScript in the page, `wait` until it says something true."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        self._driver = subprocess.Popen(
            [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=self._profile.name
        )
        self._address = f"http://127.0.0.1:{self._port()}"
        arguments = [*QUIET.split(), f"--user-data-dir={self._profile.name}"]
        options = {"binary": CHROMIUM, "args": arguments}
        logs = {"browser": "ALL"}
        session = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": logs}}}
        try:
            self._session = self._call("POST", "/session", session)["sessionId"]
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._call("DELETE", f"/session/{self._session}")
        self._end()

    def _end(self) -> None:
        self._driver.terminate()
        self._driver.wait(PATIENCE)
        self._driver.stdout.close()
        self._profile.cleanup()

    def open(self, address: str) -> None:
        self._tell("url", {"url": address})

    def run(self, script: str) -> Any:
        return self._tell("execute/sync", {"script": script, "args": []})

    def wait(self, script: str) -> Any:
        """What an expression becomes once it is true."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self.run(f"return {script}")):
            assert time.monotonic() < deadline, f"{script} did not come true: {self.text()}"
        return found

    def text(self) -> str:
        return self.run("return document.body.innerText")

    def press(self, keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._tell("actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def window(self, width: int, height: int) -> None:
        self.protocol(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def media(self, **features: str) -> None:
        """Such as prefers_color_scheme="dark"."""
        found = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.protocol("Emulation.setEmulatedMedia", features=found)

    def protocol(self, command: str, **parameters: Any) -> Any:
        return self._tell("goog/cdp/execute", {"cmd": command, "params": parameters})

    def complaints(self) -> list[str]:
        """What the browser's console has to say: errors, and what the page's policy forbade."""
        return [entry["message"] for entry in self._tell("se/log", {"type": "browser"})]

    def picture(self, path: Path) -> None:
        """The whole page, as PNG."""
        found = self.protocol("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def _port(self) -> int:
        for line in self._driver.stdout:
            if found := re.search(r"successfully on port (\d+)", line):
                return int(found[1])
        raise RuntimeError("chromedriver ended before it listened")

    def _tell(self, command: str, body: object) -> Any:
        return self._call("POST", f"/session/{self._session}/{command}", body)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._address}{path}", data, {"content-type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=3 * PATIENCE) as answer:
            return json.load(answer)["value"]

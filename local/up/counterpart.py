"""What stands in for a database outside AWS: a process beside the local AWS, which puts its URL into a secret."""

import json
import sys
import time
from pathlib import Path

import psutil

from local.up import options, processes
from local.up.aws import Account
from local.up.steps import StepFailed, step

START_SECONDS = 60


class Counterpart:
    """The process that stands in for a store's provider, with its log and its pid below `state`."""

    def __init__(self, store: str, state: Path) -> None:
        self._store = store
        self._module = options.counterpart(store)
        self._saved = state / "counterpart.json"
        self._state = state
        self._log = state / "logs" / f"{store}.log"

    def start(self, account: Account) -> None:
        """Start it, unless it runs, or the store needs none; StepFailed when it does not get ready."""
        if self._module is None or processes.load(self._saved):
            return
        store = options.local(self._store).store
        description = {
            "state": str(self._state),
            "certificates": str(self._state / "certificates"),
            "endpoint": account.endpoint,
            "region": account.region,
            "secret_name": store.secret_name,
            "migrations_secret_name": store.migrations_secret_name,
        }
        with step(f"local {self._store}", self._log):
            command = [sys.executable, "-m", self._module]
            process = processes.start(command, self._log, None, given=json.dumps(description))
            processes.save(process, self._saved)
            try:
                wait_until_ready(process, self._log)
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """End it, if it runs."""
        if process := processes.load(self._saved):
            processes.stop(process)
        self._saved.unlink(missing_ok=True)

    def process(self) -> psutil.Process | None:
        """The process, if it runs."""
        return processes.load(self._saved)

    def ask(self) -> str | None:
        """A command that shows the rows, as the counterpart said when it was ready."""
        for line in self._log.read_text(errors="replace").splitlines() if self._log.exists() else ():
            if line.startswith('{"ready": true'):
                found: str | None = json.loads(line).get("ask")
                return found
        return None


def wait_until_ready(process: psutil.Process, log: Path) -> None:
    """Return when the process has said so in its log; StepFailed when it ends before, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while '"ready": true' not in log.read_text(errors="replace"):
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise StepFailed("it ended while it started")
        if time.monotonic() > deadline:
            raise StepFailed(f"it was not ready after {START_SECONDS} s")
        time.sleep(0.05)

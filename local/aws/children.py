"""The processes behind the emulated services: started, waited for until they say that they are ready, and ended."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.aws import guard
from local.aws.resources import ResourceError

ROOT = Path(__file__).parents[2]
READY_SECONDS = 120.0
STOP_SECONDS = guard.GRACE_SECONDS + 5.0
POLL_SECONDS = 0.02
LAST_LINES = 10


@dataclass(frozen=True)
class Command:
    """A Python module to run, with its arguments, one object for its standard input, and further environment."""

    module: str
    arguments: tuple[str, ...] = ()
    standard_input: Mapping[str, Any] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Child:
    """One running process, behind a guard that ends it together with the emulator."""

    def __init__(self, command: Command, *, python: Path, log: Path) -> None:
        self.command = command
        self._log = log
        lifeline, self._lifeline = os.pipe()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-S", guard.__file__, str(lifeline), python, "-m", command.module, *command.arguments],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, **command.environment},
                pass_fds=[lifeline],
                start_new_session=True,  # an interrupt from the terminal is for the emulator alone, which ends the rest
            )
        os.close(lifeline)
        self._describe(json.dumps(command.standard_input).encode())

    def wait_until_ready(self) -> Mapping[str, Any]:
        """The line with which the process says that it is ready; ResourceError with the end of its log otherwise."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None
            if (ready := self._ready_line()) is not None:
                return ready
            if ended:
                raise ResourceError(f"{self.command.module} ended before it was ready: {self._last_lines()}")
            time.sleep(POLL_SECONDS)
        self.stop()
        raise ResourceError(
            f"{self.command.module} was not ready within {READY_SECONDS:.0f} seconds: {self._last_lines()}"
        )

    def stop(self) -> None:
        """End the process and wait for it."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        with contextlib.suppress(OSError):
            os.close(self._lifeline)

    def _describe(self, standard_input: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended, and its log tells why
            if self._process.stdin:
                self._process.stdin.write(standard_input)
                self._process.stdin.close()

    def _ready_line(self) -> Mapping[str, Any] | None:
        for line in self._log.read_text(errors="replace").splitlines(keepends=True):
            if line.startswith('{"ready": true') and line.endswith("\n"):
                ready: Mapping[str, Any] = json.loads(line)
                return ready
        return None

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return (
            f"{' | '.join([line for line in lines if line.strip()][-LAST_LINES:]) or 'it wrote nothing'} ({self._log})"
        )


class Children:
    """The running processes by name. A name is `kind-identifier`, and names its log."""

    def __init__(self, *, python: Path, logs: Path) -> None:
        self._python, self._logs = python, logs
        self._running: dict[str, Child] = {}
        self._ended = False
        self._lock = threading.Lock()

    def run(self, name: str, command: Command) -> Mapping[str, Any]:
        """Have this command running under this name, and return its ready line.

        A process with another command is ended first; one with the same command is left alone.
        """
        with self._lock:
            child = self._running.get(name)
        if child is None or child.command != command:
            self.stop(name)
            child = self._start(name, command)
        try:
            return child.wait_until_ready()
        except ResourceError:
            self.stop(name)
            raise

    def _start(self, name: str, command: Command) -> Child:
        with self._lock:
            if self._ended:
                raise ResourceError(f"{command.module} is not started: the emulator is ending")
            self._running[name] = Child(command, python=self._python, log=self._logs / f"{name}.log")
            return self._running[name]

    def stop(self, name: str) -> None:
        """End the process of this name, if there is one."""
        with self._lock:
            child = self._running.pop(name, None)
        if child is not None:
            child.stop()

    def stop_all(self) -> None:
        """End every process, all at once, and start no other: a deployment may still be under way."""
        with self._lock:
            self._ended = True
            children, self._running = list(self._running.values()), {}
        threads = [threading.Thread(target=child.stop) for child in children]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

"""Which process we started, so that we end that one and no other."""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

STOP_SECONDS = 30


def start(command: Sequence[str], log: Path, environment: Mapping[str, str] | None, given: str = "") -> psutil.Process:
    """Start a command that outlives us, with `given` on its standard input and its output in `log`.

    `environment` are its environment variables; None is ours.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output, tempfile.TemporaryFile() as standard_input:
        standard_input.write(given.encode())
        standard_input.seek(0)
        return psutil.Popen(
            command,
            stdin=standard_input,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            start_new_session=True,  # Ctrl-C at our terminal is ours to handle
        )


def save(process: psutil.Process, path: Path) -> None:
    """Write a process down for `load`: its pid and its start, since a pid alone may be given to another."""
    path.write_text(json.dumps({"pid": process.pid, "started": process.create_time()}))


def load(path: Path) -> psutil.Process | None:
    """The process that `save` wrote down, if it is still running."""
    try:
        saved = json.loads(path.read_text())
        process = psutil.Process(saved["pid"])
        is_the_same = process.create_time() == saved["started"] and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return process if is_the_same else None


def stop(process: psutil.Process) -> None:
    """End a process and what it started: SIGTERM to let it do so itself, then SIGKILL to whatever is left."""
    try:
        family = [process, *process.children(recursive=True)]
        process.terminate()
    except psutil.NoSuchProcess:
        return
    _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for survivor in left:
        survivor.kill()
    psutil.wait_procs(left, timeout=STOP_SECONDS)

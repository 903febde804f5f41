"""The Node.js that runs the function here, and what it runs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
HANDLER = "index.handler"


def node() -> str:
    """The Node.js beside the interpreter, where `make setup` puts one, else the machine's."""
    beside = Path(sys.executable).with_name("node")
    found = str(beside) if beside.exists() else shutil.which("node")
    if found is None:
        raise FileNotFoundError("there is no Node.js on this machine: `make setup` installs one")
    return found


def runtime_client() -> list[str]:
    """The command that serves a Node function, but for the handler's name."""
    return [node(), str(HERE / "runtime.mjs")]


@contextmanager
def counterpart(name: str, log: Path, **options: object) -> Iterator[int]:
    """Run one of the scripts beside this file; the port of 127.0.0.1 that it listens on."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [node(), str(HERE / f"{name}.mjs"), json.dumps(options, default=str)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RuntimeError(f"{name} did not start:\n{log.read_text()}")
        yield int(json.loads(line)["port"])
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()

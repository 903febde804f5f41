"""The benchmark's own virtual environment: the Lambda runtime client, and what the service is compared with."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = Path(__file__).with_name("requirements.txt")
FOLDER = ROOT / "build" / "bench" / "venv"


def python() -> str:
    """The interpreter of the environment in build/bench/venv, which is made when it is not there or out of date."""
    ready = FOLDER / "ready"
    wanted = f"{sys.version}\n{LOCK.read_text()}"
    if not ready.exists() or ready.read_text() != wanted:
        sys.stderr.write(f"installing what the service is compared with into {FOLDER.relative_to(ROOT)}\n")
        _uv("venv", "--clear", "--python", sys.executable, str(FOLDER))
        _uv("pip", "sync", "--python", str(FOLDER), "--require-hashes", "--compile-bytecode", str(LOCK))
        ready.write_text(wanted)
    return str(FOLDER / "bin" / "python")


def _uv(*words: str) -> None:
    environment = {**os.environ, "UV_LINK_MODE": "copy", "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run([sys.executable, "-m", "uv", "--quiet", *words], env=environment, check=True)

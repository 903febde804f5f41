"""Servers that come as Debian packages, not as wheels: MariaDB, PgBouncer. tests/debian.py fetches them."""

import os
import shutil
from pathlib import Path

UNPACKED = Path(__file__).parents[1] / "build" / "debian"
WRAPPED = UNPACKED / "usr" / "wrapped"  # beside usr/share, as /usr/sbin is
SYSTEM = ("/usr/sbin", "/usr/local/sbin", "/sbin")  # not on every user's PATH


def find(name: str) -> Path | None:
    """The program on PATH or where Debian installs servers, else the one that was unpacked here, else None."""
    found = shutil.which(name, path=os.pathsep.join([*os.get_exec_path(), *SYSTEM]))
    unpacked = WRAPPED / name
    return Path(found) if found else unpacked if unpacked.exists() else None


def require(name: str, *, package: str) -> Path:
    """The program, or RuntimeError with the commands that bring it."""
    found = find(name)
    if found is None:
        raise RuntimeError(
            f"{name} is not on this machine: `sudo apt-get install {package}` installs it, or "
            f"`.venv/bin/python -m tests.debian {name} {package}` unpacks it below build/debian, without root"
        )
    return found

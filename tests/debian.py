"""Programs that tests need and no wheel has: where the machine lacks them, unpacked from Debian's packages, once.

Nothing is installed, nothing needs root: `apt-get` downloads what is missing, with lists of its own below build/debian.
"""

import fcntl
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.debian import UNPACKED, WRAPPED, find

TIMEOUT = 300  # seconds for one command of apt-get
SERVERS = ("usr/sbin", "usr/bin", "sbin", "bin")


class NotAvailable(Exception):
    """This machine can't have the program; the message says why."""


def program(name: str, *, package: str) -> Path:
    """The program `name`: the machine's, or the one in Debian's `package`.

    Where there can be none the test is skipped, and where the variable CI is set it fails.
    """
    try:
        return _found_or_fetched(name, package)
    except NotAvailable as error:
        sentence = f"{name} is not on this machine and can't be fetched ({error}): install Debian's package {package}"
        if os.environ.get("CI"):
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)


@functools.cache
def _found_or_fetched(name: str, package: str) -> Path:
    if found := find(name):
        return found
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with (UNPACKED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return find(name) or _fetch(name, package)


def _fetch(name: str, package: str) -> Path:
    missing = [tool for tool in ("apt-get", "dpkg") if shutil.which(tool) is None]
    if missing:
        raise NotAvailable(f"no {' and no '.join(missing)} here")
    archives = UNPACKED / "archives"
    shutil.rmtree(archives, ignore_errors=True)
    for directory in (archives / "partial", UNPACKED / "lists" / "partial"):
        directory.mkdir(parents=True, exist_ok=True)
    _apt("update", check=False)  # of a source that does not answer nothing may be needed
    _apt("install", "--download-only", "--yes", "--no-install-recommends", package)
    for archive in sorted(archives.glob("*.deb")):
        _run(["dpkg", "-x", str(archive), str(UNPACKED)])
    shutil.rmtree(archives)
    return _wrap(name, package)


def _apt(*words: str, check: bool = True) -> None:
    options = {
        "Acquire::Languages": "none",
        "Acquire::Retries": "1",
        "Acquire::http::Timeout": "20",
        "APT::Sandbox::User": "root",  # no other user can read this folder
        "Debug::NoLocking": "1",  # nothing of the machine's is changed
        "Dir::Cache": str(UNPACKED),
        "Dir::State::lists": str(UNPACKED / "lists"),
    }
    settings = [word for option, value in options.items() for word in ("-o", f"{option}={value}")]
    _run(["apt-get", "--quiet", *settings, *words], check=check)


def _run(command: list[str], *, check: bool = True) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise NotAvailable(f"{command[0]} took more than {TIMEOUT} s") from None
    if check and done.returncode != 0:
        raise NotAvailable(f"{command[0]}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")


def _wrap(name: str, package: str) -> Path:
    """A script that starts the unpacked program with the libraries that were unpacked along with it."""
    real = next((path for folder in SERVERS if (path := UNPACKED / folder / name).exists()), None)
    if real is None:
        raise NotAvailable(f"the package {package} has no program {name}")
    libraries = sorted(
        str(path) for pattern in ("usr/lib/*-linux-*", "lib/*-linux-*") for path in UNPACKED.glob(pattern)
    )
    WRAPPED.mkdir(exist_ok=True)
    draft, wrapped = WRAPPED / f".{name}", WRAPPED / name
    draft.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{":".join(libraries)}" exec "{real}" "$@"\n')
    draft.chmod(0o755)
    draft.replace(wrapped)
    return wrapped


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{_found_or_fetched(*sys.argv[1:])}\n")
    except NotAvailable as error:
        sys.exit(str(error))

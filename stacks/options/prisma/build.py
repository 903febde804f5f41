"""Builds the function on Prisma: one file, bundled by esbuild from the registries alone. No CDK here.

`python -m stacks.options.prisma.build` does it and prints where the file is.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from stacks.refusal import see

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "lambda_src" / "prisma"
BUILD = ROOT / "build" / "prisma"
LOCK = "package-lock.json"
NOT_SOURCES = ("node_modules", "generated", "dist", ".gitignore")


class BuildFailed(RuntimeError):
    """The function could not be built; the message says at which step, and what it said."""


def built() -> Path:
    """The folder with the one file that ships, index.mjs: built now, unless these sources were built before."""
    with _alone():
        found = BUILD / "built" / content_hash()
        if not found.is_dir():
            began = time.monotonic()
            _install()
            _bundle(found)
            sys.stderr.write(f"built lambda_src/prisma in {time.monotonic() - began:.1f} s\n")
    return found


def installed() -> Path:
    """The folder whose node_modules has the packages of the lock file: the tests use some that do not ship."""
    with _alone():
        _install()
    return BUILD


def content_hash() -> str:
    """Of everything that decides what is in the file, this recipe included."""
    digest = sha256()
    for path in (Path(__file__), *_sources(SOURCE)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _install() -> None:
    lock = (SOURCE / LOCK).read_bytes()
    stamp = BUILD / "installed"
    if stamp.is_file() and stamp.read_bytes() == lock:
        return
    stamp.unlink(missing_ok=True)
    for name in ("package.json", LOCK):
        shutil.copy(SOURCE / name, BUILD)
    # No package's own script: the one that matters would fetch an engine that nothing here uses.
    _npm(BUILD, "ci", "--ignore-scripts", "--no-audit", "--no-fund", what="install the packages of lambda_src/prisma")
    stamp.write_bytes(lock)


def _bundle(destination: Path) -> None:
    work = BUILD / "work"  # below node_modules, where Node looks for packages
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(SOURCE, work, ignore=shutil.ignore_patterns(*NOT_SOURCES))
    _npm(work, "run", "build", what="build lambda_src/prisma")
    shutil.rmtree(destination.parent, ignore_errors=True)
    destination.parent.mkdir()
    (work / "dist").rename(destination)


def _npm(directory: Path, *words: str, what: str) -> None:
    # The interpreter's folder is where `make setup` puts Node.js if the machine has none.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    npm = shutil.which("npm", path=path)
    if npm is None:
        raise BuildFailed(
            f"could not {what}: there is no npm on this machine; `make setup` installs Node.js; {see('bundling')}"
        )
    command = [npm, *words, "--loglevel=error"]
    result = subprocess.run(
        command, cwd=directory, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        said = (result.stderr + result.stdout).strip()
        raise BuildFailed(
            f"could not {what} (is the npm registry reachable from here?): `{' '.join(words)}` said\n{said}\n"
            f"{see('bundling')}"
        )


@contextmanager
def _alone() -> Iterator[None]:
    """Two builds at once would break each other; the second waits, and finds what the first has built."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sources(directory: Path) -> Iterator[Path]:
    for child in sorted(directory.iterdir()):
        if child.name not in NOT_SOURCES:
            yield from _sources(child) if child.is_dir() else [child]


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{built().relative_to(ROOT)}\n")
    except BuildFailed as error:
        sys.exit(str(error))

"""The zip that ships: wheels for the runtime's platform, lambda_src, and bytecode that Lambda can use. No Docker.

CDK dates every file of a zip 1980, so bytecode that is checked against its source's time is stale and, /var/task being
read-only, compiled again at every cold start; bytecode checked against nothing (unchecked-hash) is used. It must come
from an interpreter of the runtime's own minor version.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import jsii
from aws_cdk import Annotations, AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks import options
from stacks.config import Environment
from stacks.refusal import see
from stacks.runtime import Runtime

SOURCE = Path(__file__).parents[1] / "lambda_src"
REQUIREMENTS = "requirements.txt"  # in lambda_src; a store that ships other packages names its own
# An option in another language has a zip of its own.
NOT_SHIPPED = ("__pycache__", "*.pyc", ".*", "tests", "requirements.txt", *options.parts("stacks.options", "runtime"))
CONTENTS = "contents.txt"
# What Lambda's Amazon Linux 2023 (glibc 2.34) takes; uv takes wheels of older tags with it.
PLATFORMS = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
INSTALLED_BY = (
    "RECORD",
    "REQUESTED",
    "INSTALLER",
    "direct_url.json",
    "uv_cache.json",
)  # about this machine, not the code


class Shipped(NamedTuple):
    """The code of a function, what runs it, and which of it is called."""

    code: lambda_.Code
    runtime: lambda_.Runtime
    handler: str


def shipped(scope: Construct, environment: Environment[Any], handler: str) -> Shipped:
    """A function in Python: every one is in the one zip."""
    runtime = environment.runtime
    name = f"python{runtime.python}"
    code = shipped_code(scope, runtime, getattr(environment.store, "requirements", REQUIREMENTS))
    return Shipped(code, lambda_.Runtime(name, lambda_.RuntimeFamily.PYTHON), handler)


def shipped_code(scope: Construct, runtime: Runtime, requirements: str = REQUIREMENTS) -> lambda_.Code:
    """The code of every function. CDK bundles it once for all of them, and not at all while its hash stays the same."""
    interpreter = interpreter_for(runtime.python)
    if interpreter is None:
        Annotations.of(scope).add_warning_v2(
            "headroom:bundling:no-bytecode",
            f"no Python {runtime.python} on this machine, so the zip holds no bytecode and every cold start compiles "
            f"its modules again (about 1.7 times the work): install one, for instance with "
            f"`uv python install {runtime.python}` or `pyenv install {runtime.python}`; {see('bundling')}",
        )
    return lambda_.Code.from_asset(
        str(SOURCE),
        asset_hash=content_hash(runtime, requirements, bytecode=interpreter is not None),
        asset_hash_type=AssetHashType.CUSTOM,
        bundling=BundlingOptions(image=DockerImage.from_registry("unused"), local=_Local(runtime, requirements)),
    )


def bundle(runtime: Runtime, directory: Path, requirements: str = REQUIREMENTS) -> None:
    """Fill `directory` with what the function finds in /var/task. The same sources give the same bytes."""
    _install(runtime, directory, SOURCE / requirements)
    shutil.copytree(SOURCE, directory / SOURCE.name, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    interpreter = interpreter_for(runtime.python)
    if interpreter is not None:
        _compile(interpreter, directory)
    _list_contents(directory)


def content_hash(runtime: Runtime, requirements: str = REQUIREMENTS, *, bytecode: bool) -> str:
    """Of everything that decides what is in the zip, this recipe included."""
    digest = sha256(f"{runtime.python} {runtime.architecture} {bytecode}\0".encode())
    for path in (Path(__file__), SOURCE / requirements, *_shipped_files(SOURCE)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(SOURCE.parent).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@cache
def interpreter_for(python: str) -> Path | None:
    """An interpreter of this minor version: this one, one of uv's or pyenv's, one on PATH, or None."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    return next((path for path in _interpreters(python) if path.exists() and _runs_as(path, python)), None)


def _interpreters(python: str) -> Iterator[Path]:
    yield from sorted(Path("~/.local/share/uv/python").expanduser().glob(f"cpython-{python}.*/bin/python{python}"))
    yield from sorted(Path("~/.pyenv/versions").expanduser().glob(f"{python}.*/bin/python{python}"))
    for directory in os.get_exec_path():  # last, and all of it: a shim is slow, and may be of nothing (see _runs_as)
        yield Path(directory, f"python{python}")


def _runs_as(path: Path, python: str) -> bool:
    """Whether it runs, and is what its name says: a python3.13 of pyenv's may only say that it is not there."""
    program = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    try:
        result = subprocess.run([path, "-I", "-c", program], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.stdout.split() == ["cpython", python]


def _install(runtime: Runtime, directory: Path, requirements: Path) -> None:
    target = ["--target", str(directory), "--python-platform", PLATFORMS[runtime.architecture]]
    locked = ["--require-hashes", "--only-binary", ":all:", "--requirements", str(requirements)]
    # Copies: a link into uv's cache would let what happens here change the cache.
    quiet = ["--quiet", "--no-compile-bytecode", "--link-mode", "copy", "--python", sys.executable]
    _run([sys.executable, "-m", "uv", "pip", "install", *quiet, *target, "--python-version", runtime.python, *locked])
    (directory / ".lock").unlink(missing_ok=True)
    for name in INSTALLED_BY:
        for path in directory.glob(f"*.dist-info/{name}"):
            path.unlink()
    for tests in directory.glob("*/tests"):
        shutil.rmtree(tests)


def _compile(interpreter: Path, directory: Path) -> None:
    """Write bytecode whose bytes depend on the sources only: Lambda's paths, one process, a fixed hash seed."""
    mode = ["--invalidation-mode", "unchecked-hash", "-q", "-s", str(directory), "-p", "/var/task"]
    _run([str(interpreter), "-m", "compileall", *mode, str(directory)], environment={"PYTHONHASHSEED": "0"})


def _list_contents(directory: Path) -> None:
    """Write every file's name and checksum into the zip, in the form that `sha256sum --check contents.txt` reads."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    lines = [f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(directory).as_posix()}\n" for path in paths]
    (directory / CONTENTS).write_text("".join(lines))


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode != 0:
        said = result.stderr or result.stdout
        raise RuntimeError(f"bundling lambda_src failed at `{' '.join(command)}`:\n{said}\n{see('bundling')}")


def _shipped_files(directory: Path) -> Iterator[Path]:
    ignored = shutil.ignore_patterns(*NOT_SHIPPED)
    children = sorted(directory.iterdir())
    left_out = ignored(str(directory), [child.name for child in children])
    for child in children:
        if child.name not in left_out:
            yield from _shipped_files(child) if child.is_dir() else [child]


@jsii.implements(ILocalBundling)
class _Local:
    def __init__(self, runtime: Runtime, requirements: str) -> None:
        self._runtime = runtime
        self._requirements = requirements

    def try_bundle(self, output_dir: str, *_options: object, **_more: object) -> bool:
        """Called by CDK with an empty directory. True, or an error: there is no Docker image to fall back to."""
        began = time.monotonic()
        bundle(self._runtime, Path(output_dir), self._requirements)
        what = f"lambda_src for Python {self._runtime.python} on {self._runtime.architecture}"
        sys.stderr.write(f"bundled {what} in {time.monotonic() - began:.1f} s\n")
        return True

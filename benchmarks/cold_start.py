"""What an environment's start costs, by how the zip was built: `python -m benchmarks.cold_start`.

Every zip goes through the CDK CLI's own zip code and is unpacked as Lambda does it. The real runtime client starts the
function, which connects to the database; CPU is that of the whole process until it asks for its first event.
"""

import os
import re
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.builds import ordinary, shipped
from benchmarks.data_plane import Proxy, running
from benchmarks.functions import HANDLER, Function, ask, event
from benchmarks.measure import cpu_seconds_of, interleave, ratio, table
from local import resource

SHIPPED = "the zip that ships"
NOTHING = "null handler"


class Start(NamedTuple):
    """What the interpreter says of one start, the first request included."""

    imported: frozenset[str]
    compiled: tuple[str, ...]  # modules of the zip whose source was compiled


def run(rounds: int) -> dict[str, object]:
    """Measure the start of every build."""
    with tempfile.TemporaryDirectory() as temporary, running() as (_, proxy):
        folder = Path(temporary)
        functions = {
            SHIPPED: Function(HANDLER, shipped(folder / "shipped")),
            "pip install -t": Function(HANDLER, ordinary(folder / "pip", boto3=False)),
            "pip install -t, boto3 token": Function(HANDLER, ordinary(folder / "pip-boto3", boto3=True)),
            NOTHING: Function("benchmarks.baselines.nothing.handler"),
        }
        archives = {name: function.task_root.parent / "function.zip" for name, function in functions.items()}
        bytes_of = {name: path.stat().st_size if path.exists() else 0 for name, path in archives.items()}
        starts = {name: observe(function, proxy, folder / "verbose") for name, function in functions.items()}
        measured = {name: _init_cpu(function, proxy, folder / "log") for name, function in functions.items()}
        found = interleave(measured, rounds, title="cold start")
    _print(found, starts, bytes_of)
    return {"cold_start": {name: _plain(found, name, starts[name], bytes_of[name]) for name in functions}}


def observe(function: Function, proxy: Proxy, log: Path) -> Start:
    """Start a function, ask it for a page, and read what the interpreter imported and compiled."""
    log.write_text("")
    with function.start(proxy, log, PYTHONVERBOSE="1") as environment:
        ask(environment, event(f"GET {resource.ROUTE}"))
    return what_was_said(log, function.task_root)


def what_was_said(log: Path, task_root: Path) -> Start:
    """Read the log of a function that ran with PYTHONVERBOSE=1."""
    said, source = log.read_text(errors="replace"), re.escape(str(task_root))
    return Start(
        frozenset(re.findall(r"^import '?([\w.]+)'? #", said, re.MULTILINE)),
        tuple(re.findall(rf"^# code object from '?({source}/[^']+\.py)'?$", said, re.MULTILINE)),
    )


def _init_cpu(function: Function, proxy: Proxy, log: Path) -> Callable[[], float]:
    def measure() -> float:
        with function.start(proxy, log) as environment:
            environment.wait_until_ready()
            return cpu_seconds_of(environment.process.pid)

    return measure


def _print(found: dict[str, list[float]], starts: dict[str, Start], bytes_of: dict[str, int]) -> None:
    rows = [
        (
            name,
            ratio(found[name], found[SHIPPED]),
            f"{1000 * statistics.median(found[name]):.0f}",
            len(starts[name].imported),
            len(starts[name].compiled),
            f"{bytes_of[name] / 1e6:.1f}",
        )
        for name in found
    ]
    header = ("start of an environment", "init CPU, ratio", "ms", "modules", "compiled again", "zip, MB")
    print(f"\n{table(rows, header)}")
    print(f"load average {os.getloadavg()[0]:.1f}")


def _plain(found: dict[str, list[float]], name: str, start: Start, size: int) -> dict[str, object]:
    against = ratio(found[name], found[SHIPPED])
    return {
        "init_cpu_milliseconds_median": round(1000 * statistics.median(found[name]), 1),
        "init_cpu_milliseconds_minimum": round(1000 * min(found[name]), 1),
        "init_cpu_ratio_of_medians": round(against.of_medians, 3),
        "init_cpu_ratio_of_minima": round(against.of_minima, 3),
        "modules_imported": len(start.imported),
        "modules_compiled_again": len(start.compiled),
        "zip_bytes": size,
    }


if __name__ == "__main__":
    os.nice(5)
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 9)

"""Interleaved measurements on a machine that has other work to do."""

import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")

LARGEST_DISAGREEMENT = 0.20  # between the ratio of medians and the ratio of minima, above which nothing is concluded


@dataclass(frozen=True)
class Ratio:
    """How many times the baseline a candidate took: by the medians, and by the minima, which noise touches least."""

    of_medians: float
    of_minima: float

    @property
    def is_sound(self) -> bool:
        """Whether the two agree well enough to conclude anything."""
        return abs(self.of_medians - self.of_minima) <= LARGEST_DISAGREEMENT * self.of_minima

    def __str__(self) -> str:
        """The ratio, or that there is none to be had."""
        shown = f"{self.of_medians:.2f} (by minima {self.of_minima:.2f})"
        return shown if self.is_sound else f"no verdict: {shown}"


def ratio(candidate: Sequence[float], baseline: Sequence[float]) -> Ratio:
    """Compare two series of the same measurement."""
    return Ratio(statistics.median(candidate) / statistics.median(baseline), min(candidate) / min(baseline))


def interleave(candidates: Mapping[str, Callable[[], T]], rounds: int, *, title: str) -> dict[str, list[T]]:
    """Measure every candidate once per round, in an order drawn anew each round; shows progress on a terminal."""
    found: dict[str, list[T]] = {name: [] for name in candidates}
    is_terminal = sys.stderr.isatty()
    for number in range(1, rounds + 1):
        for name in random.sample(list(candidates), len(candidates)):
            load = os.getloadavg()[0]
            if is_terminal:
                sys.stderr.write(f"\r{title}: round {number} of {rounds}, load {load:.1f}, {name:<40.40}")
                sys.stderr.flush()
            found[name].append(candidates[name]())
    if is_terminal:
        sys.stderr.write("\r" + " " * 100 + "\r")
    return found


def cpu_seconds(command: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> float:
    """User and system CPU time of a command and what it waited for; CalledProcessError when it fails."""
    child = subprocess.Popen(
        command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = (child.stdout.read(), child.stdout.close()) if child.stdout else (b"", None)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise subprocess.CalledProcessError(child.returncode, command, output)
    return usage.ru_utime + usage.ru_stime


def cpu_seconds_of(pid: int) -> float:
    """User and system CPU time of a running process so far, all of its threads included."""
    if sys.platform == "linux":
        return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3): to the nanosecond, unlike /proc
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    """Rows under a header, each column as wide as its widest cell; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    numeric = [all(_is_number(row[column]) for row in rows) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(cells[0]), "  ".join("-" * width for width in widths), *map(line, cells[1:])])


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float) or str(cell).replace(".", "", 1).replace("-", "", 1).isdigit()


def surroundings() -> dict[str, str]:
    """The day and the machine of a measurement."""
    return {
        "measured_on": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
    }

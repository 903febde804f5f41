"""The function on Prisma beside Python's, over the same stand-in: `python -m benchmarks prisma`.

Each language has a null handler, which is what its runtime costs: Python's has AWS's own runtime client, Node.js the
one in local/prisma. CPU is that of the whole process; a start is until it asks for its first event.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.builds import shipped
from benchmarks.cdk_zip import zipped
from benchmarks.data_plane import Proxy, running
from benchmarks.functions import HANDLER, Function, ask, event
from benchmarks.measure import cpu_seconds_of, interleave, ratio, table
from local.execution_environment import ExecutionEnvironment
from local.prisma.node import runtime_client
from stacks.options.prisma.build import built

PYTHON, PRISMA = "Python", "Prisma"
NOTHING_IN_PYTHON, NOTHING_IN_NODE = "null handler, Python", "null handler, Node.js"
GET = event("GET /tenants/{tenant}/projects/{id}")
HERE = Path(__file__).parent
DELAY_MS = 40
SAME_ZONE_MS = 1
WARM_UP, COUNTED, REQUESTS = 200, 10, 100  # Node.js compiles what it has run a hundred times


class NodeFunction(NamedTuple):
    """A handler in JavaScript, and the folder that /var/task would be."""

    handler: str
    task_root: Path

    def start(self, proxy: Proxy, log: Path) -> ExecutionEnvironment:
        """An execution environment that is initialising."""
        return ExecutionEnvironment(self.handler, self.task_root, proxy.variables, log, client=runtime_client())


class Times(NamedTuple):
    """What one environment took, in seconds."""

    start_cpu: float
    start: float
    warm_cpu: float
    warm_latency: float


class Counts(NamedTuple):
    """What a function does on the network."""

    first: int  # round trips from the start of the environment to its first answer, TCP's and TLS's included
    warm: float  # for each request
    zip_bytes: int


AnyFunction = Function | NodeFunction


def run(rounds: int) -> dict[str, object]:
    """Count and measure both, and the two floors."""
    with tempfile.TemporaryDirectory() as temporary, running() as (_, proxy):
        folder, log = Path(temporary), Path(temporary, "functions.log")
        functions: dict[str, AnyFunction] = {
            PYTHON: Function(HANDLER, shipped(folder / "python")),
            PRISMA: NodeFunction("index.handler", built()),
            NOTHING_IN_PYTHON: Function("benchmarks.baselines.nothing.handler"),
            NOTHING_IN_NODE: NodeFunction("nothing.handler", HERE),
        }
        sizes = {
            PYTHON: (folder / "python" / "function.zip").stat().st_size,
            PRISMA: zipped(built(), folder / "prisma.zip").stat().st_size,
        }
        counts = {name: _count(each, proxy, log, sizes.get(name, 0)) for name, each in functions.items()}
        measured = {name: _timing(each, proxy, log) for name, each in functions.items()}
        times = interleave(measured, rounds, title="prisma")
    _print(counts, times)
    return {"prisma": {name: _plain(counts[name], times[name], times[PYTHON]) for name in functions}}


def _count(function: AnyFunction, proxy: Proxy, log: Path, zip_bytes: int) -> Counts:
    network = proxy.forwarder
    network.delay_ms = DELAY_MS  # bytes that belong together arrive together
    before = network.connections + network.turns
    with function.start(proxy, log) as environment:
        ask(environment, GET)
        first = network.connections + network.turns - before
        counts = network.count(lambda: _each(environment, COUNTED))
    network.delay_ms = 0
    return Counts(first, counts.turns / COUNTED, zip_bytes)


def _timing(function: AnyFunction, proxy: Proxy, log: Path) -> Callable[[], Times]:
    def measure() -> Times:
        began = time.monotonic()
        with function.start(proxy, log) as environment:
            environment.wait_until_ready()
            start, start_cpu = time.monotonic() - began, cpu_seconds_of(environment.process.pid)
            _each(environment, WARM_UP)
            before = cpu_seconds_of(environment.process.pid)
            _each(environment, REQUESTS)
            warm_cpu = (cpu_seconds_of(environment.process.pid) - before) / REQUESTS
            proxy.forwarder.delay_ms = SAME_ZONE_MS
            latency = _each(environment, REQUESTS)
            proxy.forwarder.delay_ms = 0
        return Times(start_cpu, start, warm_cpu, latency)

    return measure


def _each(environment: ExecutionEnvironment, requests: int) -> float:
    """The median of what a request takes."""
    taken = []
    for _ in range(requests):
        began = time.monotonic()
        ask(environment, GET)
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


def _print(counts: Mapping[str, Counts], times: Mapping[str, Sequence[Times]]) -> None:
    rows = []
    for name, found in times.items():
        count = counts[name]
        ratios = [ratio(_series(found, field), _series(times[PYTHON], field)) for field in Times._fields]
        size = f"{count.zip_bytes / 1e6:.2f}" if count.zip_bytes else "-"
        rows.append((name, size, count.first, f"{count.warm:g}", *ratios))
    header = ("function", "zip, MB", "first", "warm", "CPU of a start", "start", "CPU of a request", "request")
    sys.stdout.write(f"\n{table(rows, header)}\nload average {os.getloadavg()[0]:.1f}\n")


def _series(found: Sequence[Times], field: str) -> list[float]:
    return [getattr(each, field) for each in found]


def _plain(counts: Counts, times: Sequence[Times], baseline: Sequence[Times]) -> dict[str, object]:
    figures: dict[str, object] = {
        "zip_bytes": counts.zip_bytes,
        "round_trips_first_request_counted": counts.first,
        "round_trips_warm_request_counted": counts.warm,
    }
    for field in Times._fields:
        against = ratio(_series(times, field), _series(baseline, field))
        figures |= {
            f"{field}_milliseconds_median": round(1000 * statistics.median(_series(times, field)), 3),
            f"{field}_ratio_of_medians": round(against.of_medians, 3),
            f"{field}_ratio_of_minima": round(against.of_minima, 3),
        }
    return figures

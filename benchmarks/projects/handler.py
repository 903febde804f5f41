"""The service's function beside others that read one project: `python -m benchmarks handler`.

Counts have no noise: round trips, connections, pins, transactions left open. Times are CPU of the whole process and
latency over a network of one millisecond, as ratios to the service's function, which was measured in the same rounds.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from benchmarks.builds import shipped
from benchmarks.data_plane import Proxy, running
from benchmarks.functions import HANDLER, Function, ask, event
from benchmarks.measure import Ratio, cpu_seconds_of, interleave, ratio, table
from local.execution_environment import ExecutionEnvironment
from stacks import options

OURS = "this service"
OTHERS = {
    "boto3 token, psycopg": "benchmarks.projects.baselines.psycopg_shared",
    "connection per request": "benchmarks.projects.baselines.psycopg_per_request",
    "psycopg2 with SELECT 1": "benchmarks.projects.baselines.psycopg2_select_1",
    "pg8000": "benchmarks.projects.baselines.pg8000_shared",
    "null handler": "benchmarks.baselines.nothing",
}
for found in options.parts("benchmarks", "others").values():
    OTHERS |= import_module(found).OTHERS
GET = event("GET /tenants/{tenant}/projects/{id}")
DELAY_MS = 40
SAME_ZONE_MS = 1
WARM_UP = 8  # psycopg prepares what it has sent five times
REQUESTS, COUNTED, SLOPES = 25, 10, 7


class Counts(NamedTuple):
    """What a function does on the network, exactly."""

    first: int  # round trips from the start of the environment to its first answer, TCP's and TLS's included
    warm: float  # turns of direction for each request
    slope: float  # round trips for each request, by how much longer it takes when a round trip takes longer
    connections: float  # opened for each warm request
    left_in_transaction: int
    pinned: int


class Times(NamedTuple):
    """What one environment took, in seconds."""

    init_cpu: float
    warm_cpu: float
    warm_latency: float


def run(rounds: int) -> dict[str, object]:
    """Count and measure every function."""
    with tempfile.TemporaryDirectory() as temporary, running() as (_, proxy):
        log = Path(temporary, "functions.log")
        functions = {OURS: Function(HANDLER, shipped(Path(temporary, "shipped")))}
        functions |= {name: Function(f"{module}.handler") for name, module in OTHERS.items()}
        counts = {name: _count(function, proxy, log) for name, function in functions.items()}
        measured = {name: lambda function=function: _time(function, proxy, log) for name, function in functions.items()}
        times = interleave(measured, rounds, title="functions")
    _print(counts, times)
    return {"functions": {name: _plain(counts[name], times[name], times[OURS]) for name in functions}}


def _count(function: Function, proxy: Proxy, log: Path) -> Counts:
    network = proxy.forwarder
    network.delay_ms = DELAY_MS  # bytes that belong together arrive together
    before = network.connections + network.turns
    with function.start(proxy, log) as environment:
        ask(environment, GET)
        first = network.connections + network.turns - before
        network.delay_ms = 0
        _latency(environment, WARM_UP)
        network.delay_ms = DELAY_MS
        counted = network.count(lambda: _latency(environment, COUNTED))
        slope = _slope(environment, proxy)
        metrics = proxy.metrics()
    return Counts(
        first,
        counted.round_trips / COUNTED,
        slope,
        counted.connections / COUNTED,
        metrics["DatabaseConnectionsCurrentlyInTransaction"],
        metrics["DatabaseConnectionsCurrentlySessionPinned"],
    )


def _slope(environment: ExecutionEnvironment, proxy: Proxy) -> float:
    taken: dict[int, list[float]] = {0: [], DELAY_MS: []}
    for _ in range(SLOPES):
        for delay, found in taken.items():
            proxy.forwarder.delay_ms = delay
            found.append(_latency(environment, 1))
    return 1000 * (min(taken[DELAY_MS]) - min(taken[0])) / DELAY_MS  # what other work takes away only adds


def _time(function: Function, proxy: Proxy, log: Path) -> Times:
    proxy.forwarder.delay_ms = SAME_ZONE_MS
    with function.start(proxy, log) as environment:
        environment.wait_until_ready()
        init_cpu = cpu_seconds_of(environment.process.pid)
        _latency(environment, WARM_UP)
        warm_cpu = cpu_seconds_of(environment.process.pid)
        latency = _latency(environment, REQUESTS)
        warm_cpu = cpu_seconds_of(environment.process.pid) - warm_cpu
    return Times(init_cpu, warm_cpu / REQUESTS, latency)


def _latency(environment: ExecutionEnvironment, requests: int) -> float:
    """The median of some requests, in seconds."""
    moments = [time.perf_counter()]
    for _ in range(requests):
        ask(environment, GET)
        moments.append(time.perf_counter())
    return statistics.median(after - before for before, after in pairwise(moments))


def _ratios(times: Sequence[Times], ours: Sequence[Times]) -> dict[str, Ratio]:
    names = ("init_cpu", "warm_cpu", "warm_latency")
    return {name: ratio([getattr(t, name) for t in times], [getattr(t, name) for t in ours]) for name in names}


def _print(counts: Mapping[str, Counts], times: Mapping[str, Sequence[Times]]) -> None:
    counted = [
        (name, c.first, f"{c.slope:.1f}", f"{c.warm:.1f}", f"{c.connections:.0f}", c.left_in_transaction, c.pinned)
        for name, c in counts.items()
    ]
    header = ("round trips", "first request", "warm, by slope", "warm, counted")
    print(f"\n{table(counted, (*header, 'connections/request', 'left in transaction', 'pinned'))}")
    measured = [(name, *_ratios(found, times[OURS]).values()) for name, found in times.items()]
    print(f"\n{table(measured, ('ratio to this service', 'init CPU', 'CPU/request', 'latency/request'))}")
    print(f"load average {os.getloadavg()[0]:.1f}")


def _plain(counts: Counts, times: Sequence[Times], ours: Sequence[Times]) -> dict[str, object]:
    ratios = {
        f"{name}_ratio_{kind}": round(value, 3)
        for name, found in _ratios(times, ours).items()
        for kind, value in (("of_medians", found.of_medians), ("of_minima", found.of_minima))
    }
    return {
        "round_trips_first_request_counted": counts.first,
        "round_trips_warm_request_by_slope": round(counts.slope, 2),
        "round_trips_warm_request_counted": counts.warm,
        "connections_per_warm_request": counts.connections,
        "left_in_transaction": counts.left_in_transaction,
        "pinned_sessions": counts.pinned,
        "init_cpu_milliseconds_median": round(1000 * statistics.median(t.init_cpu for t in times), 1),
        "cpu_per_request_microseconds_median": round(1e6 * statistics.median(t.warm_cpu for t in times)),
        **ratios,
    }


if __name__ == "__main__":
    os.nice(5)
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 9)

"""What each route of the service costs in round trips: `python -m benchmarks round_trips`.

By slope: how much longer a request takes when a round trip takes 40 ms longer, in units of 40 ms. Counted: how often
the client began to speak after the server did.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.builds import shipped
from benchmarks.data_plane import row_id, running
from benchmarks.forwarder import Forwarder
from benchmarks.functions import HANDLER, Function, ask, event
from benchmarks.measure import table
from local.execution_environment import ExecutionEnvironment

PROJECTS = "/tenants/{tenant}/projects"
DELAY_MS = 40


def run(rounds: int) -> dict[str, object]:
    """Count every route, with `rounds` requests for each slope."""
    with tempfile.TemporaryDirectory() as temporary, running() as (_, proxy):
        function = Function(HANDLER, shipped(Path(temporary, "shipped")))
        network = proxy.forwarder
        network.delay_ms = DELAY_MS
        with function.start(proxy, Path(temporary, "function.log")) as environment:
            ask(environment, event("GET /health"))
            first = network.connections + network.turns
            found = {name: _measure(environment, network, *route, rounds) for name, route in _routes().items()}
    rows = [(name, f"{slope:.2f}", f"{counted:.1f}") for name, (slope, counted) in found.items()]
    header = ("round trips", "by slope", "counted")
    print(f"\n{table([('first request of an environment', '', first), *rows], header)}")
    routes = {
        name: {"round_trips_by_slope": round(slope, 2), "round_trips_counted": counted}
        for name, (slope, counted) in found.items()
    }
    return {"round_trips": {"first_request_counted": first, "warm_requests": routes}}


def _routes() -> dict[str, tuple[Iterator[dict[str, Any]], int]]:
    """Requests without end for each route, and the status of their answers."""
    body = json.dumps({"name": "measured"})
    one = f"{PROJECTS}/{{id}}"
    return {
        "GET /health": (_forever("GET /health"), 200),
        "POST a project": (_forever(f"POST {PROJECTS}", body=body), 201),
        "GET a page of 25": (_forever(f"GET {PROJECTS}"), 200),
        "GET a page of 500": (_forever(f"GET {PROJECTS}", limit="500"), 200),
        "GET a project": (_forever(f"GET {one}"), 200),
        "PATCH a project": (_forever(f"PATCH {one}", body=body), 200),
        "DELETE a project": ((event(f"DELETE {one}", id=row_id(number)) for number in range(100, 1000)), 204),
    }


def _forever(route_key: str, **request: str) -> Iterator[dict[str, Any]]:
    while True:
        yield event(route_key, **request)


def _measure(
    environment: ExecutionEnvironment, network: Forwarder, requests: Iterator[dict[str, Any]], status: int, rounds: int
) -> tuple[float, float]:
    ask(environment, next(requests), status)
    taken: dict[int, list[float]] = {0: [], DELAY_MS: []}
    counted = 0
    for _ in range(rounds):
        for delay, seconds in taken.items():
            network.delay_ms = delay
            turns, started = network.turns, time.perf_counter()
            ask(environment, next(requests), status)
            seconds.append(time.perf_counter() - started)
            counted += network.turns - turns
    slope = 1000 * (min(taken[DELAY_MS]) - min(taken[0])) / DELAY_MS  # what other work takes away only adds
    return slope, counted / (2 * rounds)


if __name__ == "__main__":
    os.nice(5)
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 9)

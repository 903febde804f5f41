"""One phase: so many execution environments at once, one way to PostgreSQL, and what is seen meanwhile."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.spike.clients import Clients
from benchmarks.spike.outcome import Job, Outcome
from benchmarks.spike.surroundings import Surroundings

SAMPLE_SECONDS = 0.1
REQUESTS, THINK_SECONDS = 3, 1.0
REQUESTS_IN_ALL = 3000  # more clients send fewer each: every refused attempt costs a handshake on this machine


@dataclass
class Phase:
    """What came of it. Every sample is seconds since all were let go, client connections, server connections."""

    asked: int
    way: str
    samples: list[tuple[float, int, int]] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)
    rows: int = 0

    @property
    def peak_server_connections(self) -> int:
        """The most connections that PostgreSQL had."""
        return max((server for _, _, server in self.samples), default=0)

    @property
    def requests(self) -> int:
        """What each execution environment sends."""
        return min(REQUESTS, max(1, REQUESTS_IN_ALL // self.asked))

    @property
    def refused(self) -> int:
        """Execution environments that never got a connection."""
        return self.asked - self.outcome.connected

    def figures(self) -> dict[str, Any]:
        """Plain data for build/spike.json."""
        outcome = self.outcome
        return {
            "way": self.way,
            "execution_environments": self.asked,
            "requests_per_execution_environment": self.requests,
            "connected": outcome.connected,
            "refused": self.refused,
            "refused_at_the_first_attempt": outcome.refused,
            "refused_connection_attempts": dict(outcome.refused_attempts),
            "requests_done": outcome.done,
            "requests_failed": outcome.failed,
            "rows_stored": self.rows,
            "peak_server_connections": self.peak_server_connections,
            "connect_p50_ms": percentile(outcome.connect_seconds, 50),
            "connect_p99_ms": percentile(outcome.connect_seconds, 99),
            "request_p50_ms": percentile(outcome.request_seconds, 50),
            "request_p99_ms": percentile(outcome.request_seconds, 99),
            "samples_seconds_clients_servers": [[round(at, 2), *counts] for at, *counts in self.samples],
        }


def run(surroundings: Surroundings, way: str, asked: int, show: Callable[[Phase], None]) -> Phase:
    """Run one phase to its end; `show` is called while it runs. RuntimeError when it takes far too long."""
    patience = 30 + asked // 50  # seconds: here one machine does every party's cryptography
    phase = Phase(asked, way)
    surroundings.empty()
    with surroundings.way(way) as port, Clients(asked, _job(surroundings, port, patience, phase.requests)) as clients:
        clients.begin()
        began = time.monotonic()
        while not clients.is_finished:
            clients.listen(SAMPLE_SECONDS)
            at, phase.outcome = time.monotonic() - began, clients.outcome
            phase.samples.append((at, phase.outcome.open, surroundings.server_connections()))
            show(phase)
            if at > 3 * patience:
                raise RuntimeError(f"{asked} execution environments were not done after {at:.0f} s")
        phase.outcome = clients.end()
    phase.rows = surroundings.rows()
    return phase


def _job(surroundings: Surroundings, port: int, patience: int, requests: int) -> Job:
    return Job(surroundings.variables(port, patience), requests, THINK_SECONDS)


def percentile(seconds: list[float], percent: int) -> float | None:
    """A percentile in milliseconds; None of nothing."""
    if len(seconds) < 2:
        return round(1000 * seconds[0], 1) if seconds else None
    return round(1000 * statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1], 1)

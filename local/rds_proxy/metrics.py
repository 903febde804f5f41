"""What the proxy counts, under CloudWatch's names.

Source: Amazon RDS User Guide, "Monitoring RDS Proxy metrics with Amazon CloudWatch". Counts run from the start of the
process; latencies are averages in microseconds since then.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Average:
    """A running average."""

    count: int = 0
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Add one measurement."""
        self.count += 1
        self.total += seconds

    @property
    def microseconds(self) -> float:
        """The average, 0 while there is no measurement."""
        return round(1e6 * self.total / self.count, 1) if self.count else 0.0


@dataclass(frozen=True)
class PinnedSession:
    """One pinned client: who it is, and what pinned it."""

    client_connection: int
    client: str
    user: str
    database: str
    database_connection: int
    reason: str
    statement: str
    pinned_at: float  # seconds since the epoch


@dataclass
class Metrics:
    """Counters, and the state that the gauges are taken from."""

    counts: Counter[str] = field(
        default_factory=lambda: Counter(
            ClientConnectionsReceived=0,
            ClientConnectionsSetupSucceeded=0,
            ClientConnectionsSetupFailedAuth=0,
            ClientConnectionsClosed=0,
            DatabaseConnectionRequests=0,
            DatabaseConnectionRequestsWithTLS=0,
            DatabaseConnectionsSetupSucceeded=0,
            DatabaseConnectionsSetupFailed=0,
            QueryRequests=0,
            QueryRequestsTLS=0,
            QueryRequestsNoTLS=0,
        )
    )
    borrow_latency: Average = field(default_factory=Average)
    query_response_latency: Average = field(default_factory=Average)
    query_database_response_latency: Average = field(default_factory=Average)
    pinned: dict[int, PinnedSession] = field(default_factory=dict)

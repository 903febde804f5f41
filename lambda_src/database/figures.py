"""What a request cost its database."""

from dataclasses import dataclass
from typing import Any

from lambda_src import embedded_metrics

METRICS = {
    "Connects": "Count",
    "Reconnects": "Count",
    "Retries": "Count",
    "DeadlineExceeded": "Count",
    "ConnectTime": "Milliseconds",
    "QueryTime": "Milliseconds",
}


@dataclass
class Figures:
    """Counts and seconds since the last request was logged; a connect while the function initialises counts as well.

    `sqlstate` is that of the last error, `attempts` counts statements sent.
    """

    attempts: int = 0
    connects: int = 0
    reconnects: int = 0
    retries: int = 0
    deadline_exceeded: int = 0
    connect_seconds: float = 0.0
    query_seconds: float = 0.0
    sqlstate: str | None = None

    def as_log_fields(self) -> dict[str, Any]:
        """Fields for the request's log line, which CloudWatch also reads as metrics. None comes from the request."""
        metrics = {
            "Connects": self.connects,
            "Reconnects": self.reconnects,
            "Retries": self.retries,
            "DeadlineExceeded": self.deadline_exceeded,
            "ConnectTime": round(self.connect_seconds * 1000, 2),
            "QueryTime": round(self.query_seconds * 1000, 2),
        }
        fields = embedded_metrics.as_log_fields(METRICS, metrics)
        return {**fields, "attempts": self.attempts, "sqlstate": self.sqlstate}

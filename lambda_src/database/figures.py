"""What a request cost its database, as one log line that CloudWatch also reads as metrics (embedded metric format)."""

import os
import time
from dataclasses import dataclass
from typing import Any

NAMESPACE = "DatabaseClient"
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
        """Fields for the request's log line. Nothing in them comes from the request.

        Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format".
        """
        metrics = [{"Name": name, "Unit": unit} for name, unit in METRICS.items()]
        directive = {"Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": metrics}
        return {
            "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]},
            "FunctionName": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "unknown"),
            "Connects": self.connects,
            "Reconnects": self.reconnects,
            "Retries": self.retries,
            "DeadlineExceeded": self.deadline_exceeded,
            "ConnectTime": round(self.connect_seconds * 1000, 2),
            "QueryTime": round(self.query_seconds * 1000, 2),
            "attempts": self.attempts,
            "sqlstate": self.sqlstate,
        }

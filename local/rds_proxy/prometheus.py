"""The metrics in Prometheus's text format, under CloudWatch's names in Prometheus's spelling.

`ClientConnections` is `rds_proxy_client_connections`; counts end in `_total`; latencies are summaries in seconds.
Source: Prometheus documentation, "Exposition formats".
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from local.rds_proxy.metrics import Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "rds_proxy_"
AVERAGES = ("DatabaseConnectionsBorrowLatency", "QueryDatabaseResponseLatency", "QueryResponseLatency")


def exposition(snapshot: Mapping[str, Any], metrics: Metrics) -> str:
    """What a Prometheus scrapes."""
    return "\n".join([*_lines(snapshot, metrics), ""])


def _lines(snapshot: Mapping[str, Any], metrics: Metrics) -> Iterator[str]:
    for name, value in snapshot.items():
        is_count = name in metrics.counts
        if isinstance(value, int) and name not in AVERAGES:
            spelled = PREFIX + _snake(name) + ("_total" if is_count else "")
            yield f"# TYPE {spelled} {'counter' if is_count else 'gauge'}"
            yield f"{spelled} {value}"
    latencies = (metrics.borrow_latency, metrics.query_database_response_latency, metrics.query_response_latency)
    for name, latency in zip(AVERAGES, latencies, strict=True):
        spelled = f"{PREFIX}{_snake(name)}_seconds"
        yield f"# TYPE {spelled} summary"
        yield f"{spelled}_sum {latency.total:.6f}"
        yield f"{spelled}_count {latency.count}"
    yield f"# TYPE {PREFIX}pinned_sessions gauge"
    for reason, count in sorted(Counter(session.reason for session in metrics.pinned.values()).items()):
        yield f'{PREFIX}pinned_sessions{{reason="{_escaped(reason)}"}} {count}'


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

"""README.md's table of figures, from docs/figures.json, which `python -m benchmarks.figures` keeps."""

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.runbook.markdown import code, table

Figures = Mapping[str, Any]


def figures(found: Figures) -> str:
    """The table: what was measured, the figure, and the command that measures it again."""
    rows = [
        *(_bench(found["bench"]) if "bench" in found else ()),
        *(_spike(found["spike"]) if "spike" in found else ()),
        *(_drill(found["drill"]) if "drill" in found else ()),
    ]
    days = sorted({f"{part['measured_on']} ({part['machine']})" for part in found.values()})
    return f"{table(('what', 'figure', 'measured by'), rows)}\n\nMeasured on {', '.join(days)}."


def _bench(found: Figures) -> Iterator[tuple[str, str, str]]:
    measured = code("make bench")
    yield "round trips of a warm request", f"{found['round_trips_warm_request']:g}", measured
    yield (
        "the same with boto3's token and psycopg's defaults, and with a new connection for each request",
        f"{found['round_trips_boto3_token']:g} and {found['round_trips_connection_per_request']:g}",
        measured,
    )
    yield "round trips of an environment's first request, TLS and login included", (
        f"{found['round_trips_first_request']:g}"
    ), measured  # fmt: skip
    yield "latency with a new connection for each request, on a network of 1 ms", (
        f"{found['latency_ratio_connection_per_request']:.1f} times ours"
    ), measured  # fmt: skip
    yield "sessions pinned at the proxy", f"{found['pinned_sessions']:g}", measured


def _spike(found: Figures) -> Iterator[tuple[str, str, str]]:
    clients = f"{found['execution_environments']:,} clients on max_connections={found['max_connections']}"
    for way, counts in found["ways"].items():
        yield (
            f"{clients}, {way}: clients without a connection, failed requests, PostgreSQL connections",
            f"{counts['refused']:,}, {counts['requests_failed']:,}, {counts['peak_server_connections']}",
            code("make spike"),
        )


def _drill(found: Figures) -> Iterator[tuple[str, str, str]]:
    yield (
        f"{found['faults']} faults under load, {found['requests']:,} requests: rows lost, rows duplicated",
        f"{found['lost_rows']}, {found['duplicated_rows']}",
        code("make drill"),
    )

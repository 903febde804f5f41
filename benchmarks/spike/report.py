"""The spike's table, its figures as plain data, and its page."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.spike.phase import REQUESTS, THINK_SECONDS, Phase
from benchmarks.spike.surroundings import MAX_CONNECTIONS, POOL_PERCENT

HEADER = (
    *("way", "asked", "connected", "refused", "requests done", "failed"),
    *("peak server connections", "connect p50 ms", "p99 ms", "request p50 ms", "p99 ms"),
)
COLUMNS = (
    *("way", "execution_environments", "connected", "refused", "requests_done", "requests_failed"),
    *("peak_server_connections", "connect_p50_ms", "connect_p99_ms", "request_p50_ms", "request_p99_ms"),
)
POOL = MAX_CONNECTIONS * POOL_PERCENT // 100
EXPLANATION = (
    "Every client is an execution environment: it connects with lambda_src/database, keeps its connection, and sends "
    f"{REQUESTS} transactions (INSERT of one row, as the service does it; fewer where clients are more than 1,000) "
    f"with about {THINK_SECONDS:g} s in between; all arrive at once. PostgreSQL allows {MAX_CONNECTIONS} connections, "
    "3 of them only to superusers. A request that gets no connection tries again up to 3 times before it fails. Here "
    "execution environments are threads in a few processes, since a thousand Python processes are too much for one "
    "machine; what they do to the database is the same. This machine does every party's cryptography on "
    f"{os.cpu_count()} CPUs, and so the times to connect are its own."
)


def rows(phases: Sequence[Phase]) -> list[tuple[object, ...]]:
    """The table's rows; see HEADER."""
    of_each = [phase.figures() for phase in phases]
    return [tuple("-" if each[name] is None else each[name] for name in COLUMNS) for each in of_each]


def figures(phases: Sequence[Phase], functions: dict[str, Any] | None) -> dict[str, Any]:
    """What build/spike.json holds."""
    return {
        "max_connections": MAX_CONNECTIONS,
        "pool_server_connections": POOL,
        "mean_think_seconds": THINK_SECONDS,
        "execution_environments_are": "threads in a few processes, each with one lambda_src.database.Database",
        "phases": [phase.figures() for phase in phases],
        "functions": functions,
    }


def write_page(path: Path, phases: Sequence[Phase], functions: dict[str, Any] | None) -> None:
    """The page: for each number of clients, direct beside pooled."""
    worst = phases[-2] if len(phases) > 1 else phases[0]
    head = f"{worst.asked:,} clients, {MAX_CONNECTIONS} connections"
    body = [f"<h1>{head}: the failure, and its cure</h1>", f"<p>{_story(phases)}</p>"]
    body.append(page.legend([("a", "clients that have a connection"), ("b", "connections that PostgreSQL has")]))
    for direct, pooled in zip(phases[::2], phases[1::2], strict=True):
        seconds = max(phase.samples[-1][0] for phase in (direct, pooled))
        body.append(f"<h2>{direct.asked:,} clients at once</h2>")
        body.append(f'<div class="row">{_plot(direct, seconds)}{_plot(pooled, seconds)}</div>')
    body.append(f"<h2>All figures</h2>{page.table(rows(phases), HEADER)}")
    if functions:
        body.append(f"<h2>With real functions</h2><p>{functions_story(functions)}</p>")
    body.append(f'<h2>What was done</h2><p class="soft">{EXPLANATION}</p>')
    page.write(path, head, "\n".join(body))


def functions_story(functions: dict[str, Any]) -> str:
    """What was seen of the deployed function, as a sentence."""
    statuses = ", ".join(f"{count} × {status}" for status, count in sorted(functions["answers_by_status"].items()))
    return (
        f"{functions['function_processes']} processes of the deployed function, with a reserved concurrency of "
        f"{functions['reserved_concurrency']}, held {functions['server_connections_while_all_wait']} server "
        f"connections. {functions['invocations_at_once']} invocations at once were answered: {statuses}; the first "
        f"answer was {functions['first_answer_status']}."
    )


def _story(phases: Sequence[Phase]) -> str:
    said = []
    for phase in phases:
        sent = phase.outcome.done + phase.outcome.failed
        way = "Directly" if phase.way == "direct" else f"Through the stand-in for RDS Proxy, with {POOL} connections"
        said.append(
            f"{way}, {phase.outcome.connected:,} of {phase.asked:,} got in, and "
            f"{phase.outcome.failed:,} of {sent:,} requests failed."
        )
    return " ".join(said)


def _plot(phase: Phase, seconds: float) -> str:
    way = "Direct" if phase.way == "direct" else "Through the stand-in for RDS Proxy"
    found = (
        f"{phase.outcome.connected:,} in, {phase.outcome.refused:,} refused; {phase.outcome.failed:,} requests failed"
    )
    return page.Plot(
        title=way,
        subtitle=found,
        seconds=seconds,
        top=max(phase.asked, MAX_CONNECTIONS) * 1.05,
        unit="connections over time",
        lines=[
            ("a", [(at, clients) for at, clients, _ in phase.samples]),
            ("b", [(at, servers) for at, _, servers in phase.samples]),
        ],
        limit=(MAX_CONNECTIONS, f"max_connections={MAX_CONNECTIONS}"),
        description=f"{found}; at most {phase.peak_server_connections} server connections",
    ).figure()

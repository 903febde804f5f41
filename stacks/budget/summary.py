"""A budget as tables of words, for documents and for a terminal, and as plain data for programs."""

from dataclasses import asdict
from typing import Any

from stacks.budget.findings import ERROR
from stacks.budget.report import Row, plain_finding
from stacks.budget.rules import judge
from stacks.capacity import ATTEMPTS, RESERVED_SLOTS, UNRESERVED_CONCURRENCY, Budget


def tables(b: Budget) -> dict[str, list[Row]]:
    """Every number of a budget, by what it is about."""
    return {"Connections": _connections(b), "Concurrency and rates": _concurrency(b), "Time": _time(b)}


def _connections(b: Budget) -> list[Row]:
    source = (
        "set in the parameter group"
        if b.plan.max_connections
        else f"planned: 95 % of the {b.estimated_max_connections} estimated for {b.plan.instance} "
        f"({b.instance_class.memory_gib} GiB)"
    )
    shares = ", ".join(f"{each.name} {float(each.busy_share):.0%}" for each in b.plan.workloads)
    return [
        Row("max_connections", str(b.max_connections), source),
        Row("slots", str(b.slots), f"connections that our roles may use: RDS keeps {RESERVED_SLOTS}"),
        Row("administrators", str(b.plan.administrators), "slots that the pool leaves free, at least"),
        Row(
            "max_connections_percent",
            f"{b.max_connections_percent} %",
            f"{_origin(b.plan.max_connections_percent)}; {_safe(b)}",
        ),
        Row("pool", str(b.pool), "server connections that the proxy may open"),
        Row(
            "max_idle_connections_percent",
            f"{b.max_idle_connections_percent} %",
            f"{_origin(b.plan.max_idle_connections_percent)}; {b.idle_connections} connections stay open without work",
        ),
        Row("clients", str(b.clients), "connections of the functions to the proxy, and what pinning all would need"),
        Row(
            "clients_during_deployment",
            str(b.clients_during_deployment),
            "while execution environments of two versions run",
        ),
        Row("busy_mean", f"{b.busy_mean:g}", f"server connections in use at full concurrency ({shares} of the time)"),
        Row("busy_99", str(b.busy_99), "in use at most, 99 % of the time"),
        Row("needed", str(b.needed), "the same with the headroom of 30 % that AWS advises"),
        Row("multiplexing_ratio", f"{b.multiplexing_ratio:.2f}", "clients for each busy server connection"),
        Row("verdict", b.verdict, MEANING[b.verdict]),
    ]


MEANING = {
    "pin-safe": "every session may be pinned, and all still fit",
    "multiplex-dependent": "fits while sessions are not pinned: the alarm on pinned sessions matters",
    "refused": "does not fit",
}


def _concurrency(b: Budget) -> list[Row]:
    quota = b.plan.account_concurrency
    account = (
        "the account's quota is not given"
        if quota is None
        else f"of {b.reservable_concurrency} that an account of {quota} can reserve (less {UNRESERVED_CONCURRENCY})"
    )
    return [
        *(
            Row(
                f"{each.name}.reserved_concurrency", str(each.reserved_concurrency), f"{each.seconds:g} s an invocation"
            )
            for each in b.plan.workloads
        ),
        Row("reserved in all", str(b.reserved_concurrency), account),
        Row("requests_per_second", f"{b.requests_per_second:g}", "what the reserved concurrency can serve"),
        Row("throttle_rate", f"{b.throttle_rate} /s", f"{_origin(b.plan.throttle_rate)}; above it the API answers 429"),
        Row("throttle_burst", str(b.throttle_burst), f"{_origin(b.plan.throttle_burst)}; requests at once"),
    ]


def _time(b: Budget) -> list[Row]:
    borrow, statement = b.plan.connection_borrow_timeout, b.plan.statement_timeout_seconds
    return [
        Row("connect_timeout_seconds", f"{b.connect_timeout} s", "one attempt to connect to the proxy"),
        Row(
            "connection_borrow_timeout",
            f"{b.connection_borrow_timeout} s",
            f"{_origin(borrow)}; then the proxy refuses a client that waits for a server connection",
        ),
        Row(
            "statement_timeout_seconds",
            f"{b.statement_timeout} s",
            f"{_origin(statement)}; then PostgreSQL cancels a statement",
        ),
        Row(
            "deadline_seconds",
            f"{b.deadline} s",
            f"then the function answers 503, whichever of {ATTEMPTS} attempts it is at",
        ),
        Row("longest answer", f"{b.longest_answer} s", "the deadline, and a second for a cold runtime to answer in"),
        Row(
            "retry budget",
            f"{b.retry_budget:g} s",
            f"what {ATTEMPTS} attempts would take at worst, did no deadline end them",
        ),
        Row("timeout_seconds", f"{b.function_timeout} s", "then Lambda ends the function"),
        Row("API", f"{b.api_timeout} s", "then the API gives up"),
        Row("connection_max_age_seconds", f"{b.connection_max_age} s", "then a function opens a new connection"),
        Row(
            "idle_client_timeout",
            f"{b.idle_client_timeout} s",
            f"{_origin(b.plan.idle_client_timeout)}; then the proxy closes a silent client",
        ),
    ]


def _safe(b: Budget) -> str:
    if b.lowest_percent > b.highest_percent:
        return f"none is safe: {b.lowest_percent} % are needed, and {b.highest_percent} % leave room for administrators"
    return f"{b.lowest_percent} to {b.highest_percent} % is safe"


def _origin(value: object) -> str:
    return "derived" if value is None else "set by hand"


def ladder(b: Budget) -> list[tuple[str, int]]:
    """Who gives up after how many seconds, in the order in which it should be."""
    return [
        ("connect", b.connect_timeout),
        ("borrow", b.connection_borrow_timeout),
        ("statement", b.statement_timeout),
        ("deadline", b.deadline),
        ("function", b.function_timeout),
        ("API", b.api_timeout),
    ]


def plain(b: Budget) -> dict[str, Any]:
    """The budget as data: seconds, percentages and counts say in their name what they are."""
    renamed = {
        "instance_class": "instance",
        "pool": "pool_connections",
        "busy_mean": "busy_connections_mean",
        "busy_99": "busy_connections_99_percent",
        "needed": "needed_connections",
        "throttle_rate": "throttle_requests_per_second",
        "connection_max_age": "connection_max_age_seconds",
        "longest_answer": "longest_answer_seconds",
        "deadline": "deadline_seconds",
        "retry_budget": "retry_budget_seconds",
    }
    data = {_key(name, renamed): value for name, value in asdict(b).items() if name != "plan"}
    found = judge(b)
    return {
        "environment": b.plan.environment,
        "holds": not any(each.severity == ERROR for each in found),
        **data,
        "findings": [plain_finding(each) for each in found],
        "inputs": asdict(b.plan),
    }


def _key(name: str, renamed: dict[str, str]) -> str:
    return renamed.get(name, f"{name}_seconds" if name.endswith("_timeout") else name)

"""The runbook's chapter of PostgreSQL on RDS behind RDS Proxy."""

from collections.abc import Sequence

from stacks.capacity import Budget
from stacks.config import RdsPostgres
from stacks.postgres.alarm_plan import busy_threshold, pinned_threshold
from stacks.postgres.runbook_texts import ERRORS, NUMBERS, PAGES
from stacks.runbook.chapter import Chapter, Column
from stacks.runbook.markdown import code

OVERVIEW: Sequence[Column[Budget]] = (
    Column("reserved", lambda b: b.concurrency),
    Column("busy 99 %", lambda b: b.busy_99),
    Column("needed", lambda b: b.needed),
    Column("pool", lambda b: b.pool),
    Column("slots", lambda b: b.slots),
    Column("max_connections", lambda b: b.max_connections),
    Column("verdict", lambda b: b.verdict),
)
# What a page needs to know of each environment.
OF_A_PAGE: dict[str, Sequence[Column[Budget]]] = {
    "Exhaustion": (
        Column("pool", lambda b: b.pool),
        Column("alarm from", busy_threshold),
        Column("free for administrators", lambda b: b.administrator_slots),
        Column("borrow timeout", lambda b: f"{b.connection_borrow_timeout} s"),
        Column("answered 503 after", lambda b: f"{b.deadline} s"),
        Column("highest safe percentage", lambda b: f"{b.highest_percent} %"),
    ),
    "Pinning": (
        Column("pool", lambda b: b.pool),
        Column("alarm from", pinned_threshold),
        Column("needed when all are pinned", lambda b: b.clients),
        Column("verdict", lambda b: b.verdict),
        Column("a frozen environment keeps its session for", lambda b: f"{b.idle_client_timeout} s"),
    ),
    "Throttling": (
        Column("reserved", lambda b: b.concurrency),
        Column("can serve a second", lambda b: f"{b.requests_per_second:g}"),
        Column("throttle", lambda b: f"{b.throttle_rate} a second, {b.throttle_burst} at once"),
        Column("reservable in the account", lambda b: b.reservable_concurrency or "unknown"),
    ),
    "Failover": (
        Column("standby", lambda b: "yes" if b.plan.multi_az else "no: a restore"),
        Column("a request waits for", lambda b: f"{b.connection_borrow_timeout} s at the proxy, {b.deadline} s in all"),
    ),
    "Restore": (
        Column("backups kept for", lambda b: f"{b.plan.backup_retention_days} d"),
        Column("deletion protection", lambda b: "yes" if b.plan.retain else "no"),
    ),
    "Scaling": (
        Column("instance", lambda b: code(b.plan.instance)),
        Column("max_connections", lambda b: b.max_connections),
        Column("comes from", lambda b: "the parameter group" if b.plan.max_connections else "the memory, estimated"),
        Column("vCPUs", lambda b: b.instance_class.vcpus),
    ),
}

CHAPTER = Chapter(
    about="PostgreSQL behind RDS Proxy",
    store=RdsPostgres,
    errors=ERRORS,
    pages={"Numbers": NUMBERS, **PAGES},
    numbers=lambda environment: environment.budget,
    overview=OVERVIEW,
    of_a_page=OF_A_PAGE,
)

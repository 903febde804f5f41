"""docs/runbook.md: what to do, by error text, with the numbers of each environment."""

from collections.abc import Callable, Sequence

from stacks.alarm_plan import busy_threshold, pinned_threshold
from stacks.capacity import Budget
from stacks.config import Environment
from stacks.runbook.markdown import NOTE, code, table
from stacks.runbook.texts import ERRORS, NUMBERS, PAGES

Column = tuple[str, Callable[[Budget], object]]

OVERVIEW: Sequence[Column] = (
    ("reserved", lambda b: b.concurrency),
    ("busy 99 %", lambda b: b.busy_99),
    ("needed", lambda b: b.needed),
    ("pool", lambda b: b.pool),
    ("slots", lambda b: b.slots),
    ("max_connections", lambda b: b.max_connections),
    ("verdict", lambda b: b.verdict),
)
# What a page needs to know of each environment.
OF_A_PAGE: dict[str, Sequence[Column]] = {
    "Exhaustion": (
        ("pool", lambda b: b.pool),
        ("alarm from", busy_threshold),
        ("free for administrators", lambda b: b.administrator_slots),
        ("borrow timeout", lambda b: f"{b.connection_borrow_timeout} s"),
        ("answered 503 after", lambda b: f"{b.deadline} s"),
        ("highest safe percentage", lambda b: f"{b.highest_percent} %"),
    ),
    "Pinning": (
        ("pool", lambda b: b.pool),
        ("alarm from", pinned_threshold),
        ("needed when all are pinned", lambda b: b.clients),
        ("verdict", lambda b: b.verdict),
        ("a frozen environment keeps its session for", lambda b: f"{b.idle_client_timeout} s"),
    ),
    "Throttling": (
        ("reserved", lambda b: b.concurrency),
        ("can serve a second", lambda b: f"{b.requests_per_second:g}"),
        ("throttle", lambda b: f"{b.throttle_rate} a second, {b.throttle_burst} at once"),
        ("reservable in the account", lambda b: b.reservable_concurrency or "unknown"),
    ),
    "Failover": (
        ("standby", lambda b: "yes" if b.plan.multi_az else "no: a restore"),
        ("a request waits for", lambda b: f"{b.connection_borrow_timeout} s at the proxy, {b.deadline} s in all"),
    ),
    "Restore": (
        ("backups kept for", lambda b: f"{b.plan.backup_retention_days} d"),
        ("deletion protection", lambda b: "yes" if b.plan.retain else "no"),
    ),
    "Scaling": (
        ("instance", lambda b: code(b.plan.instance)),
        ("max_connections", lambda b: b.max_connections),
        ("comes from", lambda b: "the parameter group" if b.plan.max_connections else "the memory, estimated"),
        ("vCPUs", lambda b: b.instance_class.vcpus),
    ),
}


def runbook(environments: Sequence[Environment]) -> str:
    """The runbook of these environments."""
    budgets = [environment.budget for environment in environments]
    parts = [
        NOTE,
        "# Runbook",
        "What to do when something goes wrong between the functions and the database, by what they say. "
        "Everything with a number in it is made from stacks/environments.py.",
        _numbers_of(budgets, OVERVIEW, link=True),
        table(
            ["what you see", "where", "page"],
            [[code(text), where, f"[{page}](#{slug(page)})"] for text, where, page in ERRORS],
        ),
        "## Numbers",
        NUMBERS,
    ]
    for title, text in PAGES.items():
        parts += [f"## {title}", text]
        if title in OF_A_PAGE:
            parts.append(_numbers_of(budgets, OF_A_PAGE[title]))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def slug(title: str) -> str:
    """The anchor that Git hosts give a heading."""
    return title.lower().replace(" ", "-")


def _numbers_of(budgets: Sequence[Budget], columns: Sequence[Column], *, link: bool = False) -> str:
    def name(b: Budget) -> str:
        environment = b.plan.environment
        return f"[{environment}](environments/{environment}.md)" if link else environment

    rows = [[name(b), *(str(value(b)) for _, value in columns)] for b in budgets]
    return table(["environment", *(title for title, _ in columns)], rows)

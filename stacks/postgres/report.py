"""What is said of an environment on RDS PostgreSQL: its connection budget, what it can grow to, what it costs."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from stacks.alarm_plan import AlarmPlan
from stacks.budget.costs import per_million_requests
from stacks.budget.findings import ERROR, Finding
from stacks.budget.report import CLIENT, DATABASE, MOST_RESERVED, SERVER, TIME, Bar, Estimate, Growth, Row, growing
from stacks.budget.rules import RULES, judge
from stacks.budget.summary import ladder, plain, tables
from stacks.capacity import PIN_SAFE, REFUSED, Budget
from stacks.config import Environment, concurrency_beside_the_api
from stacks.postgres.alarm_plan import every_alarm_plan
from stacks.postgres.costs import monthly


@dataclass(frozen=True)
class PostgresReport:
    """A stacks.budget.report.Report."""

    environment: Environment
    budget: Budget

    @classmethod
    def of(cls, environment: Environment, changes: Mapping[str, Any]) -> Self:
        """The report, if inputs of the budget were other ones; ValueError for a name or value that is none."""
        of_the_function = {name: value for name, value in changes.items() if name in vars(environment.api)}
        replace(environment.api, **of_the_function)  # refuses what no environment can have
        credentials = changes.get("credentials", environment.store.credentials)
        derived = {"other_concurrency": concurrency_beside_the_api(credentials)}
        return cls(environment, Budget.of(environment.budget.plan.changed(derived | dict(changes))))

    @property
    def verdict(self) -> str:
        """How it fits, in a word."""
        return REFUSED if any(each.severity == ERROR for each in self.findings()) else self.budget.verdict

    @property
    def summary(self) -> str:
        """What its page begins with."""
        b = self.budget
        return (
            f"{b.concurrency} execution environments on `db.{b.plan.instance}` in {self.environment.region}. 99 % of "
            f"the time they use at most {b.busy_99} server connections at once; the plan needs {b.needed}, and the "
            f"pool has {b.pool}: **{b.verdict}**. The [runbook](../runbook.md#numbers) explains the words."
        )

    @property
    def runbook(self) -> str:
        """The document with the pages that its alarms name."""
        return "runbook.md"

    @property
    def left_out(self) -> str:
        """What the estimates leave out."""
        return "Logs, backups beyond the database's size and traffic between zones"

    def tables(self) -> dict[str, list[Row]]:
        """Every number, by what it is about."""
        return tables(self.budget)

    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong with it, errors first."""
        return judge(self.budget)

    def growth(self) -> Growth:
        """What it can grow to."""
        b = self.budget
        question = f"make budget ENV={self.environment.name} SET=reserved_concurrency={2 * b.concurrency}"
        return Growth(
            f"With everything else unchanged, `reserved_concurrency` can be up to {_most(b, fits=False)}, and up to "
            f"{_most(b, fits=True)} with a connection for every session that is pinned. Change it in "
            f"stacks/environments.py and deploy: `cdk synth` refuses what does not fit. Try before: `{question}`.",
            ["reserved_concurrency", "requests a second", "needed", "pool", "verdict", "what must change"],
            [_grown(b, reserved) for reserved in growing(b.concurrency)],
        )

    def alarms(self) -> list[AlarmPlan]:
        """Its alarms."""
        return every_alarm_plan(self.environment, self.budget)

    def estimates(self) -> list[Estimate]:
        """What it costs."""
        (function,) = self.budget.plan.workloads
        return [
            Estimate("each month", monthly(self.environment, self.budget), summed=True),
            Estimate("each million requests", per_million_requests(function.seconds, self.environment.api.memory_mb)),
        ]

    def charts(self) -> dict[str, list[Bar]]:
        """The ladder from clients over the pool to the database's slots, and who gives up after whom."""
        b = self.budget
        whole = b.pool + b.plan.administrators
        connections = [
            Bar("clients", b.clients, str(b.clients), CLIENT),
            Bar("busy on average", b.busy_mean, f"{b.busy_mean:g}", SERVER),
            Bar("busy, 99 % of the time", b.busy_99, str(b.busy_99), SERVER),
            Bar("needed", b.needed, str(b.needed), SERVER),
            Bar("pool", b.pool, f"{b.pool} ({b.max_connections_percent} %)", SERVER),
            Bar("pool and administrators", whole, str(whole), DATABASE),
            Bar("slots", b.slots, str(b.slots), DATABASE),
            Bar("max_connections", b.max_connections, str(b.max_connections), DATABASE),
        ]
        name = b.plan.environment
        return {
            f"{name}: connections ({b.verdict})": connections,
            f"{name}: who gives up after how many seconds": [
                Bar(each, seconds, f"{seconds} s", TIME) for each, seconds in ladder(b)
            ],
        }

    def plain(self) -> dict[str, Any]:
        """Its numbers as data."""
        return plain(self.budget)


def _grown(b: Budget, reserved: int) -> list[str]:
    grown = Budget.of(b.plan.changed({"reserved_concurrency": reserved}))
    errors = [each for each in judge(grown) if each.severity == ERROR]
    change = "; ".join(
        " or ".join(str(repair) for repair in each.repairs if "reserved_concurrency" not in repair.changes)
        or each.sentence
        for each in errors
    )
    return [
        str(reserved),
        f"{grown.requests_per_second:g}",
        str(grown.needed),
        str(grown.pool),
        grown.verdict,
        change or "nothing",
    ]


def _most(b: Budget, *, fits: bool) -> int:
    """The most reserved concurrency that is no error, or with which even pinned sessions fit."""

    def too_many(reserved: int) -> bool:
        grown = Budget.of(b.plan.changed({"reserved_concurrency": reserved}))
        refused = any(rule.severity == ERROR and not rule.holds(grown) for rule in RULES)
        return refused or (fits and grown.verdict != PIN_SAFE)

    return bisect_right(range(1, MOST_RESERVED + 1), False, key=too_many)

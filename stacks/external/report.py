"""What is said of an environment whose database is outside the account: its provider's pool instead of RDS Proxy's."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Self

from stacks.alarm_plan import AlarmPlan
from stacks.budget import prices
from stacks.budget.changes import changed
from stacks.budget.costs import per_million_requests, watching
from stacks.budget.findings import WARNING, Finding
from stacks.budget.plan import HTTP_API_TIMEOUT_SECONDS
from stacks.budget.rates import rate_findings
from stacks.budget.report import CLIENT, SERVER, TIME, Bar, Cost, Estimate, Growth, Row, growing
from stacks.capacity import MULTIPLEX_DEPENDENT, PIN_SAFE
from stacks.config import Environment
from stacks.external.budget import ExternalBudget, external_alarm_plans, workload_of

MEANING = {
    PIN_SAFE: "the pool has a connection for every client",
    MULTIPLEX_DEPENDENT: "fits while the pool shares its connections between transactions",
}


@dataclass(frozen=True)
class ExternalReport:
    """A stacks.budget.report.Report."""

    environment: Environment[Any]
    budget: ExternalBudget

    @classmethod
    def of(cls, environment: Environment[Any], changes: Mapping[str, Any]) -> Self:
        """The report, if inputs were other ones; ValueError with the numbers where the budget does not hold then."""
        if_so = changed(environment, changes)
        return cls(if_so, ExternalBudget.of(if_so))

    @property
    def verdict(self) -> str:
        """How it fits, in a word."""
        return self.budget.verdict

    @property
    def summary(self) -> str:
        """What its page begins with."""
        b = self.budget
        return (
            f"{b.demand.concurrency} execution environments in {self.environment.region} on a database outside the "
            f"account: they keep {b.demand.busy_99} of its connections busy at most, 99 % of the time; the plan needs "
            f"{b.demand.needed}, and {b.pool.name} opens {b.pool.connections} ({b.pool.reason}). **{b.verdict}**. "
            "The words are explained in the [runbook](../runbook.md#numbers)."
        )

    @property
    def runbook(self) -> str:
        """The document with the pages that its alarms name."""
        page: str = self.environment.store.page
        return PurePosixPath(page).relative_to("docs").as_posix()

    @property
    def left_out(self) -> str:
        """What the estimates leave out."""
        return "The provider's own bill, logs and traffic"

    def tables(self) -> dict[str, list[Row]]:
        """Every number, by what it is about."""
        b, api, demand = self.budget, self.environment.api, self.budget.demand
        clients = f"{b.pool.name} lets in {b.pool.clients}" if b.pool.clients else "none stays connected"
        return {
            "Connections": [
                Row("pool", str(b.pool.connections), f"{b.pool.name}: {b.pool.reason}"),
                Row("clients", str(demand.clients), clients),
                Row("clients_during_deployment", str(demand.clients_during_deployment), "while two versions run"),
                Row("busy_mean", f"{float(demand.busy):g}", "connections in use at full concurrency"),
                Row("busy_99", str(demand.busy_99), "in use at most, 99 % of the time"),
                Row("needed", str(demand.needed), "the same with a headroom of 30 %"),
                Row("verdict", b.verdict, MEANING.get(b.verdict, "does not fit")),
            ],
            "Concurrency and rates": [
                Row("reserved_concurrency", str(api.reserved_concurrency), f"{api.seconds:g} s an invocation"),
                Row("requests_per_second", f"{float(demand.requests_per_second):g}", "what it can serve"),
                Row("throttle_rate", f"{b.throttle_rate} /s", "above it the API answers 429"),
                Row("throttle_burst", str(b.throttle_burst), "requests at once"),
            ],
            "Time": [
                Row("connect_timeout_seconds", f"{api.connect_timeout_seconds} s", "one attempt to connect"),
                Row("statement_timeout", f"{b.statement_timeout} s", "then the database cancels a statement"),
                Row("deadline_seconds", f"{b.deadline} s", "then the function answers 503"),
                Row("timeout_seconds", f"{api.timeout_seconds} s", "then Lambda ends the function"),
                Row("API", f"{HTTP_API_TIMEOUT_SECONDS} s", "then the API gives up"),
            ],
        }

    def findings(self) -> tuple[Finding, ...]:
        """What is said at every synth; an environment that does not fit has no report."""
        found = []
        if self.environment.account_concurrency is None:
            sentence = "account_concurrency is not given, and a new account has less than 1000"
            found.append(Finding("B02", WARNING, sentence))
        if "@example." in (self.environment.alarm_address or ""):
            sentence = f"alarm_address is {self.environment.alarm_address}, an example: write your own"
            found.append(Finding("J06", WARNING, sentence))
        return (*found, *rate_findings(workload_of(self.environment), self.budget.throttle_rate))

    def growth(self) -> Growth:
        """What it can grow to."""
        reserved = self.environment.api.reserved_concurrency
        question = f"make budget ENV={self.environment.name} SET=reserved_concurrency={2 * reserved}"
        return Growth(
            "Raise `reserved_concurrency` in stacks/environments.py and deploy: synth refuses what does not fit. Try "
            f"before: `{question}`.",
            ["reserved_concurrency", "needed", "verdict or what must change"],
            list(map(self._grown, growing(reserved))),
        )

    def _grown(self, reserved: int) -> list[str]:
        try:
            grown = ExternalBudget.of(changed(self.environment, {"reserved_concurrency": reserved}))
        except ValueError as refusal:
            return [str(reserved), "", str(refusal).splitlines()[0].removeprefix(f"{self.environment.name}: ")]
        return [str(reserved), str(grown.demand.needed), grown.verdict]

    def alarms(self) -> list[AlarmPlan]:
        """Its alarms."""
        return external_alarm_plans(self.budget, self.environment)

    def estimates(self) -> list[Estimate]:
        """What AWS's side of it costs."""
        store, api = self.environment.store, self.environment.api
        secrets = 1 if store.migrations_secret_name is None else 2
        what = "1 secret" if secrets == 1 else f"{secrets} secrets"
        watched = watching(len(self.alarms()), self.environment.alarm_address)
        return [
            Estimate("each month, without the provider's", [Cost.of(what, secrets, prices.SECRET), *watched], True),
            Estimate("each million requests", per_million_requests(api.seconds, api.memory_mb)),
        ]

    def charts(self) -> dict[str, list[Bar]]:
        """Connections that are asked for and given, and who gives up after whom."""
        b, api, name = self.budget, self.environment.api, self.environment.name
        connections = {"clients": b.demand.clients, "busy, 99 % of the time": b.demand.busy_99}
        pool = {"needed": b.demand.needed, "pool": b.pool.connections}
        times = {
            "connect": api.connect_timeout_seconds,
            "statement": b.statement_timeout,
            "deadline": b.deadline,
            "function": api.timeout_seconds,
            "API": HTTP_API_TIMEOUT_SECONDS,
        }
        return {
            f"{name}: connections ({b.verdict})": [
                *(Bar(each, count, str(count), CLIENT) for each, count in connections.items()),
                *(Bar(each, count, str(count), SERVER) for each, count in pool.items()),
            ],
            f"{name}: who gives up after how many seconds": [
                Bar(each, seconds, f"{seconds} s", TIME) for each, seconds in times.items()
            ],
        }

    def plain(self) -> dict[str, Any]:
        """Its numbers as data."""
        b = self.budget
        return {
            "environment": self.environment.name,
            "holds": True,
            "verdict": b.verdict,
            "pool_connections": b.pool.connections,
            "clients": b.demand.clients,
            "busy_connections_99_percent": b.demand.busy_99,
            "needed_connections": b.demand.needed,
            "throttle_requests_per_second": b.throttle_rate,
            "throttle_burst": b.throttle_burst,
            "deadline_seconds": b.deadline,
            "inputs": {"store": asdict(self.environment.store), "api": asdict(self.environment.api)},
        }

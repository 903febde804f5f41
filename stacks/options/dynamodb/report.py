"""What is said of an environment on DynamoDB: its throughput, what it can grow to, and what it costs. No CDK here."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from stacks.alarm_plan import AlarmPlan
from stacks.budget import prices
from stacks.budget.changes import changed
from stacks.budget.costs import per_million_requests, watching
from stacks.budget.findings import ERROR, Finding
from stacks.budget.plan import HTTP_API_TIMEOUT_SECONDS
from stacks.budget.report import (
    CLIENT,
    DATABASE,
    MOST_RESERVED,
    SERVER,
    TIME,
    Bar,
    Cost,
    Estimate,
    Growth,
    Row,
    growing,
    plain_finding,
)
from stacks.config import Environment
from stacks.options.dynamodb.budget import (
    PARTITION_READ_UNITS,
    PARTITION_SAFE,
    PARTITION_WRITE_UNITS,
    READ_UNITS,
    REFUSED,
    SHORTEST_DEADLINE,
    SPREAD_DEPENDENT,
    WRITE_UNITS,
    Throughput,
)
from stacks.options.dynamodb.store import DynamoDb, table_alarm_plans

MEANING = {
    PARTITION_SAFE: "one tenant may make every request that the API lets through: a partition serves it",
    SPREAD_DEPENDENT: "fits while requests are of several tenants: one alone is throttled by its partition",
    REFUSED: "does not fit",
}
RULES_OF_INSIGHTS = 4  # most accessed and most throttled, by partition key and by both keys


@dataclass(frozen=True)
class TableReport:
    """A stacks.budget.report.Report."""

    environment: Environment[DynamoDb]
    throughput: Throughput

    @classmethod
    def of(cls, environment: Environment[DynamoDb], changes: Mapping[str, Any]) -> Self:
        """The report, if inputs of the environment were other ones; ValueError for a name or value that is none."""
        if_so = changed(environment, changes)
        return cls(if_so, Throughput.of(if_so))

    @property
    def verdict(self) -> str:
        """How it fits, in a word."""
        return self.throughput.verdict

    @property
    def summary(self) -> str:
        """What its page begins with."""
        t, store = self.throughput, self.environment.store
        return (
            f"{self.environment.api.reserved_concurrency} execution environments on a DynamoDB table in "
            f"{self.environment.region}: the API lets {t.throttle_rate} requests a second through, which take up to "
            f"{t.read_units} read or {t.write_units} write units a second; the table gives "
            f"{store.max_read_request_units} and {store.max_write_request_units}. **{t.verdict}**. There are no "
            "connections to count. The words are explained in the [runbook](../runbook.md#throughput)."
        )

    @property
    def runbook(self) -> str:
        """The document with the pages that its alarms name."""
        return "runbook.md"

    @property
    def left_out(self) -> str:
        """What the estimates leave out."""
        return "Logs, traffic, restores, and what contributor insights take for each million events"

    def tables(self) -> dict[str, list[Row]]:
        """Every number, by what it is about."""
        return {"Throughput": self._units(), "Concurrency and rates": self._rates(), "Time": self._time()}

    def _units(self) -> list[Row]:
        t, store = self.throughput, self.environment.store
        recovery = f"{store.recovery_days} d" if store.recovery_days else "off"
        return [
            Row("max_read_request_units", f"{store.max_read_request_units} /s", "above it the table throttles reads"),
            Row("read units needed", f"{t.read_units} /s", f"{READ_UNITS} for each request: a list of 25, consistent"),
            Row(
                "max_write_request_units", f"{store.max_write_request_units} /s", "above it the table throttles writes"
            ),
            Row("write units needed", f"{t.write_units} /s", f"{WRITE_UNITS} for each: a creation, with both indexes"),
            Row("lists of one tenant", f"{PARTITION_READ_UNITS // READ_UNITS} /s", "what its partition can give"),
            Row("creations of one tenant", f"{PARTITION_WRITE_UNITS // WRITE_UNITS} /s", "what its partition can take"),
            Row("recovery_days", recovery, "to any second of them the table can be restored"),
            Row("verdict", t.verdict, MEANING[t.verdict]),
        ]

    def _rates(self) -> list[Row]:
        t, api, throttle = self.throughput, self.environment.api, self.environment.throttle
        return [
            Row("reserved_concurrency", str(api.reserved_concurrency), f"{api.seconds:g} s an invocation"),
            Row("requests_per_second", f"{t.requests_per_second:g}", "what the reserved concurrency can serve"),
            Row("throttle_rate", f"{t.throttle_rate} /s", f"{_origin(throttle.rate)}; above it the API answers 429"),
            Row("throttle_burst", str(t.throttle_burst), f"{_origin(throttle.burst)}; requests at once"),
        ]

    def _time(self) -> list[Row]:
        api = self.environment.api
        return [
            Row("one attempt", f"{SHORTEST_DEADLINE} s", "1 s to connect and 2 s to read, at most; 3 attempts in all"),
            Row("deadline_seconds", f"{api.deadline_seconds} s", "no attempt begins in its last second; then 503"),
            Row("timeout_seconds", f"{api.timeout_seconds} s", "then Lambda ends the function"),
            Row("API", f"{HTTP_API_TIMEOUT_SECONDS} s", "then the API gives up"),
        ]

    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong with it, errors first."""
        return self.throughput.findings()

    def growth(self) -> Growth:
        """What it can grow to."""
        reserved = self.environment.api.reserved_concurrency
        most = bisect_right(range(1, MOST_RESERVED + 1), False, key=lambda count: bool(_errors(self._with(count))))
        safe = bisect_right(
            range(1, MOST_RESERVED + 1), False, key=lambda count: self._with(count).verdict != PARTITION_SAFE
        )
        question = f"make budget ENV={self.environment.name} SET=reserved_concurrency={2 * reserved}"
        return Growth(
            f"With everything else unchanged, `reserved_concurrency` can be up to {most}, and up to {safe} when one "
            "tenant makes all requests. Change it in stacks/environments.py and deploy: `cdk synth` refuses what does "
            f"not fit. Try before: `{question}`.",
            ["reserved_concurrency", "requests a second", "read units", "write units", "verdict", "what must change"],
            list(map(self._grown, growing(reserved))),
        )

    def _with(self, reserved: int) -> Throughput:
        return Throughput.of(changed(self.environment, {"reserved_concurrency": reserved}))

    def _grown(self, reserved: int) -> list[str]:
        grown = self._with(reserved)
        changes = [
            " or ".join(str(repair) for repair in each.repairs if repair.name != "reserved_concurrency")
            for each in _errors(grown)
        ]
        return [
            str(reserved),
            f"{grown.requests_per_second:g}",
            str(grown.read_units),
            str(grown.write_units),
            grown.verdict,
            "; ".join(changes) or "nothing",
        ]

    def alarms(self) -> list[AlarmPlan]:
        """Its alarms."""
        return table_alarm_plans(self.environment)

    def estimates(self) -> list[Estimate]:
        """What it costs: hardly anything for existing, and the rest by the request."""
        api, store = self.environment.api, self.environment.store
        rules = f"contributor insights, {RULES_OF_INSIGHTS} rules"
        insights = [Cost.of(rules, RULES_OF_INSIGHTS, prices.INSIGHTS_RULE)] if store.contributor_insights else []
        recovery = [Cost.of("point-in-time recovery of both", 2, prices.TABLE_RECOVERY)] if store.recovery_days else []
        hour = 3600 / 1_000_000  # in millions of units, of one a second
        reads, writes = store.max_read_request_units, store.max_write_request_units
        return [
            Estimate("each month", [*watching(len(self.alarms()), self.environment.alarm_address), *insights], True),
            Estimate(
                "each million requests",
                [
                    *per_million_requests(api.seconds, api.memory_mb),
                    Cost.of("read units, if they are lists of 25", READ_UNITS, prices.READ_UNITS),
                    Cost.of("write units, if they are creations", WRITE_UNITS, prices.WRITE_UNITS),
                ],
            ),
            Estimate(
                "each GB of projects, a month",
                [Cost.of("table and the copy in ByCreation", 2, prices.TABLE_STORAGE), *recovery],
                True,
            ),
            Estimate(
                "at most each hour, table and GSI1 both at their maximum throughput",
                [
                    Cost.of(f"reads, 2 × {reads} units a second", 2 * reads * hour, prices.READ_UNITS),
                    Cost.of(f"writes, 2 × {writes} units a second", 2 * writes * hour, prices.WRITE_UNITS),
                ],
                True,
            ),
        ]

    def charts(self) -> dict[str, list[Bar]]:
        """Units a second that are asked for and given, and who gives up after whom."""
        t, store, api, name = self.throughput, self.environment.store, self.environment.api, self.environment.name
        times = {
            "one attempt": SHORTEST_DEADLINE,
            "deadline": api.deadline_seconds,
            "function": api.timeout_seconds,
            "API": HTTP_API_TIMEOUT_SECONDS,
        }
        return {
            f"{name}: requests a second": [
                Bar("can be served", t.requests_per_second, f"{t.requests_per_second:g}", SERVER),
                Bar("the API's throttle", t.throttle_rate, str(t.throttle_rate), CLIENT),
            ],
            f"{name}: read units a second ({t.verdict})": _ladder(
                t.read_units, store.max_read_request_units, PARTITION_READ_UNITS
            ),
            f"{name}: write units a second": _ladder(
                t.write_units, store.max_write_request_units, PARTITION_WRITE_UNITS
            ),
            f"{name}: who gives up after how many seconds": [
                Bar(each, seconds, f"{seconds} s", TIME) for each, seconds in times.items()
            ],
        }

    def plain(self) -> dict[str, Any]:
        """Its numbers as data."""
        t, api = self.throughput, self.environment.api
        return {
            "environment": self.environment.name,
            "holds": t.verdict != REFUSED,
            "verdict": t.verdict,
            "requests_per_second": t.requests_per_second,
            "throttle_requests_per_second": t.throttle_rate,
            "throttle_burst": t.throttle_burst,
            "needed_read_units_per_second": t.read_units,
            "needed_write_units_per_second": t.write_units,
            "partition_read_units_per_second": PARTITION_READ_UNITS,
            "partition_write_units_per_second": PARTITION_WRITE_UNITS,
            "findings": [plain_finding(each) for each in self.findings()],
            "inputs": {"store": asdict(self.environment.store), "api": asdict(api)},
        }


def _ladder(needed: int, most: int, partition: int) -> list[Bar]:
    return [
        Bar("needed at the throttle", needed, str(needed), CLIENT),
        Bar("alarm", most * 8 // 10, f"{most * 8 // 10} (80 %)", SERVER),
        Bar("maximum throughput", most, str(most), SERVER),
        Bar("one tenant's partition", partition, str(partition), DATABASE),
    ]


def _errors(throughput: Throughput) -> list[Finding]:
    return [each for each in throughput.findings() if each.severity == ERROR]


def _origin(value: object) -> str:
    return "derived" if value is None else "set by hand"

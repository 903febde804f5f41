"""Whether a table serves what the API of its environment lets through: throughput instead of connections. No CDK here.

Sources: Amazon DynamoDB Developer Guide, "Read and write operations", "On-demand capacity mode", "Designing partition
keys"; what a request of the service costs is counted by tests/dynamodb/test_costs.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from stacks.budget.findings import ERROR, NOTE, WARNING, Finding, Repair, in_order, refuse_findings
from stacks.budget.plan import HTTP_API_TIMEOUT_SECONDS, Workload
from stacks.budget.rates import rate_findings
from stacks.capacity import ANSWER_SECONDS, UNRESERVED_CONCURRENCY, Demand
from stacks.config import Environment, Function
from stacks.options.dynamodb.store import MOST_UNITS, DynamoDb

# The dearest usual requests. A creation writes the item, its copy in ByCreation, and its keys in GSI1.
READ_UNITS, WRITE_UNITS = 3, 3  # a list of 25; a creation
# Seconds, of lambda_src/dynamodb/table.py; a test compares them.
SHORTEST_DEADLINE = 3  # one attempt
LATE_SECONDS = 2  # from the deadline to the end of an attempt that began as late as one may
# A tenant's items have one partition key, and a local index keeps them in one partition.
PARTITION_READ_UNITS, PARTITION_WRITE_UNITS = 3000, 1000
# What a new table serves at once; later, twice its earlier peak.
NEW_READ_UNITS, NEW_WRITE_UNITS = 12_000, 4_000

PARTITION_SAFE = "partition-safe"  # one tenant may make all requests
SPREAD_DEPENDENT = "spread-dependent"  # fits as long as requests come from several tenants
REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """What the API lets through, a second and at once, and the units a second that it takes of the table."""

    environment: Environment[DynamoDb]
    requests_per_second: float  # that the function can serve
    throttle_rate: int
    throttle_burst: int

    @classmethod
    def of(cls, environment: Environment[DynamoDb]) -> Self:
        """The throughput of an environment, whether its table serves it or not."""
        demand = Demand.of(_workload(environment.api))
        return cls(
            environment=environment,
            requests_per_second=float(demand.requests_per_second),
            throttle_rate=environment.throttle.rate or demand.throttle_rate,
            throttle_burst=environment.throttle.burst or demand.throttle_burst,
        )

    @property
    def read_units(self) -> int:
        """A second, if all requests are lists of 25."""
        return READ_UNITS * self.throttle_rate

    @property
    def write_units(self) -> int:
        """A second, if all requests are creations."""
        return WRITE_UNITS * self.throttle_rate

    @property
    def verdict(self) -> str:
        """Whether the table serves it, and whoever asks."""
        if any(each.severity == ERROR for each in self.findings()):
            return REFUSED
        fits = self.read_units <= PARTITION_READ_UNITS and self.write_units <= PARTITION_WRITE_UNITS
        return PARTITION_SAFE if fits else SPREAD_DEPENDENT

    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong, errors first."""
        return in_order(
            [
                *self._of_the_table(),
                *self._of_the_deadline(),
                *self._of_the_function(),
                *rate_findings(_workload(self.environment.api), self.throttle_rate),
                *self._of_production(),
            ]
        )

    def _of_the_table(self) -> Iterator[Finding]:
        store = self.environment.store
        reads, writes = store.max_read_request_units, store.max_write_request_units
        yield from self._too_little("T01", "max_read_request_units", reads, READ_UNITS, "a list of 25")
        yield from self._too_little("T02", "max_write_request_units", writes, WRITE_UNITS, "a creation")
        if self.read_units > NEW_READ_UNITS or self.write_units > NEW_WRITE_UNITS:
            yield Finding(
                "T04",
                WARNING,
                f"{self.throttle_rate} requests a second need {self.read_units} read or {self.write_units} write units "
                f"but a new table serves {NEW_READ_UNITS} and {NEW_WRITE_UNITS} at once, and later twice its peak: let "
                "traffic grow over half an hour, or give the table warm throughput",
            )

    def _too_little(self, id: str, name: str, most: int, each: int, request: str) -> Iterator[Finding]:
        needed = each * self.throttle_rate
        if most >= needed:
            return
        repairs = [Repair(name, needed, most)] if needed <= MOST_UNITS else []
        if most >= each:
            repairs.append(Repair("throttle_rate", most // each, self.throttle_rate))
        sentence = (
            f"{self.throttle_rate} requests a second that the API lets through × {each} units ({request}) need "
            f"{needed} units but {name} is {most}"
        )
        yield Finding(id, ERROR, sentence, tuple(repairs))

    def _of_the_deadline(self) -> Iterator[Finding]:
        timeout, deadline = self.environment.api.timeout_seconds, self.environment.api.deadline_seconds
        if deadline < SHORTEST_DEADLINE:
            yield Finding(
                "T03",
                ERROR,
                f"deadline_seconds is {deadline}, and one attempt of DynamoDB's client takes up to "
                f"{SHORTEST_DEADLINE} s",
                (Repair("deadline_seconds", SHORTEST_DEADLINE, deadline),),
            )
        after = LATE_SECONDS + ANSWER_SECONDS
        if deadline + after > timeout:
            longer = [Repair("timeout_seconds", deadline + after, timeout)]
            sooner = [Repair("deadline_seconds", timeout - after, deadline)]
            yield Finding(
                "T05",
                ERROR,
                f"timeout_seconds is {timeout}, and a request takes up to {deadline + after} s: deadline_seconds is "
                f"{deadline}, an attempt that began before it takes up to {LATE_SECONDS} s more, and the answer "
                f"{ANSWER_SECONDS} s",
                (
                    *(longer if deadline + after < HTTP_API_TIMEOUT_SECONDS else ()),
                    *(sooner if timeout - after >= SHORTEST_DEADLINE else ()),
                ),
            )

    def _of_the_function(self) -> Iterator[Finding]:
        api, quota = self.environment.api, self.environment.account_concurrency
        if quota is None:
            yield Finding("B02", WARNING, "account_concurrency is not given, and a new account has less than 1000")
        elif (left := max(0, quota - UNRESERVED_CONCURRENCY)) < api.reserved_concurrency:
            lower = [Repair("reserved_concurrency", left, api.reserved_concurrency)] if left > 0 else []
            yield Finding(
                "B01",
                ERROR,
                f"{api.reserved_concurrency} reserved are more than the {left} that an account of {quota} can reserve, "
                f"since Lambda keeps {UNRESERVED_CONCURRENCY}",
                (*lower, Repair("account_concurrency", api.reserved_concurrency + UNRESERVED_CONCURRENCY, quota)),
            )

    def _of_production(self) -> Iterator[Finding]:
        environment = self.environment
        severity = ERROR if environment.name == "prod" else NOTE
        if not environment.retain:
            sentence = "retain is False: a deleted stack deletes the data"
            yield Finding("F02", severity, sentence, (Repair("retain", True, False),))
        if environment.store.recovery_days < 7:
            days = environment.store.recovery_days
            yield Finding(
                "F04", severity, f"recovery_days is {days}, less than a week", (Repair("recovery_days", 7, days),)
            )
        if environment.alarm_address is None:
            yield Finding("J06", severity, "alarm_address is not given: no alarm is sent to anybody")
        elif "@example." in environment.alarm_address:
            sentence = f"alarm_address is {environment.alarm_address}, an example: write your own"
            yield Finding("J06", WARNING, sentence)


def _workload(api: Function) -> Workload:
    """How long of it is in the database says nothing here: there is no connection to share."""
    return Workload(
        reserved_concurrency=api.reserved_concurrency,
        seconds=api.seconds,
        seconds_in_database=api.seconds,
        requests_per_second=api.requests_per_second,
    )


def refuse_throughput(throughput: Throughput) -> None:
    """Raise ValueError with everything that does not hold, unless nothing does not."""
    refuse_findings(throughput.environment.name, throughput.findings(), "throughput")

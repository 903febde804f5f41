"""The store DynamoDb in an environment, and whether its table serves what the API lets through. No CDK here."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

from stacks.alarm_plan import TABLE, AlarmPlan, api_alarms, function_alarms
from stacks.capacity import BURST_FOR_EACH, THROTTLE_SHARE
from stacks.config import Environment
from stacks.plan import Workload
from stacks.refusal import above, flag, one_of, refuse, whole

PAGE = "docs/options/dynamodb.md"  # has a section for each alarm's page
ENCRYPTION = ("aws_owned", "aws_managed")
SHORTEST_DEADLINE = 3  # seconds: one attempt of lambda_src/projects/dynamodb_table.py, a test compares the two
# What the dearest usual request costs, counted by tests/runtime/test_dynamodb_costs.py.
READ_UNITS, WRITE_UNITS = 3, 3  # a list of 25; a creation, indexes included


@dataclass(frozen=True, kw_only=True)
class DynamoDb:
    """One table, paid by the request, instead of a database: no VPC, no proxy, no connections.

    `max_read_request_units` and `max_write_request_units` (a second) are a fuse against cost: what is beyond them is
    throttled. `recovery_days` is how far back it can be restored to any second; 0 turns that off. `encryption` is
    with a key of DynamoDB's own, or with the account's key for DynamoDB, whose use is billed and in CloudTrail.
    Source: Amazon DynamoDB Developer Guide, "DynamoDB maximum throughput for on-demand tables".
    """

    max_read_request_units: int
    max_write_request_units: int
    recovery_days: int = 35
    encryption: str = "aws_owned"
    contributor_insights: bool = True

    def __post_init__(self) -> None:
        refuse(
            "DynamoDb",
            [
                whole("max_read_request_units", self.max_read_request_units, 1, 40000, "a second"),
                whole("max_write_request_units", self.max_write_request_units, 1, 40000, "a second"),
                whole("recovery_days", self.recovery_days, 0, 35, "days"),
                one_of("encryption", self.encryption, ENCRYPTION),
                flag("contributor_insights", self.contributor_insights),
            ],
        )


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """What the API of such an environment lets through: requests a second, and how many at once."""

    throttle_rate: int
    throttle_burst: int

    @classmethod
    def of(cls, environment: Environment[DynamoDb]) -> Self:
        """The throttle that the environment gives, or the one that its function can serve.

        Raises ValueError where the table may do less than that, with the numbers.
        """
        api = environment.api
        function = Workload(reserved_concurrency=api.reserved_concurrency, seconds=api.seconds)
        rate = max(1, min(10000, math.floor(THROTTLE_SHARE * function.most_requests_per_second)))
        found = cls(
            throttle_rate=environment.throttle.rate or rate,
            throttle_burst=environment.throttle.burst or min(5000, BURST_FOR_EACH * api.reserved_concurrency),
        )
        refuse(environment.name, found._problems(environment))
        return found

    def _problems(self, environment: Environment[DynamoDb]) -> list[str | None]:
        store, deadline = environment.store, environment.api.deadline_seconds
        return [
            self._too_little("max_read_request_units", store.max_read_request_units, READ_UNITS, "a list of 25"),
            self._too_little("max_write_request_units", store.max_write_request_units, WRITE_UNITS, "a creation"),
            f"api.deadline_seconds is {deadline}, allowed is {SHORTEST_DEADLINE} and more with DynamoDB: raise it, or "
            "no attempt fits into it"
            if above(SHORTEST_DEADLINE, deadline)
            else None,
        ]

    def _too_little(self, name: str, most: int, each: int, request: str) -> str | None:
        needed = each * self.throttle_rate
        if most >= needed:
            return None
        return (
            f"{self.throttle_rate} requests a second that the API lets through × {each} units ({request}) need "
            f"{needed} units but store.{name} is {most}: raise it to {needed}, or set throttle.rate to {most // each}"
        )


def table_alarm_plans(environment: Environment[DynamoDb]) -> list[AlarmPlan]:
    """All alarms of such an environment, in the order of the path from the API to the table."""
    api = environment.api
    function = function_alarms(api.reserved_concurrency, api.deadline_seconds, environment.account_concurrency)
    around = [replace(each, page="when-it-fails") for each in (*api_alarms(), *function)]
    return [*around, *_throughput("Read", environment.store.max_read_request_units),
            *_throughput("Write", environment.store.max_write_request_units), *_table()]  # fmt: skip


def _throughput(kind: str, most: int) -> Iterator[AlarmPlan]:
    yield AlarmPlan(
        id=f"Table{kind}Throttles", about=TABLE, metric=f"{kind}ThrottleEvents", statistic="Sum", threshold=0,
        minutes=3, page="when-it-is-throttled",
        why=f"requests are throttled: beyond max_{kind.lower()}_request_units={most}, or one tenant beyond a partition",
    )  # fmt: skip
    yield AlarmPlan(
        id=f"Table{kind}Units", about=TABLE, metric=f"Consumed{kind}CapacityUnits", statistic="Sum",
        threshold=60 * most * 8 // 10, page="when-it-is-throttled",
        why=f"80 % of max_{kind.lower()}_request_units={most} are used (units a minute)",
    )  # fmt: skip


def _table() -> Iterator[AlarmPlan]:
    yield AlarmPlan(
        id="TableErrors", about=TABLE, metric="SystemErrors", statistic="Sum", threshold=0, minutes=3,
        page="when-it-fails", why="DynamoDB itself fails (AWS's recommendation)",
    )  # fmt: skip

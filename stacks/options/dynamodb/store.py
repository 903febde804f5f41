"""The store DynamoDb in an environment, and what is alarmed of its table. No CDK here."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from stacks.alarm_plan import TABLE, AlarmPlan, api_alarms, function_alarms
from stacks.config import Environment
from stacks.refusal import flag, one_of, refuse, whole

ENCRYPTION = ("aws_owned", "aws_managed")
MOST_UNITS = 40_000  # a second: DynamoDB's default quota of a table
FUNCTION_PAGES = {"exhaustion": "table-failure"}  # an alarm of the function means something else before a table


@dataclass(frozen=True, kw_only=True)
class DynamoDb:
    """One table, paid by the request, instead of a database: no VPC, no proxy, no connections.

    `max_read_request_units` and `max_write_request_units` (a second) are a fuse against cost: what is beyond them is
    throttled. `recovery_days` is how far back it can be restored to any second; 0 turns that off. `encryption` is
    with a key of DynamoDB's own, or with the account's key for DynamoDB, whose use is billed and in CloudTrail.
    Source: Amazon DynamoDB Developer Guide, "DynamoDB maximum throughput for on-demand tables".
    """

    stacks: ClassVar[str] = "stacks.options.dynamodb.stacks:STACKS"
    report: ClassVar[str] = "stacks.options.dynamodb.report:TableReport"
    code: ClassVar[str] = "lambda_src.dynamodb.store"

    max_read_request_units: int
    max_write_request_units: int
    recovery_days: int = 35
    encryption: str = "aws_owned"
    contributor_insights: bool = True

    def __post_init__(self) -> None:
        refuse(
            "DynamoDb",
            [
                whole("max_read_request_units", self.max_read_request_units, 1, MOST_UNITS, "a second"),
                whole("max_write_request_units", self.max_write_request_units, 1, MOST_UNITS, "a second"),
                whole("recovery_days", self.recovery_days, 0, 35, "days"),
                one_of("encryption", self.encryption, ENCRYPTION),
                flag("contributor_insights", self.contributor_insights),
            ],
        )


def table_alarm_plans(environment: Environment[DynamoDb]) -> list[AlarmPlan]:
    """All alarms of such an environment, in the order of the path from the API to the table."""
    api = environment.api
    common = [
        *api_alarms(api.deadline_seconds),
        *function_alarms(api.reserved_concurrency, api.deadline_seconds, environment.account_concurrency),
    ]
    around = [replace(each, page=FUNCTION_PAGES.get(each.page, each.page)) for each in common]
    return [*around, *_throughput("Read", environment.store.max_read_request_units),
            *_throughput("Write", environment.store.max_write_request_units), *_table()]  # fmt: skip


def _throughput(kind: str, most: int) -> Iterator[AlarmPlan]:
    yield AlarmPlan(
        id=f"Table{kind}Throttles", about=TABLE, metric=f"{kind}ThrottleEvents", statistic="Sum", threshold=0,
        minutes=3, page="table-throttling",
        why=f"requests are throttled: beyond max_{kind.lower()}_request_units={most}, or one tenant beyond a partition",
    )  # fmt: skip
    yield AlarmPlan(
        id=f"Table{kind}Units", about=TABLE, metric=f"Consumed{kind}CapacityUnits", statistic="Sum",
        threshold=60 * most * 8 // 10, page="table-throttling",
        why=f"80 % of max_{kind.lower()}_request_units={most} are used (units a minute)",
    )  # fmt: skip


def _table() -> Iterator[AlarmPlan]:
    yield AlarmPlan(
        id="TableErrors", about=TABLE, metric="SystemErrors", statistic="Sum", threshold=0, minutes=3,
        page="table-failure", why="DynamoDB itself fails (AWS's recommendation)",
    )  # fmt: skip

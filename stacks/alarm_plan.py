"""What an alarm is, and those of the API and the function whatever is behind them: for stacks and documents, no CDK.

Thresholds that are AWS's own recommendation say so. Source: Amazon CloudWatch User Guide, "Recommended alarms".
"""

from collections.abc import Iterator
from dataclasses import dataclass

# What a metric is about; stacks/metrics.py has the namespace of each.
PROXY, TARGET, DATABASE, FUNCTION, ACCOUNT, API = "proxy", "proxy's target", "database", "function", "account", "API"
TABLE, TABLE_INDEX = "table", "table's index"
CLIENT = "database client"  # what functions log of their connections: lambda_src/database/figures.py


@dataclass(frozen=True, kw_only=True)
class AlarmPlan:
    """One alarm: when `statistic` of `metric` over a minute is beyond `threshold` in `minutes` of the last `of`.

    `below` says on which side of the threshold it is too much. `page` is the runbook's, `why` ends a sentence that
    begins with the metric.
    """

    id: str
    about: str
    metric: str
    statistic: str
    threshold: float
    below: bool = False
    minutes: int = 5
    of: int = 5
    page: str
    why: str

    @property
    def condition(self) -> str:
        """The condition in words."""
        return f"{self.statistic} {'<' if self.below else '>'} {self.threshold:,}, {self.minutes} of {self.of} min"


def api_alarms(deadline: int) -> Iterator[AlarmPlan]:
    """Those of the API, whatever is behind it; `deadline` is the function's, in seconds."""
    yield AlarmPlan(
        id="ApiServerErrors", about=API, metric="5xx", statistic="Average", threshold=0.05, minutes=3, of=3,
        page="exhaustion", why="5 % of the requests fail (AWS's recommendation)",
    )  # fmt: skip
    yield AlarmPlan(
        id="ApiClientErrors", about=API, metric="4xx", statistic="Average", threshold=0.05,
        page="throttling", why="5 % of the requests are refused (AWS's recommendation)",
    )  # fmt: skip
    yield AlarmPlan(
        id="ApiLatency", about=API, metric="Latency", statistic="p90", threshold=max(2500, 800 * deadline),
        page="exhaustion",
        why="a tenth of the callers wait for so many milliseconds (AWS's recommendation, or 80 % of a longer deadline)",
    )  # fmt: skip


def function_alarms(concurrency: int, deadline: int, account_concurrency: int | None) -> Iterator[AlarmPlan]:
    """Those of the function, whatever its database is; `deadline` is in seconds."""
    yield AlarmPlan(
        id="FunctionErrors", about=FUNCTION, metric="Errors", statistic="Sum", threshold=0, minutes=3,
        page="exhaustion", why="the function fails instead of answering, which it does (503) even without a database",
    )  # fmt: skip
    yield AlarmPlan(
        id="FunctionThrottles", about=FUNCTION, metric="Throttles", statistic="Sum", threshold=0,
        page="throttling", why="the reserved concurrency is used up (AWS's recommendation)",
    )  # fmt: skip
    yield AlarmPlan(
        id="FunctionConcurrency", about=FUNCTION, metric="ConcurrentExecutions", statistic="Maximum",
        threshold=share(concurrency, 90), page="throttling", why="90 % of the reserved concurrency are in use",
    )  # fmt: skip
    yield AlarmPlan(
        id="FunctionDuration", about=FUNCTION, metric="Duration", statistic="p90", threshold=700 * deadline,
        page="exhaustion", why="a tenth of the requests use up 70 % of their deadline (milliseconds)",
    )  # fmt: skip
    if account_concurrency is not None:
        yield AlarmPlan(
            id="AccountConcurrency", about=ACCOUNT, metric="ClaimedAccountConcurrency", statistic="Maximum",
            threshold=share(account_concurrency, 90), page="throttling",
            why="90 % of the account's concurrency are claimed (AWS's recommendation)",
        )  # fmt: skip


def share(whole: int, percent: int) -> int:
    """So many percent of it, rounded down."""
    return whole * percent // 100

"""A dashboard for a database outside the account: what CloudWatch knows of it is what the functions log."""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.alarm_plan import API, CLIENT, FUNCTION
from stacks.alarms import Alarms
from stacks.config import Environment
from stacks.dashboard import graph
from stacks.external_budget import ExternalBudget
from stacks.metrics import Metrics


class ExternalDashboard(Construct):
    """Rows: alarms, traffic, functions, connections, errors."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        metrics: Metrics,
        alarms: Alarms,
        budget: ExternalBudget,
        environment: Environment[Any],
    ) -> None:
        super().__init__(scope, id)
        self._metric = metrics.metric
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            default_interval=Duration.hours(3),
            widgets=[
                [cloudwatch.AlarmStatusWidget(alarms=alarms.alarms, width=24, height=3)],
                *self._around(budget, environment),
                *self._database(budget),
            ],
        )

    def _around(self, budget: ExternalBudget, environment: Environment[Any]) -> list[list[cloudwatch.IWidget]]:
        metric, percentiles = self._metric, ("p50", "p90", "p99")
        served = float(budget.demand.requests_per_second)
        return [
            [
                graph(
                    "Requests a minute",
                    [metric(API, "Count", "Sum", "requests")],
                    [(60 * budget.throttle_rate, "the API's throttle"), (60 * served, "all can serve")],
                ),
                graph(
                    "Latency, ms",
                    [metric(API, "Latency", each, each) for each in percentiles],
                    [(1000 * budget.deadline, "deadline of a request")],
                ),
            ],
            [
                graph(
                    "Function: environments in use",
                    [metric(FUNCTION, "ConcurrentExecutions", "Maximum", "in use")],
                    [(budget.demand.concurrency, "reserved")],
                ),
                graph(
                    "Function: duration, ms",
                    [metric(FUNCTION, "Duration", each, each) for each in percentiles],
                    [(1000 * environment.api.seconds, "planned average")],
                ),
            ],
        ]

    def _database(self, budget: ExternalBudget) -> list[list[cloudwatch.IWidget]]:
        metric = self._metric
        return [
            [
                graph(
                    "Database, as functions see it: connections and attempts",
                    [metric(CLIENT, each, "Sum", each) for each in ("Connects", "Reconnects", "Retries")],
                ),
                graph(
                    "Database, as functions see it: ms",
                    [metric(CLIENT, each, "p90", each) for each in ("ConnectTime", "QueryTime")],
                    [(1000 * budget.deadline, "deadline of a request")],
                ),
            ],
            [
                graph("API: share of 5xx and 4xx", [metric(API, each, "Average", each) for each in ("5xx", "4xx")]),
                graph(
                    "Function: errors, throttles, requests without an answer of the database",
                    [
                        *(metric(FUNCTION, each, "Sum", each.lower()) for each in ("Errors", "Throttles")),
                        metric(CLIENT, "DeadlineExceeded", "Sum", "no answer"),
                    ],
                ),
            ],
        ]

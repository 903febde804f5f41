"""A dashboard in the order of a request's path, with the budget's lines drawn in."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.alarm_plan import API, DATABASE, FUNCTION, PROXY, busy_threshold, pinned_threshold
from stacks.alarms import Alarms
from stacks.config import Environment
from stacks.metrics import Metrics

HALF, HEIGHT = 12, 6  # of a row of 24

Line = tuple[float, str]


class Dashboard(Construct):
    """Rows: alarms, traffic, functions, clients, connections, pinning, the database, errors."""

    def __init__(
        self, scope: Construct, id: str, *, metrics: Metrics, alarms: Alarms, environment: Environment
    ) -> None:
        super().__init__(scope, id)
        self._metric = metrics.metric
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            default_interval=Duration.hours(3),
            widgets=[
                [cloudwatch.AlarmStatusWidget(alarms=alarms.alarms, width=24, height=3)],
                *self._rows(environment),
            ],
        )

    def _rows(self, environment: Environment) -> list[list[cloudwatch.IWidget]]:
        budget, metric = environment.budget, self._metric
        return [
            [
                graph(
                    "Requests a minute",
                    [metric(API, "Count", "Sum", "requests")],
                    [
                        (60 * budget.throttle_rate, "the API's throttle"),
                        (60 * budget.requests_per_second, "all can serve"),
                    ],
                ),
                graph(
                    "Latency, ms",
                    [metric(API, "Latency", each, each) for each in ("p50", "p90", "p99")],
                    [(1000 * budget.deadline, "deadline of a request")],
                ),
            ],
            [
                graph(
                    "Function: environments in use",
                    [metric(FUNCTION, "ConcurrentExecutions", "Maximum", "in use")],
                    [(budget.concurrency, "reserved")],
                ),
                graph(
                    "Function: duration, ms",
                    [metric(FUNCTION, "Duration", each, each) for each in ("p50", "p90", "p99")],
                    [(1000 * seconds, "planned average") for seconds in {w.seconds for w in budget.plan.workloads}],
                ),
            ],
            [
                graph(
                    "Proxy: client connections",
                    [metric(PROXY, "ClientConnections", "Sum", "clients")],
                    [
                        (budget.clients, "one for each environment"),
                        (budget.clients_during_deployment, "in a deployment"),
                    ],
                ),
                graph(
                    "Proxy: clients refused, connections failed",
                    [
                        metric(PROXY, "ClientConnectionsSetupFailedAuth", "Sum", "refused"),
                        metric(PROXY, "DatabaseConnectionsSetupFailed", "Sum", "failed"),
                    ],
                ),
            ],
            [
                graph(
                    "Server connections",
                    [
                        metric(PROXY, "DatabaseConnections", "Sum", "open"),
                        metric(PROXY, "DatabaseConnectionsCurrentlyBorrowed", "Sum", "in use"),
                        metric(PROXY, "MaxDatabaseConnectionsAllowed", "Sum", "allowed"),
                        metric(DATABASE, "DatabaseConnections", "Maximum", "all, also past the proxy"),
                    ],
                    [
                        (budget.needed, "needed"),
                        (busy_threshold(budget), "alarm"),
                        (budget.pool, "pool"),
                        (budget.slots, "slots"),
                    ],
                    width=24,
                )
            ],
            [
                graph(
                    "Proxy: pinned sessions",
                    [metric(PROXY, "DatabaseConnectionsCurrentlySessionPinned", "Sum", "pinned")],
                    [(pinned_threshold(budget), "alarm")],
                ),
                graph(
                    "Proxy: waiting for a server connection, µs",
                    [metric(PROXY, "DatabaseConnectionsBorrowLatency", each, each) for each in ("Average", "Maximum")],
                    [(1_000_000 * budget.connection_borrow_timeout, "borrow timeout")],
                ),
            ],
            [
                graph(
                    "Database: CPU, %",
                    [metric(DATABASE, "CPUUtilization", "Average", "busy")],
                    [(90, "alarm")],
                    width=8,
                ),
                graph(
                    "Database: sessions that want to run",
                    [metric(DATABASE, "DBLoad", "Average", "sessions")],
                    [(budget.instance_class.vcpus, "vCPUs")],
                    width=8,
                ),
                graph(
                    "Database: free memory, bytes",
                    [metric(DATABASE, "FreeableMemory", "Average", "free")],
                    [(budget.instance_class.memory_gib * 2**30, "all")],
                    width=8,
                ),
            ],
            [
                graph("API: share of 5xx and 4xx", [metric(API, each, "Average", each) for each in ("5xx", "4xx")]),
                graph(
                    "Function: errors and throttles",
                    [metric(FUNCTION, each, "Sum", each.lower()) for each in ("Errors", "Throttles")],
                ),
            ],
        ]


def graph(
    title: str, metrics: Sequence[cloudwatch.IMetric], lines: Sequence[Line] = (), width: int = HALF
) -> cloudwatch.GraphWidget:
    """A graph from zero, with a line for each number of the plan."""
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        left_annotations=[cloudwatch.HorizontalAnnotation(value=value, label=label) for value, label in lines],
        left_y_axis=cloudwatch.YAxisProps(min=0),
        width=width,
        height=HEIGHT,
    )

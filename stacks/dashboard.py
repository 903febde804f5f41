"""A dashboard in the order of a request's path, with the plan's lines drawn in; a store has rows of its own."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.alarm_plan import API, FUNCTION
from stacks.alarms import Alarms
from stacks.budget.plan import Workload
from stacks.config import Function
from stacks.metrics import Metrics

HALF, HEIGHT = 12, 6  # of a row of 24
PERCENTILES = ("p50", "p90", "p99")

Line = tuple[float, str]
Row = list[cloudwatch.IWidget]
Rows = list[Row]


class Dashboard(Construct):
    """Rows: alarms, traffic, functions, then those of the store, with the errors last."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        metrics: Metrics,
        alarms: Alarms,
        api: Function,
        rate: int,
        rows: Rows,
    ) -> None:
        super().__init__(scope, id)
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            default_interval=Duration.hours(3),
            widgets=[
                [cloudwatch.AlarmStatusWidget(alarms=alarms.alarms, width=24, height=3)],
                *_front(metrics, api, rate),
                *rows,
            ],
        )


def _front(metrics: Metrics, api: Function, rate: int) -> Rows:
    """The API and the function, whatever is behind them."""
    metric = metrics.metric
    served = Workload(
        reserved_concurrency=api.reserved_concurrency, seconds=api.seconds, seconds_in_database=api.seconds
    ).most_requests_per_second
    return [
        [
            graph(
                "Requests a minute",
                [metric(API, "Count", "Sum", "requests")],
                [(60 * rate, "the API's throttle"), (60 * float(served), "all can serve")],
            ),
            graph(
                "Latency, ms",
                [metric(API, "Latency", each, each) for each in PERCENTILES],
                [(1000 * api.deadline_seconds, "deadline of a request")],
            ),
        ],
        [
            graph(
                "Function: environments in use",
                [metric(FUNCTION, "ConcurrentExecutions", "Maximum", "in use")],
                [(api.reserved_concurrency, "reserved")],
            ),
            graph(
                "Function: duration, ms",
                [metric(FUNCTION, "Duration", each, each) for each in PERCENTILES],
                [(1000 * api.seconds, "planned average")],
            ),
        ],
    ]


def errors(metrics: Metrics, title: str = "Function: errors and throttles", *more: cloudwatch.IMetric) -> Row:
    """The last row; `more` are what else counts as a function's failure."""
    metric = metrics.metric
    own = [metric(FUNCTION, each, "Sum", each.lower()) for each in ("Errors", "Throttles")]
    return [
        graph("API: share of 5xx and 4xx", [metric(API, each, "Average", each) for each in ("5xx", "4xx")]),
        graph(title, [*own, *more]),
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

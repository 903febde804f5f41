"""The dashboard's rows of a database outside the account: what CloudWatch knows of it is what the functions log."""

from stacks.alarm_plan import CLIENT
from stacks.dashboard import Rows, errors, graph
from stacks.external.budget import ExternalBudget
from stacks.metrics import Metrics


def external_rows(metrics: Metrics, budget: ExternalBudget) -> Rows:
    """With the lines of the provider's pool."""
    metric = metrics.metric
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
        errors(
            metrics,
            "Function: errors, throttles, requests without an answer of the database",
            metric(CLIENT, "DeadlineExceeded", "Sum", "no answer"),
        ),
    ]

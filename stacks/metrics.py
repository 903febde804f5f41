"""CloudWatch's metrics of what is on a request's path, under the names and dimensions that AWS publishes them with."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks import alarm_plan as about

MINUTE = Duration.minutes(1)
NAMESPACES = {
    about.API: "AWS/ApiGateway",
    about.FUNCTION: "AWS/Lambda",
    about.ACCOUNT: "AWS/Lambda",
    about.PROXY: "AWS/RDS",
    about.TARGET: "AWS/RDS",
    about.DATABASE: "AWS/RDS",
    about.TABLE: "AWS/DynamoDB",
    about.TABLE_INDEX: "AWS/DynamoDB",
    about.CLIENT: "DatabaseClient",
}

Dimensions = dict[str, dict[str, str]]  # of each thing of stacks/alarm_plan.py


class Metrics:
    """The metrics of one environment; `store` has the dimensions of what its data is in."""

    def __init__(self, *, api_id: str, function_name: str, store: Dimensions) -> None:
        self._dimensions: Dimensions = {
            about.API: {"ApiId": api_id},
            about.FUNCTION: {"FunctionName": function_name},
            about.ACCOUNT: {},
            **store,
        }

    def metric(self, what: str, name: str, statistic: str, label: str | None = None) -> cloudwatch.Metric:
        """A metric of one of the things of stacks/alarm_plan.py, by the minute."""
        return cloudwatch.Metric(
            namespace=NAMESPACES[what],
            metric_name=name,
            dimensions_map=self._dimensions[what],
            statistic=statistic,
            period=MINUTE,
            label=label,
        )

"""The alarms that are planned for an environment (stacks/alarm_plan.py), each with its page of the runbook."""

from collections.abc import Iterable

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.alarm_plan import AlarmPlan
from stacks.metrics import Metrics
from stacks.notifications import Notifications


class Alarms(Construct):
    """An alarm for each plan; each says why, and which page of the runbook helps."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        plans: Iterable[AlarmPlan],
        metrics: Metrics,
        notifications: Notifications,
        runbook: str,
    ) -> None:
        super().__init__(scope, id)
        self.alarms = [
            alarm(
                self,
                plan.id,
                plan=plan,
                metric=metrics.metric(plan.about, plan.metric, plan.statistic),
                runbook=runbook,
            )
            for plan in plans
        ]
        for each in self.alarms:
            notifications.tell_of(each)


def alarm(scope: Construct, id: str, *, plan: AlarmPlan, metric: cloudwatch.IMetric, runbook: str) -> cloudwatch.Alarm:
    """The alarm that a plan describes, on this metric, which is by the minute."""
    comparison = cloudwatch.ComparisonOperator
    return cloudwatch.Alarm(
        scope,
        id,
        alarm_description=f"{plan.why}. Runbook: {runbook}#{plan.page}",
        metric=metric,
        threshold=plan.threshold,
        comparison_operator=comparison.LESS_THAN_THRESHOLD if plan.below else comparison.GREATER_THAN_THRESHOLD,
        datapoints_to_alarm=plan.minutes,
        evaluation_periods=plan.of,
        # a proxy without traffic, and a function that nobody calls, publish nothing
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )

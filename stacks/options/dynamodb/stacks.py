"""The two stacks of an environment whose store is DynamoDb: a table, and a function outside any VPC."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from stacks.acknowledgements import accept, accept_function, accept_subscription
from stacks.config import Environment
from stacks.notifications import Notifications
from stacks.options.dynamodb.budget import Throughput, refuse_throughput
from stacks.options.dynamodb.dashboard import of_table, table_rows
from stacks.options.dynamodb.store import DynamoDb, table_alarm_plans
from stacks.options.dynamodb.table import Table
from stacks.service import Behind, Service
from stacks.stage import Stacks


class TableStack(Stack):
    """What must survive a deployment: the table, and who is told of alarms."""

    def __init__(
        self, scope: Construct, id: str, *, environment: Environment[DynamoDb], options: Mapping[str, Any]
    ) -> None:
        super().__init__(scope, id, **options)
        self.table = Table(self, "Table", environment=environment)
        self.notifications = Notifications(self, "Notifications", environment=environment)
        CfnOutput(self, "TableName", value=self.table.table.table_name)


class TableServiceStack(Service):
    """What can be replaced at any time: the service, whose function reads and writes the table."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        data: TableStack,
        environment: Environment[DynamoDb],
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(scope, id, environment=environment, options=options)
        throughput = Throughput.of(environment)
        refuse_throughput(throughput)
        name = data.table.table.table_name
        behind = Behind(
            variables=data.table.variables(environment.api),
            allow=data.table.allow,
            rate=throughput.throttle_rate,
            burst=throughput.throttle_burst,
            dimensions=lambda function_name: of_table(name, function_name),
            alarms=table_alarm_plans(environment),
            rows=lambda metrics: table_rows(metrics, throughput),
            runbook=environment.runbook,
        )
        self.compose(behind, data.notifications)


def acknowledge_table(data: TableStack, service: TableServiceStack, environment: Environment[DynamoDb]) -> None:
    """Acknowledge what is found in this environment, at the construct where it is found."""
    accept_function(service.handler.function, environment)
    accept(
        service.handler.role,
        "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        "X-Ray's actions have no resources; every other statement names the table, its indexes or the log group",
    )
    if data.notifications.topic is not None:
        accept_subscription(data.notifications)
    if environment.store.recovery_days == 0 and environment.name != "prod":
        accept(
            data.table.table,
            "AwsSolutions::AwsSolutions-DDB3",
            f"{environment.name} has recovery_days=0 in stacks/environments.py: its data can't be restored",
        )


STACKS = Stacks(TableStack, TableServiceStack, acknowledge_table)

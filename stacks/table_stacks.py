"""The two stacks of an environment whose store is DynamoDb: a table, and a function outside any VPC."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from constructs import Construct

from stacks.acknowledgements import accept, accept_function, accept_subscription
from stacks.alarm_plan import TABLE
from stacks.alarms import Alarms
from stacks.api import Api
from stacks.config import Environment
from stacks.dynamodb import DynamoDb, table_alarm_plans
from stacks.dynamodb_budget import Throughput, refuse_throughput
from stacks.function import Function
from stacks.metrics import Metrics
from stacks.notifications import Notifications
from stacks.table import Table


class TableStack(Stack):
    """What must survive a deployment: the table, and who is told of alarms."""

    def __init__(
        self, scope: Construct, id: str, *, environment: Environment[DynamoDb], options: Mapping[str, Any]
    ) -> None:
        super().__init__(scope, id, **options)
        self.table = Table(self, "Table", environment=environment)
        self.notifications = Notifications(self, "Notifications", proxy_name=None, environment=environment)
        CfnOutput(self, "TableName", value=self.table.table.table_name)


class TableServiceStack(Stack):
    """What can be replaced at any time: the function, the API in front of it, and what watches them and the table."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        data: TableStack,
        environment: Environment[DynamoDb],
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(scope, id, **options)
        throughput = Throughput.of(environment)
        refuse_throughput(throughput)
        self.projects = Function(
            self,
            "Projects",
            handler="lambda_src.projects.handler.handler",
            description="The API's requests about projects",
            memory_mb=environment.api.memory_mb,
            timeout=Duration.seconds(environment.api.timeout_seconds),
            reserved_concurrency=environment.api.reserved_concurrency,
            environment=environment,
            runtime=environment.api.runtime,
            variables=data.table.variables(environment.api),
        )
        data.table.allow(self.projects.role)
        self.api = Api(
            self,
            "Api",
            function=self.projects.function,
            rate=throughput.throttle_rate,
            burst=throughput.throttle_burst,
            environment=environment,
        )
        self.alarms = Alarms(
            self,
            "Alarms",
            plans=table_alarm_plans(environment),
            metrics=Metrics(
                api_id=self.api.api.api_id,
                function_name=self.projects.function.function_name,
                store={TABLE: {"TableName": data.table.table.table_name}},
            ),
            notifications=data.notifications,
            runbook=environment.runbook,
        )
        CfnOutput(self, "ApiUrl", value=self.api.url)


def acknowledge_table(data: TableStack, service: TableServiceStack, environment: Environment[DynamoDb]) -> None:
    """Acknowledge what is found in this environment, at the construct where it is found."""
    accept_function(service.projects.function, environment)
    accept(
        service.projects.role,
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

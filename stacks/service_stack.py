"""What can be replaced at any time."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from constructs import Construct

from stacks.alarm_plan import alarm_plans
from stacks.alarms import Alarms
from stacks.api import Api
from stacks.config import Environment
from stacks.dashboard import Dashboard
from stacks.data_stack import DataStack
from stacks.function import Function
from stacks.metrics import Metrics, of_rds


class ServiceStack(Stack):
    """The function, the API in front of it, and what watches both and what is behind them."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        data: DataStack,
        environment: Environment,
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(scope, id, **options)
        self.projects = Function(
            self,
            "Projects",
            handler="lambda_src.projects.handler.handler",
            description="The API's requests about projects",
            memory_mb=environment.api.memory_mb,
            timeout=Duration.seconds(environment.api.timeout_seconds),
            reserved_concurrency=environment.api.reserved_concurrency,
            network=data.network,
            security_group=data.network.clients,
            environment=environment,
            runtime=environment.api.runtime,
            variables=data.proxy.variables(environment.api),
        )
        data.proxy.allow(self.projects.role)
        self.api = Api(
            self,
            "Api",
            function=self.projects.function,
            rate=environment.budget.throttle_rate,
            burst=environment.budget.throttle_burst,
            environment=environment,
        )
        metrics = Metrics(
            api_id=self.api.api.api_id,
            function_name=self.projects.function.function_name,
            store=of_rds(proxy_name=data.proxy.name, database_name=data.database.name),
        )
        self.alarms = Alarms(
            self,
            "Alarms",
            plans=alarm_plans(environment.budget, environment.store.allocated_storage_gib),
            metrics=metrics,
            notifications=data.notifications,
            runbook=environment.runbook,
        )
        self.dashboard = Dashboard(self, "Dashboard", metrics=metrics, alarms=self.alarms, environment=environment)
        CfnOutput(self, "ApiUrl", value=self.api.url)

"""The two stacks of an environment whose database is outside the account: functions outside any VPC, no database."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from constructs import Construct

from stacks.acknowledgements import accept, accept_function, accept_subscription
from stacks.alarm_plan import CLIENT
from stacks.alarms import Alarms
from stacks.api import Api
from stacks.config import Environment
from stacks.external_budget import ExternalBudget, external_alarm_plans
from stacks.external_dashboard import ExternalDashboard
from stacks.external_database import ExternalMigrations, ExternalSecret
from stacks.function import Function
from stacks.metrics import Metrics
from stacks.notifications import Notifications


class ExternalStack(Stack):
    """Where the database's URL is, its schema brought up to date, and who is told of alarms."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment[Any], options: Mapping[str, Any]) -> None:
        super().__init__(scope, id, **options)
        store = environment.store
        self.secret = ExternalSecret(self, "Secret", name=store.secret_name)
        own = store.migrations_secret_name
        self.migrations = ExternalMigrations(
            self,
            "Migrations",
            secret=self.secret,
            own_secret=None if own is None else ExternalSecret(self, "MigrationsSecret", name=own),
            environment=environment,
        )
        self.notifications = Notifications(self, "Notifications", proxy_name=None, environment=environment)


class ExternalServiceStack(Stack):
    """What can be replaced at any time: the function, the API in front of it, and what watches them."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        data: ExternalStack,
        environment: Environment[Any],
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(scope, id, **options)
        self.add_stack_dependency(data, "the schema changes first")
        budget = ExternalBudget.of(environment)
        secret = ExternalSecret(self, "Secret", name=environment.store.secret_name)
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
            variables=secret.variables(environment.api, environment.store.variables),
        )
        secret.allow(self.projects.role)
        self.api = Api(
            self,
            "Api",
            function=self.projects.function,
            rate=budget.throttle_rate,
            burst=budget.throttle_burst,
            environment=environment,
        )
        function_name = self.projects.function.function_name
        metrics = Metrics(
            api_id=self.api.api.api_id,
            function_name=function_name,
            store={CLIENT: {"FunctionName": function_name}},
        )
        self.alarms = Alarms(
            self,
            "Alarms",
            plans=external_alarm_plans(budget, environment),
            metrics=metrics,
            notifications=data.notifications,
            runbook=environment.store.page,
        )
        self.dashboard = ExternalDashboard(
            self, "Dashboard", metrics=metrics, alarms=self.alarms, budget=budget, environment=environment
        )
        CfnOutput(self, "ApiUrl", value=self.api.url)


def acknowledge_external(data: ExternalStack, service: ExternalServiceStack, environment: Environment[Any]) -> None:
    """Acknowledge what is found in this environment, at the construct where it is found."""
    for each in (data.migrations.migrate, service.projects):
        accept_function(each.function, environment)
        accept(
            each.role,
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            "X-Ray's actions have no resources; every other statement names a secret or the log group",
        )
    if data.notifications.topic is not None:
        accept_subscription(data.notifications)

"""The two stacks of an environment whose database is outside the account: functions outside any VPC, no database."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from constructs import Construct

from stacks.acknowledgements import accept, accept_function, accept_subscription
from stacks.alarm_plan import CLIENT
from stacks.config import Environment
from stacks.external.budget import ExternalBudget, external_alarm_plans
from stacks.external.dashboard import external_rows
from stacks.external.database import ExternalMigrations, ExternalSecret
from stacks.notifications import Notifications
from stacks.service import Behind, Service
from stacks.stage import Stacks


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
        self.notifications = Notifications(self, "Notifications", environment=environment)


class ExternalServiceStack(Service):
    """What can be replaced at any time: the service, whose function reads the secret."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        data: ExternalStack,
        environment: Environment[Any],
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(scope, id, environment=environment, options=options)
        self.add_stack_dependency(data, "the schema changes first")
        budget = ExternalBudget.of(environment)
        secret = ExternalSecret(self, "Secret", name=environment.store.secret_name)
        behind = Behind(
            variables=secret.variables(environment.api, environment.store.variables),
            allow=secret.allow,
            rate=budget.throttle_rate,
            burst=budget.throttle_burst,
            dimensions=lambda function_name: {CLIENT: {"FunctionName": function_name}},
            alarms=external_alarm_plans(budget, environment),
            rows=lambda metrics: external_rows(metrics, budget),
            runbook=environment.store.page,
        )
        self.compose(behind, data.notifications)


def acknowledge_external(data: ExternalStack, service: ExternalServiceStack, environment: Environment[Any]) -> None:
    """Acknowledge what is found in this environment, at the construct where it is found."""
    for each in (data.migrations.migrate, service.handler):
        accept_function(each.function, environment)
        accept(
            each.role,
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            "X-Ray's actions have no resources; every other statement names a secret or the log group",
        )
    if data.notifications.topic is not None:
        accept_subscription(data.notifications)


STACKS = Stacks(ExternalStack, ExternalServiceStack, acknowledge_external)

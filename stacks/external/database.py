"""A database outside the account, as far as the account knows it: secrets with its URL, and who may read them."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, triggers
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.config import MIGRATIONS_CONCURRENCY, Environment, Function
from stacks.external.budget import ExternalBudget
from stacks.function import Function as LambdaFunction

TIMEOUT = Duration.minutes(5)  # of all migrations together


class ExternalSecret(Construct):
    """A secret that somebody else makes, by its name: the template never knows its value."""

    def __init__(self, scope: Construct, id: str, *, name: str) -> None:
        super().__init__(scope, id)
        self.name = name
        self._secret = secretsmanager.Secret.from_secret_name_v2(self, "Secret", name)

    def allow(self, reader: iam.IGrantable) -> None:
        """Let somebody read exactly this secret; the six characters that AWS adds to its ARN are unknown."""
        iam.Grant.add_to_principal(
            grantee=reader,
            actions=["secretsmanager:GetSecretValue"],
            resource_arns=[f"{self._secret.secret_arn}-??????"],
        )

    def variables(self, function: Function, more: Mapping[str, str]) -> dict[str, str]:
        """What a function must know to use the database: where the URL is, and how patient to be."""
        return {
            "DB_SECRET_NAME": self.name,
            "DB_CONNECT_TIMEOUT_SECONDS": str(function.connect_timeout_seconds),
            "DB_DEADLINE_SECONDS": str(function.deadline_seconds),
            "DB_CONNECTION_MAX_AGE_SECONDS": str(function.connection_max_age_seconds),
            **more,
        }


class ExternalMigrations(Construct):
    """Brings the schema up to date when the zip changes, before the functions do; a failure fails the deployment.

    It goes to the database itself and not through the pooler: DDL wants a session of its own.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        secret: ExternalSecret,
        own_secret: ExternalSecret | None,
        environment: Environment[Any],
    ) -> None:
        super().__init__(scope, id)
        own = {} if own_secret is None else {"DB_MIGRATIONS_SECRET_NAME": own_secret.name}
        self.migrate = LambdaFunction(
            self,
            "Migrate",
            handler=environment.store.migrations,
            description="Brings the database's schema and roles up to date",
            memory_mb=512,
            timeout=TIMEOUT,
            reserved_concurrency=MIGRATIONS_CONCURRENCY,
            environment=environment,
            variables={
                "DB_SECRET_NAME": secret.name,
                "DB_STATEMENT_TIMEOUT_SECONDS": str(ExternalBudget.of(environment).statement_timeout),
                **own,
            },
        )
        secret.allow(self.migrate.role)  # the functions' password is in it, and the schema's roles get it
        if own_secret is not None:
            own_secret.allow(self.migrate.role)
        self.run = triggers.Trigger(
            self, "Run", handler=self.migrate.function, timeout=TIMEOUT.plus(Duration.seconds(30))
        )
        self.run.execute_after(self.migrate)  # its role's policy included

"""The schema, the roles and their passwords: brought up to date when the zip changes, before anything uses them."""

from aws_cdk import Duration, triggers
from constructs import Construct

from stacks.config import MIGRATIONS_CONCURRENCY, Environment
from stacks.function import Function
from stacks.postgres.credentials import APPLICATION_USER, MIGRATOR_USER, Credentials
from stacks.postgres.database import DATABASE_NAME, Database
from stacks.postgres.network import Network

TIMEOUT = Duration.minutes(5)
READ_ACTIONS = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]


class Migrations(Construct):
    """Runs lambda_src/migrations against the instance itself; a migration that fails fails the deployment.

    It runs again whenever the zip or its variables change. The proxy cannot be used: its user does not exist yet, and
    DDL and session locks would pin it.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        database: Database,
        credentials: Credentials,
        environment: Environment,
    ) -> None:
        super().__init__(scope, id)
        self.migrate = Function(
            self,
            "Migrate",
            handler="lambda_src.migrations.handler.handler",
            description="Brings the database's schema and roles up to date",
            memory_mb=512,
            timeout=TIMEOUT,
            reserved_concurrency=MIGRATIONS_CONCURRENCY,
            vpc_config=network.vpc_config(network.migrations),
            environment=environment,
            variables={
                "DB_HOST": database.host,
                "DB_PORT": str(database.port),
                "DB_NAME": DATABASE_NAME,
                "DB_USER": APPLICATION_USER,
                "DB_STATEMENT_TIMEOUT_SECONDS": str(environment.budget.statement_timeout),
                **_logins(credentials, environment),
            },
        )
        way_to_secrets = self._allow_logins(network, database, credentials, environment)
        self.run = triggers.Trigger(
            self, "Run", handler=self.migrate.function, timeout=TIMEOUT.plus(Duration.seconds(30))
        )
        # The trigger refers to the function only: what the function needs to reach must be named.
        self.run.execute_after(self.migrate, *way_to_secrets, network.migrations, network.database)

    def _allow_logins(
        self, network: Network, database: Database, credentials: Credentials, environment: Environment
    ) -> tuple[Construct, ...]:
        """Let the function log in as the master and as the migrator; returns what must exist before it can."""
        if credentials.secrets is None:
            for user in (environment.master_user, MIGRATOR_USER):
                database.instance.grant_connect(self.migrate.role, user)
            return ()
        secrets = list(credentials.secrets)
        for secret in secrets:
            secret.grant_read(self.migrate.role)
        return network.allow_secrets(network.migrations, self.migrate.role, secrets, READ_ACTIONS)


def _logins(credentials: Credentials, environment: Environment) -> dict[str, str]:
    """Where the function finds passwords, or whom it signs tokens for."""
    if credentials.secrets is None:
        return {"DB_MASTER_USER": environment.master_user}
    return {
        "MASTER_SECRET_ARN": credentials.secrets.master.secret_arn,
        "APPLICATION_SECRET_ARN": credentials.secrets.application.secret_arn,
    }

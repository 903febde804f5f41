"""How the users of the database log in: with the passwords of two secrets, or with IAM tokens and no password at all.

No function of the service holds a password either way.
"""

from typing import NamedTuple

from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.config import Environment
from stacks.logs import keep

APPLICATION_USER = "application"  # the role that migrations create, and functions ask the proxy for
MIGRATOR_USER = "migrator"  # the role that migrations run as; lambda_src/migrations/roles.py creates both


class Secrets(NamedTuple):
    """The two secrets: the master user's for migrations, the application user's for the proxy."""

    master: secretsmanager.ISecret
    application: secretsmanager.ISecret


class Credentials(Construct):
    """The secrets of the master user and of the application user, both generated; none where users log in by IAM."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        super().__init__(scope, id)
        self.secrets = None if environment.store.uses_iam else self._secrets(environment)

    def _secrets(self, environment: Environment) -> Secrets:
        secrets = Secrets(
            # DatabaseSecret leaves out what RDS refuses in a password, and what a URL or a shell would need quoted
            rds.DatabaseSecret(self, "Master", username=environment.master_user),
            rds.DatabaseSecret(self, "Application", username=APPLICATION_USER),
        )
        for secret in secrets:
            secret.apply_removal_policy(keep(environment))
        return secrets

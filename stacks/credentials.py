"""The passwords of the two users that log in to the database; no function of the service holds either."""

from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.config import Environment
from stacks.logs import keep

APPLICATION_USER = "application"  # the role that migrations create, and functions ask the proxy for


class Credentials(Construct):
    """Secrets of the master user (for migrations) and of the application user (for the proxy), both generated."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        super().__init__(scope, id)
        # DatabaseSecret leaves out what RDS refuses in a password, and what a URL or a shell would need quoted
        self.master: secretsmanager.ISecret = rds.DatabaseSecret(self, "Master", username=environment.store.master_user)
        self.application: secretsmanager.ISecret = rds.DatabaseSecret(self, "Application", username=APPLICATION_USER)
        for secret in (self.master, self.application):
            secret.apply_removal_policy(keep(environment))

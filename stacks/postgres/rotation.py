"""Rotation of the two passwords, where there are any."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IDependable

from stacks.alarms import alarm
from stacks.config import Environment
from stacks.function import Function
from stacks.metrics import MINUTE
from stacks.postgres.alarm_plan import ROTATION_FAILED
from stacks.postgres.credentials import Secrets
from stacks.postgres.database import DATABASE_NAME, Database
from stacks.postgres.network import Network

# Source: AWS Secrets Manager User Guide, "Lambda rotation function execution role permissions". GetRandomPassword is
# not among them: the function makes passwords itself.
ROTATION_ACTIONS = [
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
]


class Rotation(Construct):
    """Secrets Manager calls lambda_src/rotation every so many days for each secret, and once when it is set up.

    The function logs in to the instance itself as the user whose password it changes, so that it needs no other.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        database: Database,
        secrets: Secrets,
        environment: Environment,
    ) -> None:
        super().__init__(scope, id)
        group = network.rotation()
        self.rotate = Function(
            self,
            "Rotate",
            handler="lambda_src.rotation.handler.handler",
            description="Changes the database's passwords, step by step",
            memory_mb=256,
            timeout=Duration.minutes(1),
            reserved_concurrency=len(secrets),  # both are due on the same day
            vpc_config=network.vpc_config(group),
            environment=environment,
            variables={"DB_HOST": database.host, "DB_PORT": str(database.port), "DB_NAME": DATABASE_NAME},
        )
        arns = [secret.secret_arn for secret in secrets]
        self.rotate.role.add_to_policy(iam.PolicyStatement(actions=ROTATION_ACTIONS, resources=arns))
        way_to_secrets = network.allow_secrets(group, self.rotate.role, list(secrets), ROTATION_ACTIONS)
        self.schedules = [
            self._schedule(name, secret, environment) for name, secret in zip(secrets._fields, secrets, strict=True)
        ]
        # A rotation begins as soon as its schedule exists: what it needs to reach must be there.
        for schedule in self.schedules:
            schedule.node.add_dependency(self.rotate, *way_to_secrets, group, network.database, *database.attachments)
        errors = self.rotate.function.metric_errors(period=MINUTE)
        self.failed = alarm(self, "Failed", plan=ROTATION_FAILED, metric=errors, runbook="docs/runbook.md")

    def wait_for(self, *others: IDependable) -> None:
        """Rotate for the first time only when the users exist and the proxy has logged in as one of them."""
        for schedule in self.schedules:
            schedule.node.add_dependency(*others)

    def _schedule(
        self, name: str, secret: secretsmanager.ISecret, environment: Environment
    ) -> secretsmanager.CfnRotationSchedule:
        function = self.rotate.function
        allowed = f"Invoke{name.capitalize()}"
        function.add_permission(
            allowed, principal=iam.ServicePrincipal("secretsmanager.amazonaws.com"), source_arn=secret.secret_arn
        )
        # Not the L2, which would grant secretsmanager:GetRandomPassword on every resource.
        schedule = secretsmanager.CfnRotationSchedule(
            self,
            name.capitalize(),
            secret_id=secret.secret_arn,
            rotation_lambda_arn=function.function_arn,
            rotation_rules=secretsmanager.CfnRotationSchedule.RotationRulesProperty(
                automatically_after_days=environment.store.days_between_rotations
            ),
        )
        schedule.node.add_dependency(function.node.find_child(allowed))
        return schedule

"""RDS Proxy: the only way for functions to the database."""

from hashlib import sha256
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from constructs import Construct, IDependable

from stacks.config import Environment, Function
from stacks.logs import default_child, log_group
from stacks.notifications import Notifications
from stacks.postgres.credentials import APPLICATION_USER, Credentials
from stacks.postgres.database import DATABASE_NAME, Database
from stacks.postgres.network import Network

# Amazon RDS User Guide, "Working with RDS Proxy events": what no metric tells
EVENTS = {"RDS-EVENT-0243": "no addresses are left in a subnet", "RDS-EVENT-0275": "clients are throttled"}


class Proxy(Construct):
    """A proxy that takes TLS connections with IAM tokens, and logs in to the database as the application user."""

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
        budget = environment.budget
        self.name = name = f"{environment.prefix}-{_fingerprint(environment)}"
        logs = log_group(self, "Logs", environment=environment, name=f"/aws/rds/proxy/{name}")
        self.database = database
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("rds.amazonaws.com"))
        self.proxy = rds.DatabaseProxy(
            self,
            "Proxy",
            db_proxy_name=name,
            proxy_target=rds.ProxyTarget.from_instance(database.as_target()),
            **_authentication(credentials),
            role=self.role,
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            security_groups=[network.proxy],
            require_tls=True,
            max_connections_percent=budget.max_connections_percent,
            max_idle_connections_percent=budget.max_idle_connections_percent,
            borrow_timeout=Duration.seconds(budget.connection_borrow_timeout),
            idle_client_timeout=Duration.seconds(budget.idle_client_timeout),
            debug_logging=environment.store.pool.debug_logging,
        )
        if credentials.secrets is None:
            database.instance.grant_connect(self.role, APPLICATION_USER)
        # or RDS makes the log group itself, without retention
        default_child(self.proxy).add_resource_dependency(default_child(logs))
        self.target_group = self.proxy.node.find_child("ProxyTargetGroup")
        self.target_group.node.add_dependency(self.role, network.proxy)  # what it needs to log in

    def wait_for(self, migrations: IDependable) -> None:
        """Register the database only when `migrations` have run.

        CloudFormation waits until the proxy can log in, so the application user must exist by then; a proxy without
        its user waits 20 minutes and fails.
        """
        self.target_group.node.add_dependency(migrations)

    def allow(self, function: iam.IGrantable) -> None:
        """Let a function that is in the security group `clients` log in as the application user, and as nobody else."""
        self.proxy.grant_connect(function, APPLICATION_USER)

    def tell(self, notifications: Notifications) -> None:
        """Send what RDS says of the proxy, if there is somebody to send it to."""
        if notifications.topic is None:
            return
        self.events = events.Rule(
            notifications,
            "ProxyEvents",
            description=f"{self.name}: {', '.join(EVENTS.values())}",
            event_pattern=events.EventPattern(
                source=["aws.rds"],
                detail_type=["RDS DB Proxy Event"],
                detail={"EventID": list(EVENTS), "SourceIdentifier": [self.name]},
            ),
            targets=[targets.SnsTopic(notifications.topic)],
        )

    def variables(self, function: Function) -> dict[str, str]:
        """What a function must know to connect; lambda_src/database/settings.py reads exactly these."""
        return {
            "DB_HOST": self.proxy.endpoint,
            "DB_PORT": str(self.database.port),
            "DB_NAME": DATABASE_NAME,
            "DB_USER": APPLICATION_USER,
            "DB_CONNECT_TIMEOUT_SECONDS": str(function.connect_timeout_seconds),
            "DB_DEADLINE_SECONDS": str(function.deadline_seconds),
            "DB_CONNECTION_MAX_AGE_SECONDS": str(function.connection_max_age_seconds),
        }


def _authentication(credentials: Credentials) -> dict[str, Any]:
    """How the proxy logs in to the database; its own clients always need an IAM token."""
    if credentials.secrets is None:
        return {"default_auth_scheme": rds.DefaultAuthScheme.IAM_AUTH}
    # which lets the role read the application's secret, and nothing else
    return {"secrets": [credentials.secrets.application], "iam_auth": True}


def _fingerprint(environment: Environment) -> str:
    """Changes with the subnets: a proxy in others is a new one, made before the old is deleted, so named apart."""
    return sha256(f"{environment.cidr} {environment.availability_zones}".encode()).hexdigest()[:8]

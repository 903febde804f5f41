"""RDS PostgreSQL."""

from aws_cdk import Duration, RemovalPolicy, SecretValue
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from constructs import Construct, IDependable

from stacks.config import Environment, RdsPostgres
from stacks.logs import default_child, log_group
from stacks.postgres.credentials import Credentials, Secrets
from stacks.postgres.network import Network

DATABASE_NAME = "projects"
EXPORTED_LOGS = ("postgresql", "upgrade")


class Database(Construct):
    """One encrypted instance that only the proxy and the migrations reach, with logs that do not stay for ever."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        credentials: Credentials,
        environment: Environment,
    ) -> None:
        super().__init__(scope, id)
        store = environment.store
        self.port = store.port
        self.engine = rds.DatabaseInstanceEngine.postgres(
            version=rds.PostgresEngineVersion.of(store.version, store.version.partition(".")[0])
        )
        # RDS makes these log groups itself, without retention, if they do not exist when the instance starts: they must
        # come first, so the instance's name must be known before it exists.
        self.name = name = f"{environment.prefix}-postgres"
        logs = [
            log_group(self, f"{kind.capitalize()}Log", environment=environment, name=f"/aws/rds/instance/{name}/{kind}")
            for kind in EXPORTED_LOGS
        ]
        self.instance = rds.DatabaseInstance(
            self,
            "Instance",
            instance_identifier=name,
            engine=self.engine,
            instance_type=ec2.InstanceType(store.instance),
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            security_groups=[network.database],
            port=store.port,
            database_name=DATABASE_NAME,
            credentials=_master(credentials.secrets, environment.master_user),
            iam_authentication=store.uses_iam,
            parameter_group=self._parameter_group(store),
            publicly_accessible=False,
            multi_az=store.multi_az,
            storage_type=rds.StorageType.GP3,
            storage_encrypted=True,
            allocated_storage=store.allocated_storage_gib,
            max_allocated_storage=store.max_allocated_storage_gib,
            backup_retention=Duration.days(store.backup_retention_days),
            delete_automated_backups=not environment.retain,
            copy_tags_to_snapshot=True,
            deletion_protection=environment.retain,
            removal_policy=RemovalPolicy.SNAPSHOT if environment.retain else RemovalPolicy.DESTROY,
            auto_minor_version_upgrade=True,
            cloudwatch_logs_exports=list(EXPORTED_LOGS),
            enable_performance_insights=True,
            performance_insight_retention=rds.PerformanceInsightRetention.DEFAULT,
            database_insights_mode=rds.DatabaseInsightsMode.STANDARD,
            # without this an instance past the end of standard support goes on, and is billed for it by the vCPU
            engine_lifecycle_support=rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED,
        )
        for log in logs:
            default_child(self.instance).add_resource_dependency(default_child(log))
        self.host = self.instance.db_instance_endpoint_address
        self.attachments: list[IDependable] = []  # write the instance's host and port into the secrets
        if credentials.secrets is None:
            self._without_password()
        else:
            attached = [self.instance.secret, credentials.secrets.application.attach(self.instance)]
            self.attachments = [each for each in attached if each is not None]

    def _without_password(self) -> None:
        """Let the master user log in by IAM; the construct knows nothing of it, and insists on a password."""
        instance = default_child(self.instance)
        instance.add_property_override("MasterUserAuthenticationType", "iam-db-auth")
        instance.add_property_deletion_override("MasterUserPassword")

    def as_target(self) -> rds.IDatabaseInstance:
        """The instance as a proxy's target, with its port as a number: DatabaseProxy makes a rule of it."""
        return rds.DatabaseInstance.from_database_instance_attributes(
            self,
            "Target",
            instance_identifier=self.instance.instance_identifier,
            instance_endpoint_address=self.host,
            port=self.port,
            engine=self.engine,
            security_groups=self.instance.connections.security_groups,
        )

    def _parameter_group(self, store: RdsPostgres) -> rds.ParameterGroup:
        parameters = {
            "rds.force_ssl": "1",
            "log_min_duration_statement": "1000",  # ms
            "log_parameter_max_length": "0",  # values of a slow statement are somebody's data
        }
        if store.max_connections is not None:
            parameters["max_connections"] = str(store.max_connections)
        return rds.ParameterGroup(self, "Parameters", engine=self.engine, parameters=parameters)


def _master(secrets: Secrets | None, user: str) -> rds.Credentials:
    if secrets is not None:
        return rds.Credentials.from_secret(secrets.master, user)
    return rds.Credentials.from_password(user, SecretValue.unsafe_plain_text("not in the template"))

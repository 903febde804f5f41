"""Isolated subnets without a way out, and who may speak to whom in them."""

from functools import cached_property

from aws_cdk import Fn
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.config import SUBNET_PREFIX, Environment
from stacks.function import VpcConfig
from stacks.logs import log_group

HTTPS = ec2.Port.tcp(443)


class Network(Construct):
    """A VPC of isolated subnets, and the security groups clients -> proxy -> database, migrations -> database.

    No NAT and no internet gateway: an IAM token is signed locally, so a function that only talks to the proxy calls
    nothing outside. All groups and rules are here, so that no rule needs a reference between stacks.
    """

    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        super().__init__(scope, id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(environment.cidr),
            # max_azs without an account gives two whatever it says; this gives what is asked for, without a look-up
            availability_zones=[Fn.select(i, Fn.get_azs()) for i in range(environment.availability_zones)],
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=SUBNET_PREFIX
                )
            ],
            restrict_default_security_group=True,
        )
        self.subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.vpc.add_flow_log(
            "FlowLog",
            # what was refused is what one looks for, and nearly nothing here is
            traffic_type=ec2.FlowLogTrafficType.REJECT,
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(
                log_group(self, "FlowLogs", environment=environment)
            ),
        )
        self._environment = environment
        self.clients = self._group("Clients", "functions that use the proxy")
        self.proxy = self._group("Proxy", "RDS Proxy")
        self.database = self._group("Database", "the database")
        self.migrations = self._group("Migrations", "the migration function")
        # Literal ports: CDK's default would be the endpoint's attribute, which checks of the template cannot read.
        # On AWS the proxy's own port is always 5432; the local stand-in takes its target's, see stacks/config.py.
        port = self._database_port = ec2.Port.tcp(environment.store.port)
        self.clients.connections.allow_to(self.proxy, port, "to the proxy")
        self.proxy.connections.allow_to(self.database, port, "to the database")
        self.migrations.connections.allow_to(self.database, port, "to the database, not through the proxy")

    def vpc_config(self, group: ec2.ISecurityGroup) -> VpcConfig:
        """Where a function is that has this security group."""
        return VpcConfig(self.vpc, self.subnets, group)

    def rotation(self) -> ec2.SecurityGroup:
        """The group of the rotation function, which reaches the database; there is none where nothing is rotated."""
        group = self._group("Rotation", "the rotation function")
        group.connections.allow_to(self.database, self._database_port, "to the database, not through the proxy")
        return group

    def allow_secrets(
        self,
        reader: ec2.ISecurityGroup,
        role: iam.IRole,
        secrets: list[secretsmanager.ISecret],
        actions: list[str],
    ) -> tuple[ec2.InterfaceVpcEndpoint, ec2.SecurityGroup]:
        """Let what is in the group `reader` do this with exactly these secrets with `role`, without leaving the VPC.

        Returns what must exist before it can.
        """
        endpoint, group = self._secrets_endpoint
        reader.connections.allow_to(group, HTTPS, "to Secrets Manager")
        endpoint.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=actions,
                resources=[secret.secret_arn for secret in secrets],
                conditions={"ArnEquals": {"aws:PrincipalArn": role.role_arn}},
            )
        )
        return endpoint, group

    @cached_property
    def _secrets_endpoint(self) -> tuple[ec2.InterfaceVpcEndpoint, ec2.SecurityGroup]:
        """Made when something needs it: it costs as much as a small instance."""
        group = self._group("SecretsEndpoint", "the Secrets Manager endpoint")
        endpoint = self.vpc.add_interface_endpoint(
            "SecretsManager",
            service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
            security_groups=[group],
            open=False,
            subnets=self._endpoint_subnets(),
        )
        return endpoint, group

    def _endpoint_subnets(self) -> ec2.SubnetSelection:
        """Every zone costs as much as the smallest instance: one is enough, unless the database has a standby too."""
        subnets = self.vpc.isolated_subnets
        return ec2.SubnetSelection(subnets=subnets if self._environment.store.multi_az else subnets[:1])

    def _group(self, id: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self,
            id,
            vpc=self.vpc,
            description=f"{self._environment.prefix}: {description}",
            allow_all_outbound=False,
        )

"""A function, in a VPC if its database is in one, with nothing that it does not need."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.config import Environment
from stacks.logs import log_group
from stacks.runtime import runtimes

# What the Lambda service does with a function's role to attach it to a VPC.
# Source: Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC".
NETWORK_INTERFACE_ACTIONS = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]
ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


class VpcConfig(NamedTuple):
    """Where in a VPC a function is. The name is Lambda's."""

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    security_group: ec2.ISecurityGroup


class Function(Construct):
    """A function of the zip, with a role, a log group and concurrency of its own."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        handler: str,
        description: str,
        memory_mb: int,
        timeout: Duration,
        reserved_concurrency: int,
        variables: Mapping[str, str],
        environment: Environment[Any],
        runtime: str = "python",
        vpc_config: VpcConfig | None = None,
    ) -> None:
        super().__init__(scope, id)
        logs = log_group(self, "Logs", environment=environment)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        if vpc_config is not None:
            self.role.add_to_policy(iam.PolicyStatement(actions=NETWORK_INTERFACE_ACTIONS, resources=["*"]))
        logs.grant_write(self.role)
        shipped = import_module(runtimes()[runtime]).shipped(self, environment, handler)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=shipped.runtime,
            architecture=ARCHITECTURES[environment.runtime.architecture],
            code=shipped.code,
            handler=shipped.handler,
            environment=dict(variables),
            memory_size=memory_mb,
            timeout=timeout,
            reserved_concurrent_executions=reserved_concurrency,
            role=self.role,
            vpc=vpc_config.vpc if vpc_config else None,
            vpc_subnets=vpc_config.subnets if vpc_config else None,
            security_groups=[vpc_config.security_group] if vpc_config else None,
            log_group=logs,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
        )
        if vpc_config is not None:
            self._keep_interfaces_from_code()

    def _keep_interfaces_from_code(self) -> None:
        """Deny the function's own code what the Lambda service may do with its role.

        A policy of its own, since the role's default policy is made before the function, whose ARN this names.
        Source: Lambda Developer Guide, "Giving Lambda functions access …", the condition lambda:SourceFunctionArn.
        """
        arn = self.function.function_arn
        iam.Policy(
            self,
            "NoInterfaces",
            roles=[self.role],
            statements=[
                iam.PolicyStatement(
                    effect=iam.Effect.DENY,
                    actions=[*NETWORK_INTERFACE_ACTIONS, "ec2:DetachNetworkInterface"],
                    resources=["*"],
                    conditions={"ArnLike": {"lambda:SourceFunctionArn": [arn, f"{arn}:*"]}},  # and its versions
                )
            ],
        )

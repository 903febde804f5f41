"""What can be replaced at any time."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from constructs import Construct

from stacks.api import Api
from stacks.config import Environment
from stacks.data_stack import DataStack
from stacks.function import Function


class ServiceStack(Stack):
    """The function, and the API in front of it."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        data: DataStack,
        environment: Environment,
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(scope, id, **options)
        self.projects = Function(
            self,
            "Projects",
            handler="lambda_src.projects.handler.handler",
            description="The API's requests about projects",
            memory_mb=environment.api.memory_mb,
            timeout=Duration.seconds(environment.api.timeout_seconds),
            reserved_concurrency=environment.api.reserved_concurrency,
            network=data.network,
            security_group=data.network.clients,
            environment=environment,
            variables=data.proxy.variables(environment.api),
        )
        data.proxy.allow(self.projects.role)
        self.api = Api(self, "Api", function=self.projects.function, environment=environment)
        CfnOutput(self, "ApiUrl", value=self.api.url)

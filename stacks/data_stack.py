"""What must survive a deployment."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from stacks.config import Environment
from stacks.credentials import Credentials
from stacks.database import Database
from stacks.migrations import Migrations
from stacks.network import Network
from stacks.proxy import Proxy


class DataStack(Stack):
    """Network, credentials, database, migrations and proxy.

    Renaming a construct replaces what it stands for: tests/infrastructure/test_logical_ids.py holds the names.
    """

    def __init__(self, scope: Construct, id: str, *, environment: Environment, options: Mapping[str, Any]) -> None:
        super().__init__(scope, id, **options)
        self.network = Network(self, "Network", environment=environment)
        self.credentials = Credentials(self, "Credentials", environment=environment)
        self.database = Database(
            self, "Database", network=self.network, credentials=self.credentials, environment=environment
        )
        self.migrations = Migrations(
            self,
            "Migrations",
            network=self.network,
            database=self.database,
            credentials=self.credentials,
            environment=environment,
        )
        self.proxy = Proxy(
            self,
            "Proxy",
            network=self.network,
            database=self.database,
            credentials=self.credentials,
            environment=environment,
        )
        self.proxy.wait_for(self.migrations.run)
        CfnOutput(self, "DatabaseHost", value=self.database.host)
        CfnOutput(self, "ProxyHost", value=self.proxy.proxy.endpoint)

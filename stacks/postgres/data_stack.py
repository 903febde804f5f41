"""What must survive a deployment."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from stacks.config import Environment
from stacks.notifications import Notifications
from stacks.postgres.credentials import Credentials
from stacks.postgres.database import Database
from stacks.postgres.migrations import Migrations
from stacks.postgres.network import Network
from stacks.postgres.proxy import Proxy
from stacks.postgres.rotation import Rotation


class DataStack(Stack):
    """Network, credentials, database, migrations, proxy, and rotation where there are passwords.

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
        self.rotation: Rotation | None = None
        if self.credentials.secrets is not None:
            self.rotation = Rotation(
                self,
                "Rotation",
                network=self.network,
                database=self.database,
                secrets=self.credentials.secrets,
                environment=environment,
            )
            self.rotation.wait_for(self.migrations.run, self.proxy.target_group)
        self.notifications = Notifications(self, "Notifications", environment=environment)
        self.proxy.tell(self.notifications)
        if self.rotation is not None:
            self.notifications.tell_of(self.rotation.failed)
        CfnOutput(self, "DatabaseHost", value=self.database.host)
        CfnOutput(self, "ProxyHost", value=self.proxy.proxy.endpoint)

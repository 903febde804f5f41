"""The IAM token by boto3, from one client that is made when the function starts."""

from typing import Any

import boto3

from benchmarks.projects.baselines.sample import HOST, PORT, USER

client: Any = boto3.client("rds")


def token() -> str:
    """A password for the next 15 minutes."""
    return str(client.generate_db_auth_token(DBHostname=HOST, Port=int(PORT), DBUsername=USER))

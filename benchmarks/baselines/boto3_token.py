"""The token as the User Guide shows it: takes the place of lambda_src/database/iam_token.py in the ordinary build."""

import boto3

client = boto3.client("rds")


def mint(host: str, port: int, user: str, region: str) -> str:
    """A token that lets `user` log in to the database or proxy at `host`:`port` during the next 15 minutes."""
    return str(client.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user, Region=region))

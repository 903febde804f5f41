"""Run by deployments of changed code: roles, then migrations, directly on the database instance."""

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from lambda_src.database import iam_token, instance
from lambda_src.database.settings import require
from lambda_src.migrations.roles import MIGRATOR, ensure_roles, lend_password, revoke_password
from lambda_src.migrations.runner import migrate, read

logging.getLogger("lambda_src").setLevel(logging.INFO)

# What the template gives this function, by how the environment's users log in; a test compares the two.
VARIABLES = (*instance.VARIABLES, "DB_USER", "DB_STATEMENT_TIMEOUT_SECONDS")
VARIABLES_WITH_SECRETS = (*VARIABLES, "MASTER_SECRET_ARN", "APPLICATION_SECRET_ARN")
VARIABLES_WITH_IAM = (*VARIABLES, "DB_MASTER_USER")
MIGRATIONS = Path(__file__).parent / "sql"
LOGIN_ATTEMPTS, LOGIN_PAUSE = 3, 1.0  # seconds; a rotation may be changing the master's password


def handler(_event: object, _context: object) -> dict[str, Any]:
    """Bring the database to this version; an exception fails the deployment with its message."""
    uses_iam = "DB_MASTER_USER" in os.environ
    require(VARIABLES_WITH_IAM if uses_iam else VARIABLES_WITH_SECRETS)
    with _as_master(uses_iam) as master:
        # Of two deployments one waits here. So does a rotation, which would change what is read two lines below.
        master.execute("SELECT pg_advisory_lock(%s)", [instance.PASSWORD_LOCK])
        ensure_roles(
            master,
            application=os.environ["DB_USER"],
            password=None if uses_iam else _secret(os.environ["APPLICATION_SECRET_ARN"])["password"],
            statement_timeout=float(os.environ["DB_STATEMENT_TIMEOUT_SECONDS"]),
        )
        with _as_migrator(master, uses_iam) as migrator:
            return {"applied": migrate(migrator, read(MIGRATIONS))}


def _as_master(uses_iam: bool) -> psycopg.Connection:
    if uses_iam:
        return _with_token(os.environ["DB_MASTER_USER"])
    for attempt in range(1, LOGIN_ATTEMPTS + 1):
        secret = _secret(os.environ["MASTER_SECRET_ARN"])
        try:
            return instance.connect(secret["username"], secret["password"])
        except psycopg.OperationalError:
            if attempt == LOGIN_ATTEMPTS:
                raise
            time.sleep(LOGIN_PAUSE)
    raise AssertionError("the last attempt returned or raised")


@contextlib.contextmanager
def _as_migrator(master: psycopg.Connection, uses_iam: bool) -> Iterator[psycopg.Connection]:
    """A session that can become the owner of the tables, and not what the master is: RESET ROLE leads nowhere."""
    if uses_iam:
        with _with_token(MIGRATOR) as connection:
            yield connection
        return
    try:
        with instance.connect(MIGRATOR, lend_password(master)) as connection:
            yield connection
    finally:
        revoke_password(master)


def _with_token(user: str) -> psycopg.Connection:
    host, port, region = os.environ["DB_HOST"], int(os.environ["DB_PORT"]), os.environ["AWS_REGION"]
    return instance.connect(user, iam_token.mint(host, port, user, region))


def _secret(arn: str) -> dict[str, str]:
    import boto3  # the runtime has it; the zip does not

    text = boto3.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    secret: dict[str, str] = json.loads(text)
    return secret

"""Run by every deployment: roles, then migrations, directly on the database instance."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from lambda_src.database import instance
from lambda_src.migrations.roles import ensure_roles
from lambda_src.migrations.runner import migrate, read

logging.getLogger("lambda_src").setLevel(logging.INFO)

# What the template gives this function; a test compares the two.
VARIABLES = (
    "DB_HOST",
    "DB_PORT",
    "DB_NAME",
    "DB_USER",
    "DB_STATEMENT_TIMEOUT_SECONDS",
    "MASTER_SECRET_ARN",
    "APPLICATION_SECRET_ARN",
)
MIGRATIONS = Path(__file__).parent / "sql"
# A database instance's certificate leads to Amazon RDS's own authorities, which are in no ordinary bundle.
RDS_AUTHORITIES = Path(__file__).parents[1] / "database" / "rds-ca.pem"
CONNECT_TIMEOUT = 10  # seconds


def handler(_event: object, _context: object) -> dict[str, Any]:
    """Bring the database to this version; an exception fails the deployment with its message."""
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if missing:
        raise InvalidSettings(f"missing environment variables: {', '.join(missing)}; set them on the function")
    application = _secret(os.environ["APPLICATION_SECRET_ARN"])
    with _connect(_secret(os.environ["MASTER_SECRET_ARN"])) as connection:
        ensure_roles(
            connection,
            application=os.environ["DB_USER"],
            password=application["password"],
            statement_timeout=float(os.environ["DB_STATEMENT_TIMEOUT_SECONDS"]),
        )
        return {"applied": migrate(connection, read(MIGRATIONS))}


def _connect(master: dict[str, str]) -> psycopg.Connection:
    return psycopg.connect(
        host=os.environ["DB_HOST"],
        port=os.environ["DB_PORT"],
        dbname=os.environ["DB_NAME"],
        user=master["username"],
        password=master["password"],
        sslmode="verify-full",
        sslrootcert=_root_bundle(os.environ["DB_HOST"]),
        connect_timeout=CONNECT_TIMEOUT,
        autocommit=True,
    )


def _root_bundle(host: str) -> str:
    """RDS's authorities for an RDS endpoint; for a PostgreSQL elsewhere the bundle that SSL_CERT_FILE names."""
    is_rds = host.endswith((".rds.amazonaws.com", ".rds.amazonaws.com.cn"))
    return str(RDS_AUTHORITIES) if is_rds else root_bundle()


def _secret(arn: str) -> dict[str, str]:
    import boto3  # the runtime has it; the zip does not

    text = boto3.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    secret: dict[str, str] = json.loads(text)
    return secret

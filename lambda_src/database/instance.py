"""The way to the database instance itself, for what must not go through RDS Proxy: roles, migrations, rotation."""

import os
from pathlib import Path

import psycopg
from psycopg import sql

from lambda_src.database.settings import root_bundle

# What the template gives a function that connects here.
VARIABLES = ("DB_HOST", "DB_PORT", "DB_NAME")
# A database instance's certificate leads to Amazon RDS's own authorities, which are in no ordinary bundle.
RDS_AUTHORITIES = Path(__file__).with_name("rds-ca.pem")
CONNECT_TIMEOUT = 10  # seconds
PASSWORD_LOCK = 0x5041_5353  # any number; whoever makes a secret and its role agree holds this advisory lock


def connect(user: str, password: str) -> psycopg.Connection:
    """A connection in autocommit to the instance that the environment variables name, verified by its certificate."""
    return psycopg.connect(
        host=os.environ["DB_HOST"],
        port=os.environ["DB_PORT"],
        dbname=os.environ["DB_NAME"],
        user=user,
        password=password,
        sslmode="verify-full",
        sslrootcert=_root_bundle(os.environ["DB_HOST"]),
        connect_timeout=CONNECT_TIMEOUT,
        application_name=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),  # in pg_stat_activity: who goes past the proxy
        autocommit=True,
    )


def set_password(connection: psycopg.Connection, role: str, password: str) -> None:
    """Change a role's password. It is hashed here, so that no log of statements ever holds it."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(role), sql.Literal(verifier)))


def _root_bundle(host: str) -> str:
    """RDS's authorities for an RDS endpoint; for a PostgreSQL elsewhere the bundle that SSL_CERT_FILE names."""
    is_rds = host.endswith((".rds.amazonaws.com", ".rds.amazonaws.com.cn"))
    return str(RDS_AUTHORITIES) if is_rds else root_bundle()

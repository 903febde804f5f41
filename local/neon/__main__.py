"""A project at Neon on this machine: `python -m local.neon` with its description on standard input.

It is what a user has before `cdk deploy`: a database with the role of its owner, and a secret with the two URLs.
"""

import json
import secrets
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import boto3
import psycopg
from psycopg import sql

from local.debian import require
from local.neon.servers import Neon
from local.postgres.server import SUPERUSER, Server, binaries

DATABASE, OWNER, APPLICATION = "neondb", "neondb_owner", "application"
MAX_CONNECTIONS = "104"  # of Neon's smallest compute


@dataclass(frozen=True, kw_only=True)
class Project:
    """What standard input describes, as one JSON object: folders, the local AWS, and where the URLs belong there."""

    state: str
    certificates: str
    endpoint: str
    region: str
    secret_name: str
    migrations_secret_name: str | None


def main() -> None:
    """Serve until SIGTERM. A line of JSON says when it is ready; a failure is a sentence and a status other than 0."""
    project = Project(**json.load(sys.stdin))
    directory, logs = Path(project.state) / "neon", Path(project.state) / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        require("pgbouncer", package="pgbouncer")  # before anything is started
        with Server(directory, {"max_connections": MAX_CONNECTIONS}) as server:
            password = _prepare(server)
            with Neon(server, Path(project.certificates), logs) as neon:
                _tell(project, neon, password)
                print(json.dumps({"ready": True, "ask": _psql(server)}), flush=True)
                ended.wait()
    except (RuntimeError, OSError) as error:
        sys.exit(f"Neon's stand-in did not start: {error}")


def _prepare(server: Server) -> str:
    """The owner's role and its database, as Neon makes them; returns the role's new password."""
    password = secrets.token_urlsafe(24)
    with psycopg.connect(
        host=str(server.socket_directory), user=SUPERUSER, dbname="postgres", autocommit=True
    ) as admin:
        owner = sql.Identifier(OWNER)
        if admin.execute("SELECT FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone() is None:
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE").format(owner))
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(owner, sql.Literal(password)))
        if admin.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), owner))
    return password


def _psql(server: Server) -> str:
    """A command for the person who ran `make up`."""
    where = f"host={server.socket_directory} user={SUPERUSER} dbname={DATABASE}"
    return f'{binaries() / "psql"} "{where}" -c "TABLE project"'


def _tell(project: Project, neon: Neon, password: str) -> None:
    """Put the URLs into the local Secrets Manager, as docs/options/neon.md says."""
    value = {
        "url": neon.url(APPLICATION, secrets.token_urlsafe(24), DATABASE),
        "direct_url": neon.url(OWNER, password, DATABASE, port=neon.direct_port),
        "sql_endpoint": neon.sql_endpoint,
    }
    client = boto3.client(
        "secretsmanager",
        endpoint_url=project.endpoint,
        region_name=project.region,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 (the local AWS's administrator)
    )
    for name in filter(None, (project.secret_name, project.migrations_secret_name)):
        try:
            client.create_secret(Name=name, SecretString=json.dumps(value))
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=json.dumps(value))


if __name__ == "__main__":
    main()

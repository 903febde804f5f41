"""An RDS for PostgreSQL instance on this machine: `python -m local.postgres` with its description on standard input."""

import asyncio
import json
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from local.certificates import server_certificate
from local.postgres.endpoint import Endpoint
from local.postgres.server import SUPERUSER, Server


@dataclass(frozen=True, kw_only=True)
class Instance:
    """What standard input describes, as one JSON object."""

    directory: str
    address: str
    port: int
    certificates: str
    database: str
    master_user: str
    master_password: str = field(repr=False)
    parameters: dict[str, str] = field(default_factory=dict)


def prepare(server: Server, instance: Instance) -> None:
    """Bring roles and database to what RDS gives a new instance; changes nothing that is already so."""
    with psycopg.connect(
        host=str(server.socket_directory), user=SUPERUSER, dbname="postgres", autocommit=True
    ) as connection:
        for role in ("rds_superuser", "rds_iam", "rds_password", "rdsproxyadmin", instance.master_user):
            if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        master = sql.Identifier(instance.master_user)
        verifier = connection.pgconn.encrypt_password(
            instance.master_password.encode(), instance.master_user.encode(), b"scram-sha-256"
        ).decode()
        connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(master, sql.Literal(verifier))
        )
        for group in ("rds_superuser", "rds_iam", "rds_password"):
            connection.execute(sql.SQL("GRANT {} TO {} WITH ADMIN OPTION").format(sql.Identifier(group), master))
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [instance.database]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(instance.database), master))


async def serve(server: Server, instance: Instance) -> None:
    """Accept TLS clients until SIGTERM or SIGINT."""
    endpoint = Endpoint(server.socket_directory, *server_certificate(Path(instance.certificates), instance.address))
    listener = await endpoint.listen(instance.address, instance.port)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    print(json.dumps({"ready": True, "socket_directory": str(server.socket_directory)}), flush=True)
    await ended.wait()
    listener.close()


def main() -> None:
    """Start the instance that standard input describes, and end with the reason when it can't be."""
    try:
        instance = Instance(**json.load(sys.stdin))
        with Server(Path(instance.directory), instance.parameters) as server:
            prepare(server, instance)
            asyncio.run(serve(server, instance))
    except (OSError, RuntimeError, TypeError, ValueError, psycopg.Error) as error:
        sys.exit(f"the database instance could not start: {error}")


if __name__ == "__main__":
    main()

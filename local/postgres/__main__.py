"""An RDS for PostgreSQL instance on this machine: `python -m local.postgres` with its description on standard input."""

import asyncio
import hashlib
import json
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from local.certificates import server_certificate
from local.postgres.endpoint import Endpoint
from local.postgres.iam import Iam, IamLogins, is_member_of_rds_iam
from local.postgres.server import SUPERUSER, Server

LOOK_SECONDS = 0.1  # between two looks whether PostgreSQL is still there


@dataclass(frozen=True, kw_only=True)
class Instance:
    """What standard input describes, as one JSON object."""

    directory: str
    address: str
    port: int
    certificates: str
    database: str
    master_user: str
    master_password: str | None = field(repr=False)  # None: the master logs in by IAM
    parameters: dict[str, str] = field(default_factory=dict)
    iam: dict[str, str | None] | None = None  # the fields of Iam, where IAM database authentication is enabled

    @property
    def access(self) -> list[str]:
        """Lines of pg_hba.conf. A token is checked where TLS ends: whoever gets here as a member has shown one."""
        if self.iam is None:
            return []
        # PostgreSQL counts the master, who may grant rds_iam, as a member.
        master = "trust" if self.master_password is None else "scram-sha-256"
        return [f"local all {self.master_user} {master}", "local all +rds_iam trust"]


def prepare(server: Server, instance: Instance) -> None:
    """Bring roles and database to what RDS gives a new instance; changes nothing that is already so."""
    with psycopg.connect(
        host=str(server.socket_directory), user=SUPERUSER, dbname="postgres", autocommit=True
    ) as connection:
        for role in ("rds_superuser", "rds_iam", "rds_password", "rdsproxyadmin", instance.master_user):
            if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        master = sql.Identifier(instance.master_user)
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN CREATEDB CREATEROLE").format(master))
        set_master_password(connection, instance)
        for group in ("rds_superuser", "rds_iam", "rds_password"):
            connection.execute(sql.SQL("GRANT {} TO {} WITH ADMIN OPTION").format(sql.Identifier(group), master))
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [instance.database]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(instance.database), master))


def set_master_password(connection: psycopg.Connection, instance: Instance) -> None:
    """Set the password that is described, unless it was before: it may have been changed in the database since.

    So does RDS, where a password is changed by ModifyDBInstance, and a restart changes none.
    """
    done = Path(instance.directory) / "master-password.sha256"
    described = hashlib.sha256((instance.master_password or "").encode()).hexdigest()
    if done.exists() and done.read_text() == described:
        return
    verifier = None
    if instance.master_password is not None:
        password, user = instance.master_password.encode(), instance.master_user.encode()
        verifier = connection.pgconn.encrypt_password(password, user, b"scram-sha-256").decode()
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(instance.master_user), sql.Literal(verifier)))
    done.write_text(described)


def logins(server: Server, instance: Instance) -> IamLogins | None:
    """How users log in by IAM, where the instance has it enabled."""
    if instance.iam is None:
        return None

    def needs_token(user: str) -> bool:
        if user == instance.master_user:
            return instance.master_password is None
        return is_member_of_rds_iam(server.socket_directory, user)

    iam = Iam(**instance.iam)  # type: ignore[arg-type]  # what a process is told is checked where it is used
    return IamLogins(iam, address=instance.address, port=instance.port, needs_token=needs_token)


async def serve(server: Server, instance: Instance) -> None:
    """Accept TLS clients until SIGTERM or SIGINT."""
    certificate, key = server_certificate(Path(instance.certificates), instance.address)
    endpoint = Endpoint(server.socket_directory, certificate, key, logins(server, instance))
    listener = await endpoint.listen(instance.address, instance.port)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    print(json.dumps({"ready": True, "socket_directory": str(server.socket_directory)}), flush=True)
    supervision = asyncio.create_task(keep_running(server))
    await ended.wait()
    supervision.cancel()
    listener.close()


async def keep_running(server: Server) -> None:
    """Start PostgreSQL again whenever it has ended by itself, as RDS does after a crash."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if server.process.poll() is not None:
            try:
                server.start()  # not in another thread: PostgreSQL would end with that one
            except RuntimeError as error:
                print(error, file=sys.stderr, flush=True)


def main() -> None:
    """Start the instance that standard input describes, and end with the reason when it can't be."""
    try:
        instance = Instance(**json.load(sys.stdin))
        with Server(Path(instance.directory), instance.parameters, instance.access) as server:
            prepare(server, instance)
            asyncio.run(serve(server, instance))
    except (OSError, RuntimeError, TypeError, ValueError, psycopg.Error) as error:
        sys.exit(f"the database instance could not start: {error}")


if __name__ == "__main__":
    main()

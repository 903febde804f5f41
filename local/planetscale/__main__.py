"""A database at PlanetScale on this machine: `python -m local.planetscale` with its description on standard input.

It is what a user has before `cdk deploy`: a database with two users, and a secret with the URL of each.
"""

import json
import secrets
import shlex
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import boto3

from local.debian import require
from local.planetscale.mariadb import PACKAGE, PROGRAM, Instance, Server

ADDRESS, DATABASE = "127.0.0.1", "projects"
LOOK_SECONDS = 0.5  # between two looks whether MariaDB is still there


@dataclass(frozen=True, kw_only=True)
class Description:
    """What standard input says, as one JSON object: folders, the local AWS, and where the URLs belong there."""

    state: str
    certificates: str
    endpoint: str
    region: str
    secret_name: str
    migrations_secret_name: str | None


def main() -> None:
    """Serve until SIGTERM. A line of JSON says when it is ready; a failure is a sentence and a status other than 0."""
    description = Description(**json.load(sys.stdin))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        with Server(_instance(description), require(PROGRAM, package=PACKAGE)) as server:
            _put_urls(description, server.instance)
            print(json.dumps({"ready": True, "ask": _ask(server)}), flush=True)
            while not ended.wait(LOOK_SECONDS):
                server.check()
    except (RuntimeError, OSError) as error:
        sys.exit(f"PlanetScale's stand-in did not start, or ended: {error}")


def _instance(description: Description) -> Instance:
    with socket.create_server((ADDRESS, 0)) as free:
        port = free.getsockname()[1]
    return Instance(
        directory=str(Path(description.state) / "planetscale"),
        address=ADDRESS,
        port=port,
        certificates=description.certificates,
        database=DATABASE,
        application=secrets.token_urlsafe(24),
        migrator=secrets.token_urlsafe(24),
    )


def _put_urls(description: Description, instance: Instance) -> None:
    """Put the URLs into the local Secrets Manager, as docs/options/planetscale.md says."""
    client = boto3.client(
        "secretsmanager",
        endpoint_url=description.endpoint,
        region_name=description.region,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 (the local AWS's administrator)
    )
    migrations = description.migrations_secret_name
    users = {"application": description.secret_name, "migrator": migrations}
    for user, name in (users if migrations else {"migrator": description.secret_name}).items():
        password: str = getattr(instance, user)
        url = f"mysql://{user}:{password}@{instance.address}:{instance.port}/{instance.database}"
        try:
            client.create_secret(Name=name, SecretString=url)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=url)


def _ask(server: Server) -> str:
    """A command for the person who ran `make up`."""
    statement = "SELECT * FROM project"
    return shlex.join([sys.executable, "-m", "local.planetscale.mariadb", str(server.socket), DATABASE, statement])


if __name__ == "__main__":
    main()

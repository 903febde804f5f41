"""What the function meets on AWS, on this machine: PostgreSQL with the service's schema, and the stand-in before it."""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import UUID

import psycopg

from benchmarks.forwarder import Address, Forwarder
from lambda_src.migrations.roles import ensure_roles
from lambda_src.migrations.runner import migrate, read
from local import resource
from local.certificates import root_bundle, server_certificate
from local.postgres import Server
from local.postgres.__main__ import Instance, prepare
from local.postgres.server import SUPERUSER
from stacks.config import RdsPostgres

ROOT = Path(__file__).parents[1]
MIGRATIONS = ROOT / "lambda_src" / "migrations" / "sql"
DATABASE, MASTER, APPLICATION = "service", "master", "application"
TENANT = "acme"
PASSWORD = "not a secret: made for a benchmark"  # noqa: S105
ACCESS_KEY = {
    "AWS_ACCESS_KEY_ID": "AKIABENCHMARK",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
HOST, PROXY_HOST = "127.0.0.1", "127.0.0.2"  # of the forwarder, which has the proxy's name, and of the proxy


@contextlib.contextmanager
def database(directory: Path, **parameters: str) -> Iterator[Server]:
    """A running PostgreSQL with the service's schema; `parameters` are PostgreSQL's own."""
    instance = Instance(
        directory=str(directory),
        address=HOST,
        port=0,
        certificates="",
        database=DATABASE,
        master_user=MASTER,
        master_password=PASSWORD,
        parameters={"max_connections": "100", **parameters},
    )
    with Server(directory, instance.parameters) as server:
        prepare(server, instance)
        with _connected(server, MASTER, PASSWORD) as connection:
            ensure_roles(connection, application=APPLICATION, password=PASSWORD, statement_timeout=30)
            migrate(connection, read(MIGRATIONS))
        yield server


@contextlib.contextmanager
def running() -> Iterator[tuple[Server, "Proxy"]]:
    """PostgreSQL with a thousand rows of the tenant `acme`, and the stand-in before it."""
    with tempfile.TemporaryDirectory() as temporary:
        folders = Path(temporary, "database"), Path(temporary, "proxy")
        folders[1].mkdir()
        with database(folders[0]) as server:
            fill(server, 1000)
            with proxy(server, folders[1]) as stand_in:
                yield server, stand_in


def row_id(number: int) -> str:
    """The id of the row that `fill` made as the `number`-th."""
    return str(UUID(int=0x0192F0C1_5C7E_7CC4_A5A1_000000000000 + number))


def fill(server: Server, count: int) -> None:
    """Store rows of the tenant `acme`, each with a time of its own."""
    rows = ({"tenant": TENANT, "id": row_id(n), "text": f"Projekt {n}: ein “guter” Name"} for n in range(count))
    with as_superuser(server) as connection:
        for row in rows:
            connection.execute(resource.ADD, row)
        connection.execute(f"ANALYZE {resource.TABLE}")


def as_superuser(server: Server) -> psycopg.Connection:
    """A connection that may do and see everything, in autocommit."""
    return _connected(server, SUPERUSER, None)


@dataclass
class Proxy:
    """The stand-in behind a forwarder that has its name and port."""

    forwarder: Forwarder
    certificates: Path
    metrics_address: Address
    log: Path

    @property
    def variables(self) -> dict[str, str]:
        """A function's environment variables, its platform's included."""
        host, port = self.forwarder.address
        return {
            **ACCESS_KEY,
            "STORE": RdsPostgres.code,
            "DB_HOST": host,
            "DB_PORT": str(port),
            "DB_NAME": DATABASE,
            "DB_USER": APPLICATION,
            "DB_CONNECT_TIMEOUT_SECONDS": "5",
            "DB_DEADLINE_SECONDS": "10",
            "DB_CONNECTION_MAX_AGE_SECONDS": "600",
            "SSL_CERT_FILE": str(self.certificates / "ca.pem"),
        }

    def metrics(self) -> dict[str, Any]:
        """What the stand-in counts, under CloudWatch's names."""
        host, port = self.metrics_address
        with urlopen(f"http://{host}:{port}/metrics.json", timeout=5) as response:
            found: dict[str, Any] = json.load(response)
        return found


@contextlib.contextmanager
def proxy(server: Server, directory: Path, *, percent: int = 90) -> Iterator[Proxy]:
    """The stand-in, which may use `percent` of the server's connections, behind a forwarder without delay."""
    root_bundle(directory)
    with Forwarder((PROXY_HOST, 0), listen=(HOST, 0)) as forwarder, (directory / "log").open("w") as log:
        # A token names one host and one port: the proxy listens on the forwarder's port, at another address.
        port, metrics = forwarder.address[1], (HOST, _free_port())
        forwarder.upstream = (PROXY_HOST, port)
        command = _command(server, directory, port, metrics, percent)
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            _wait_until_ready(process, directory / "log")
            yield Proxy(forwarder, directory, metrics, directory / "log")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)


def _command(server: Server, directory: Path, port: int, metrics: Address, percent: int) -> list[str]:
    certificate, key = server_certificate(directory, HOST)
    access_key = {"secret_access_key": ACCESS_KEY["AWS_SECRET_ACCESS_KEY"], "session_token": None}
    credentials = _written(directory / "credentials.json", {APPLICATION: PASSWORD})
    access_keys = _written(directory / "access-keys.json", {ACCESS_KEY["AWS_ACCESS_KEY_ID"]: access_key})
    return [
        *(sys.executable, "-m", "local.rds_proxy", "--listen", f"{PROXY_HOST}:{port}", "--endpoint", HOST),
        *("--tls-certificate", str(certificate), "--tls-key", str(key), "--upstream", str(server.socket_directory)),
        *("--region", ACCESS_KEY["AWS_REGION"], "--credentials", credentials, "--access-keys", access_keys),
        *("--max-connections-percent", str(percent), "--max-idle-connections-percent", str(percent)),
        *("--connection-borrow-timeout", "5", "--metrics", "{}:{}".format(*metrics)),
    ]


def _written(path: Path, content: Mapping[str, object]) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def _wait_until_ready(process: subprocess.Popen[str], log: Path) -> None:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError(f"the stand-in did not start:\n{log.read_text()}")


def _free_port() -> int:
    with Forwarder((HOST, 0)) as passing:
        return passing.address[1]


def _connected(server: Server, user: str, password: str | None) -> psycopg.Connection:
    host = str(server.socket_directory)
    return psycopg.connect(host=host, user=user, password=password, dbname=DATABASE, autocommit=True)

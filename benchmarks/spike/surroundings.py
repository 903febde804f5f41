"""What the execution environments meet: PostgreSQL with 100 connections, its TLS end, and the stand-in before it."""

import asyncio
import contextlib
import json
import logging
import multiprocessing
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from benchmarks.data_plane import ACCESS_KEY, APPLICATION, DATABASE, HOST, PASSWORD, ROOT, as_superuser, database
from benchmarks.deployed import free_port
from local import resource
from local.certificates import root_bundle, server_certificate
from local.postgres import Server
from local.postgres.endpoint import Endpoint
from stacks.config import RdsPostgres

MAX_CONNECTIONS, POOL_PERCENT = 100, 20
COUNT = f"SELECT count(*) FROM {resource.TABLE}"  # noqa: S608 (constants)
READY = '{"ready": true'


@dataclass(frozen=True)
class Surroundings:
    """PostgreSQL, and the two ways to it. `metrics_port` is where the stand-in has its live page while it runs."""

    server: Server
    directory: Path
    direct_port: int
    metrics_port: int

    @contextlib.contextmanager
    def way(self, name: str) -> Iterator[int]:
        """The port of 127.0.0.1 at which a way begins: `direct`, or `pooled` through a stand-in that runs meanwhile.

        It runs no longer, since its pool would keep connections that clients are to have directly.
        """
        if name == "direct":
            yield self.direct_port
        else:
            with _stand_in(self) as port:
                yield port

    def variables(self, port: int, seconds: float) -> dict[str, str]:
        """A function's environment variables, its platform's included."""
        return {
            **ACCESS_KEY,
            "STORE": RdsPostgres.code,
            "DB_HOST": HOST,
            "DB_PORT": str(port),
            "DB_NAME": DATABASE,
            "DB_USER": APPLICATION,
            "DB_CONNECT_TIMEOUT_SECONDS": str(seconds),
            "DB_DEADLINE_SECONDS": str(seconds),
            "DB_CONNECTION_MAX_AGE_SECONDS": "3600",
            "SSL_CERT_FILE": str(self.directory / "certificates" / "ca.pem"),
        }

    def server_connections(self) -> int:
        """The application's connections as the operating system sees them: PostgreSQL has a process for each.

        What is still starting up may yet be refused, and is not counted.
        """
        titles = (_title(child) for child in self._backends())
        return sum(each.startswith(f"postgres: {APPLICATION} ") and "startup" not in each for each in titles)

    def empty(self) -> None:
        """Delete what a phase has stored."""
        with as_superuser(self.server) as connection:
            connection.execute(f"TRUNCATE {resource.TABLE}")

    def rows(self) -> int:
        """The rows that are stored."""
        with as_superuser(self.server) as connection:
            (count,) = connection.execute(COUNT).fetchone() or (0,)
            return int(count)

    def _backends(self) -> list[psutil.Process]:
        try:
            found: list[psutil.Process] = psutil.Process(self.server.process.pid).children()
        except psutil.NoSuchProcess:
            return []
        return found


@contextlib.contextmanager
def surroundings(directory: Path) -> Iterator[Surroundings]:
    """All of it, running; ends with the block."""
    certificates = directory / "certificates"
    root_bundle(certificates)
    with database(directory / "postgres", max_connections=str(MAX_CONNECTIONS)) as server:
        _trust_the_application(server)
        with _endpoint(server, certificates) as direct:
            yield Surroundings(server, directory, direct, free_port())


def _trust_the_application(server: Server) -> None:
    """Let it log in without a password: PostgreSQL itself knows no IAM token."""
    access = server.directory / "data" / "pg_hba.conf"
    access.write_text(f"local all {APPLICATION} trust\n{access.read_text()}")
    with as_superuser(server) as connection:
        connection.execute("SELECT pg_reload_conf()")


@contextlib.contextmanager
def _endpoint(server: Server, certificates: Path) -> Iterator[int]:
    """The port of PostgreSQL's TLS end, in a process of its own: it does the cryptography of every direct client."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    certificate, key = server_certificate(certificates, HOST)
    process = context.Process(target=_serve, args=(theirs, server.socket_directory, certificate, key), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.kill()  # there is nothing to put in order
        process.join()


def _serve(pipe: Connection, socket_directory: Path, certificate: Path, key: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of every client that leaves under TLS

    async def serve() -> None:
        listener = await Endpoint(socket_directory, certificate, key).listen(HOST, 0)
        pipe.send(listener.sockets[0].getsockname()[1])
        await listener.serve_forever()

    asyncio.run(serve())


@contextlib.contextmanager
def _stand_in(around: Surroundings) -> Iterator[int]:
    directory, socket = around.directory, str(around.server.socket_directory)
    certificate, key = server_certificate(directory / "certificates", HOST)
    credentials, access_keys = directory / "credentials.json", directory / "access-keys.json"
    credentials.write_text(json.dumps({APPLICATION: PASSWORD}))
    access_key = {"secret_access_key": ACCESS_KEY["AWS_SECRET_ACCESS_KEY"], "session_token": None}
    access_keys.write_text(json.dumps({ACCESS_KEY["AWS_ACCESS_KEY_ID"]: access_key}))
    command = [
        *(
            sys.executable,
            "-m",
            "local.rds_proxy",
            "--listen",
            f"{HOST}:0",
            "--metrics",
            f"{HOST}:{around.metrics_port}",
        ),
        *("--tls-certificate", str(certificate), "--tls-key", str(key), "--upstream", socket),
        *("--region", ACCESS_KEY["AWS_REGION"], "--credentials", str(credentials), "--access-keys", str(access_keys)),
        *("--max-connections-percent", str(POOL_PERCENT), "--max-idle-connections-percent", str(POOL_PERCENT)),
    ]
    with (directory / "stand-in.log").open("w") as log:
        # A session of its own: Ctrl-C at a terminal is for us, who then end it in order.
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith(READY):
            raise RuntimeError(f"the stand-in did not start:\n{(directory / 'stand-in.log').read_text()}")
        yield json.loads(line)["port"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""  # it has ended

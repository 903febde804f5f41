"""A real PgBouncer in transaction mode, on a Unix socket: what Neon and PlanetScale Postgres have before a database."""

import os
import pwd
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import psycopg

from local.debian import require
from local.machine import SHORT, launcher
from local.postgres.server import SUPERUSER, Server

START_SECONDS, STOP_SECONDS = 10, 10
POOLER_CLIENTS, POOL_PERCENT, QUERY_WAIT_SECONDS = 10_000, 90, 120  # Neon's documentation, "Connection pooling"


class PgBouncer:
    """PgBouncer before a PostgreSQL, with Neon's settings. Each role logs in with its own password (SCRAM)."""

    def __init__(self, server: Server, log: Path) -> None:
        self._program = require("pgbouncer", package="pgbouncer")
        self._server = server
        self._log = log
        self._temporary = tempfile.TemporaryDirectory(prefix="headroom-", dir=SHORT)  # a socket's path is short
        self._directory = Path(self._temporary.name)
        self.socket = self._directory / ".s.PGSQL.5432"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._temporary.cleanup()

    def start(self) -> None:
        """Start it, and return when it accepts clients; RuntimeError with its log when it does not."""
        configuration = self._configure()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*launcher(), str(self._program), str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                process_group=0,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PgBouncer did not start:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it at once, and with it every client's connection."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)
            self._process = None
        self.socket.unlink(missing_ok=True)

    def _configure(self) -> Path:
        sockets = self._server.socket_directory
        with psycopg.connect(host=str(sockets), user=SUPERUSER, dbname="postgres") as connection:
            most = _max_connections(connection)
        users, configuration = self._directory / "users", self._directory / "pgbouncer.ini"
        users.write_text(f'"{SUPERUSER}" ""\n')
        settings = {
            "listen_addr": "",
            "listen_port": "5432",
            "unix_socket_dir": str(self._directory),
            "auth_type": "scram-sha-256",
            "auth_file": str(users),
            "auth_user": SUPERUSER,
            "auth_query": "SELECT usename, passwd FROM pg_shadow WHERE usename = $1",
            "pool_mode": "transaction",
            "max_client_conn": str(POOLER_CLIENTS),
            "default_pool_size": str(most * POOL_PERCENT // 100),
            "query_wait_timeout": str(QUERY_WAIT_SECONDS),
            "server_login_retry": "0.2",  # Neon's is not published
            "ignore_startup_parameters": "extra_float_digits",
        }
        lines = [
            "[databases]",
            f"* = host={sockets} port=5432",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in settings.items()),
        ]
        configuration.write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:  # it refuses to run as root
            nobody = pwd.getpwnam("nobody")
            for path in (self._directory, users, configuration):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        return configuration


def _max_connections(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT current_setting('max_connections')::integer").fetchone()
    return int(row[0]) if row else 100

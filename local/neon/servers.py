"""Everything that stands in for Neon before one PostgreSQL: two endpoints for drivers and one for requests."""

import asyncio
import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from local.certificates import server_certificate
from local.neon.front import Front
from local.neon.pgbouncer import PgBouncer
from local.neon.sql_endpoint import SqlEndpoint
from local.postgres.server import SUPERUSER, Server

HOST = "localhost"  # a name: Neon's proxy wants to be told one, and libpq does not send an address


class Neon:
    """The pooled endpoint, the direct one and the one for SQL over HTTP, each on a loopback port of its own.

    A role's password is PostgreSQL's own, so that a change of it is known everywhere at once.
    """

    def __init__(self, server: Server, certificates: Path, logs: Path) -> None:
        self.server = server
        self.pgbouncer = PgBouncer(server, logs / "pgbouncer.log")
        certificate, key = server_certificate(certificates, HOST)
        direct = server.socket_directory / ".s.PGSQL.5432"
        self.fronts = {
            socket_path: Front(socket_path, certificate, key, self._verifier)
            for socket_path in (self.pgbouncer.socket, direct)
        }
        self.pooled_port, self.direct_port = free_ports(2)
        self._ports = dict(zip(self.fronts, (self.pooled_port, self.direct_port), strict=True))
        self.sql = SqlEndpoint(server.socket_directory, certificate, key, "127.0.0.1", 0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._listeners: list[asyncio.Server] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.pgbouncer)
            stack.enter_context(self.sql)
            self._thread.start()
            stack.callback(self._end)
            self._in_loop(self._listen())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def url(self, user: str, password: str, database: str, *, port: int | None = None) -> str:
        """The URL of a role, through the pooler unless another port is given."""
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return (
            f"postgresql://{login}@{HOST}:{port or self.pooled_port}/{database}?sslmode=require&channel_binding=require"
        )

    @property
    def sql_endpoint(self) -> str:
        """Where SQL over HTTP goes."""
        return f"https://{HOST}:{self.sql.port}/sql"

    async def _listen(self) -> None:
        for path, front in self.fronts.items():
            listener = await asyncio.start_server(front.serve, HOST, self._ports[path], backlog=1024)
            self._listeners.append(listener)

    def _in_loop(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    def _end(self) -> None:
        async def cancel() -> None:
            for listener in self._listeners:
                listener.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._in_loop(cancel())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _verifier(self, user: str) -> str | None:
        sockets = str(self.server.socket_directory)
        with psycopg.connect(host=sockets, user=SUPERUSER, dbname="postgres") as connection:
            row = connection.execute(
                "SELECT rolpassword FROM pg_authid WHERE rolname = %s AND rolcanlogin", [user]
            ).fetchone()
        return row[0] if row else None


def free_ports(count: int) -> list[int]:
    """Loopback ports on which nobody listens."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]

"""One connection to the database: opening it, logging in, and what is known about it."""

import asyncio
import contextlib
import itertools
import os
import select
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scramp import ScramClient, ScramException

from local.rds_proxy.connection import Connection
from local.rds_proxy.messages import (
    HEADER,
    IDLE,
    LENGTH,
    SSL_REQUEST,
    Answer,
    Authentication,
    Request,
    c_string,
    error_fields,
    message,
    startup,
    strings,
)

CONNECT_SECONDS = 10.0
TERMINATE_SECONDS = 1.0
LAST_WORDS = 64 * 1024  # bytes
# Not now, but perhaps soon: shutting down, crashed, starting up; too many connections; out of memory or disk.
NOT_NOW = ("57P01", "57P02", "57P03", "53")


class Group(NamedTuple):
    """Who may share a server connection: same user, same database, same startup parameters.

    "RDS Proxy only reuses the connection for other sessions that have the same values for those settings" (Amazon RDS
    User Guide, "Avoiding pinning an RDS Proxy"): this is how a client never sees another's settings.
    """

    user: str
    database: str
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Upstream:
    """Where the database is: a Unix socket, or a host and port."""

    socket: Path | None = None
    host: str = ""
    port: int = 5432
    root_certificate: Path | None = None

    def __str__(self) -> str:
        return str(self.socket) if self.socket else f"{self.host}:{self.port}"


class DatabaseUnavailable(Exception):
    """The database can't be reached or takes no connection now; it may later."""


class DatabaseRefused(Exception):
    """The database refused the login or a statement of the proxy's own, and will again."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.sqlstate, self.text = fields.get("C", "XX000"), fields.get("M", "no message")
        super().__init__(f"{self.sqlstate}: {self.text}")


class ServerConnection(Connection):
    """A session of PostgreSQL that is lent to one client at a time."""

    _numbers = itertools.count(1)

    def __init__(self, group: Group) -> None:
        super().__init__()
        self.group = group
        self.number = next(self._numbers)
        self._poll: select.poll | None = None
        self.status = IDLE  # as the last ReadyForQuery said
        self.secured = False
        self.initial_parameters: dict[str, str] = {}
        self.parameters: dict[str, str] = {}  # as the server reports them; replaced when one changes
        self.opened_at = self.idle_since = 0.0  # by the pool's clock

    @property
    def is_unchanged(self) -> bool:
        """Whether every reported setting is what it was at the start."""
        return self.parameters is self.initial_parameters or self.parameters == self.initial_parameters

    @property
    def is_stale(self) -> bool:
        """Whether something has come that nobody asked for, such as the end of the connection; costs no round trip."""
        if self.lost or self.transport.is_closing() or self._received:
            return True
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio; what PostgreSQL said last is read even when we were writing to it as it closed."""
        if exc is not None and not self.secured:
            with contextlib.suppress(OSError):
                self.data_received(os.read(self.transport.get_extra_info("socket").fileno(), LAST_WORDS))
        super().connection_lost(exc)

    def note_parameter(self, body: bytes) -> None:
        """Take note of a ParameterStatus."""
        name, value = strings(body)
        if self.parameters.get(name) != value:
            self.parameters = {**self.parameters, name: value}

    async def log_in(self, password: str | None) -> None:
        """Start the session; raises DatabaseRefused or DatabaseUnavailable."""
        self.write(startup({"user": self.group.user, "database": self.group.database, **dict(self.group.parameters)}))
        scram = ScramClient(["SCRAM-SHA-256"], self.group.user, password or "")
        while True:
            kind, body = await self._answer()
            if kind == Answer.READY_FOR_QUERY:
                self.initial_parameters = self.parameters
                return
            if kind == Answer.AUTHENTICATION:
                self._authenticate(scram, password, body)

    async def run(self, statement: str) -> str | None:
        """Run a statement of the proxy's own; the first column of its last row, if it has one."""
        self.write(message(Request.QUERY, c_string(statement)))
        value, refusal = None, None
        while True:
            try:
                kind, body = await self._answer()
            except DatabaseRefused as error:
                refusal = error
                continue
            if kind == Answer.DATA_ROW:
                value = _first_column(body)
            elif kind == Answer.READY_FOR_QUERY and refusal is None:
                return value
            elif kind == Answer.READY_FOR_QUERY:
                raise refusal or AssertionError

    async def terminate(self) -> None:
        """End the session, and wait until PostgreSQL has freed its slot.

        A backend that still works on a statement does not read the message; it is left to find out by itself, as it
        is when RDS Proxy closes a connection in the middle of a request.
        """
        self.relay(lambda _: None, lambda: None)
        self.resume()
        self.write(message(Request.TERMINATE))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended(), TERMINATE_SECONDS)
        self.transport.abort()

    def watch(self, on_lost: Callable[[], None]) -> None:
        """Read what comes while nobody borrows the connection: changed settings are noted, the rest is dropped."""
        self.relay(self._note, on_lost)

    def _note(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= HEADER:
            end = 1 + LENGTH.unpack_from(self._received, 1)[0]
            if len(self._received) < end:
                return
            if self._received[0] == Answer.PARAMETER_STATUS:
                self.note_parameter(bytes(self._received[HEADER:end]))
            del self._received[:end]

    async def _answer(self) -> tuple[int, bytes]:
        kind, body = await self.read_message()
        if kind == Answer.ERROR:
            fields = error_fields(body)
            if fields.get("C", "").startswith(NOT_NOW):
                raise DatabaseUnavailable(fields.get("M", ""))
            raise DatabaseRefused(fields)
        if kind == Answer.PARAMETER_STATUS:
            self.note_parameter(body)
        elif kind == Answer.READY_FOR_QUERY:
            self.status = body[0]
        return kind, body

    def _authenticate(self, scram: ScramClient, password: str | None, body: bytes) -> None:
        code, data = LENGTH.unpack_from(body)[0], body[LENGTH.size :]
        if code == Authentication.OK:
            return
        if password is None:
            raise DatabaseRefused({"C": "28P01", "M": "the database asks for a password and none is configured"})
        try:
            if code == Authentication.SASL and b"SCRAM-SHA-256\0" in data:
                first = scram.get_client_first().encode()
                self.write(message(Request.PASSWORD, c_string("SCRAM-SHA-256") + LENGTH.pack(len(first)) + first))
            elif code == Authentication.SASL_CONTINUE:
                scram.set_server_first(data.decode())
                self.write(message(Request.PASSWORD, scram.get_client_final().encode()))
            elif code == Authentication.SASL_FINAL:
                scram.set_server_final(data.decode())
            elif code == Authentication.CLEARTEXT_PASSWORD and self.secured:  # for an IAM token
                self.write(message(Request.PASSWORD, c_string(password)))
            else:
                raise DatabaseRefused({"C": "28000", "M": f"authentication method {code} is not SCRAM or trust"})
        except (ScramException, UnicodeDecodeError) as error:
            raise DatabaseRefused({"C": "28000", "M": f"SCRAM failed: {error}"}) from error


async def connect(upstream: Upstream, group: Group, password: str | None) -> ServerConnection:
    """A session for `group`; raises DatabaseRefused or DatabaseUnavailable."""
    connection = ServerConnection(group)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await _open(connection, upstream)
            await connection.log_in(password)
    except (OSError, EOFError, ValueError, TimeoutError) as error:
        _abort(connection)
        raise DatabaseUnavailable(str(error) or type(error).__name__) from error
    except BaseException:
        _abort(connection)
        raise
    return connection


async def _open(connection: ServerConnection, upstream: Upstream) -> None:
    loop = asyncio.get_running_loop()
    if upstream.socket:
        await loop.create_unix_connection(lambda: connection, str(upstream.socket))
        return
    await loop.create_connection(lambda: connection, upstream.host, upstream.port)
    connection.write(LENGTH.pack(8) + LENGTH.pack(SSL_REQUEST))
    if await connection.read(1) == b"S":
        await connection.start_tls(_tls(upstream.root_certificate), server_side=False, host=upstream.host)
        connection.secured = True
    elif upstream.root_certificate:
        raise DatabaseUnavailable(f"{upstream} does not speak TLS, and a root certificate is configured")


def _tls(root_certificate: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=root_certificate)
    if root_certificate is None:  # encrypted where the database offers it, as libpq's sslmode=prefer
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _first_column(row: bytes) -> str | None:
    length = int.from_bytes(row[2:6], signed=True)
    return None if length < 0 else row[6 : 6 + length].decode()


def _abort(connection: Connection) -> None:
    if hasattr(connection, "transport"):
        connection.transport.abort()

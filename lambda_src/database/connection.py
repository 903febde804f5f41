"""The one connection of an execution environment, and the statements that go over it."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, LiteralString

import psycopg
from psycopg import generators, waiting
from psycopg.abc import RV, PQGen
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.rows import TupleRow, tuple_row

from lambda_src.database.figures import Figures
from lambda_src.database.kept import KeptConnection
from lambda_src.database.liveness import UNACKNOWLEDGED, is_silent
from lambda_src.database.resolve import Addresses
from lambda_src.database.retry import CONNECTION_IS_GONE, AttemptFailed, Attempts, Verdict, verdict
from lambda_src.database.settings import Way
from lambda_src.deadline import Deadline

TICK = 0.1  # seconds between two looks for Ctrl-C while waiting

Parameters = Mapping[str, Any]


class Database(KeptConnection["_Connection"]):
    """A connection to PostgreSQL that is kept, and what a request does on it."""

    FAILURES = (psycopg.Error, OSError)

    def __init__(self, settings: Way) -> None:
        super().__init__(settings, Figures())
        self._settings = settings
        self._addresses = Addresses()

    @contextlib.contextmanager
    def session(self, deadline: Deadline) -> Iterator["Session"]:
        """What one request may use; when it ends, nothing is left in a transaction."""
        try:
            yield Session(self, deadline)
        finally:
            self.drop_unless_idle()

    def connection(self, deadline: Deadline) -> "_Connection":
        """The open connection, or a new one; raises psycopg.OperationalError or OSError when none is to be had."""
        connection = super().connection(deadline)
        connection.deadline = deadline
        return connection

    def drop_unless_idle(self) -> bool:
        """Close a connection that is in a transaction, or broken; whether it is broken: its last answer never came."""
        status = self._kept.pgconn.transaction_status if self._kept else TransactionStatus.IDLE
        if status != TransactionStatus.IDLE:
            self.close()
        return status in (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN)

    def _open(self, deadline: Deadline) -> "_Connection":
        try:
            return self._log_in(deadline)
        except psycopg.OperationalError as error:
            # libpq has no SQLSTATE for a connect that fails, but it knows whether it came as far as a password.
            came_to_a_password = error.pgconn is not None and error.pgconn.used_password
            if not (came_to_a_password and self._settings.login_was_refused(deadline.remaining())):
                raise
        return self._log_in(deadline)

    def _log_in(self, deadline: Deadline) -> "_Connection":
        # Not Connection.connect(): that rounds its timeout up to 2 s, and spends it on each address in turn.
        generator = generators.connect(self._conninfo(deadline.remaining()))
        connection = _Connection(waiting.wait_conn(generator, interval=TICK, timeout=deadline.remaining()), deadline)
        self._addresses.answered()
        connection.autocommit = True  # one statement, one round trip
        connection.prepare_threshold = None  # a named prepared statement pins the client to one server connection
        return connection

    def _end(self, connection: "_Connection") -> None:
        connection.close()

    def _is_alive(self, connection: "_Connection") -> bool:
        return not connection.closed and is_silent(connection.pgconn.socket)

    def _reason(self, error: Exception) -> str:
        return str(error)

    def _conninfo(self, timeout: float) -> str:
        login = self._settings.login(timeout)
        return make_conninfo(
            host=login.host,
            # The proxy has an address in each of two zones, and one may be out of reach.
            hostaddr=self._addresses.choose(login.host, login.port, timeout),
            port=login.port,
            dbname=login.database,
            user=login.user,
            password=login.password,
            sslmode="verify-full",
            sslrootcert=self._settings.root_bundle,
            channel_binding=login.channel_binding,
            gssencmode="disable",
            tcp_user_timeout=UNACKNOWLEDGED,
        )


class Session(Attempts):
    """Statements of one request."""

    def __init__(self, database: Database, deadline: Deadline) -> None:
        super().__init__(database, deadline)
        self._database = database

    def one(self, query: LiteralString, parameters: Parameters, *, idempotent: bool) -> TupleRow | None:
        """The first row that a statement returns, or None; see `all`."""
        rows = self.all(query, parameters, idempotent=idempotent)
        return rows[0] if rows else None

    def all(self, query: LiteralString, parameters: Parameters, *, idempotent: bool) -> list[TupleRow]:
        """The rows that one statement returns, in one round trip; see `carry_out`.

        Raises DatabaseUnavailable, and psycopg.Error when the statement itself is wrong.
        """
        return self.carry_out(lambda: self._attempt(query, parameters), idempotent=idempotent)

    def _attempt(self, query: LiteralString, parameters: Parameters) -> list[TupleRow]:
        connecting = True
        try:
            connection = self._database.connection(self._deadline)
            connecting = False
            return self._send(connection, query, parameters)
        except (psycopg.Error, OSError) as error:
            decision = self._judge(error, connecting=connecting)
            if decision is Verdict.RAISE:
                raise
            reason = f"{type(error).__name__} {getattr(error, 'sqlstate', None) or ''}".strip()
            raise AttemptFailed(decision, reason) from error

    def _send(self, connection: "_Connection", query: LiteralString, parameters: Parameters) -> list[TupleRow]:
        figures, started = self._database.figures, time.monotonic()
        figures.attempts += 1
        try:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []
        finally:
            figures.query_seconds += time.monotonic() - started

    def _judge(self, error: psycopg.Error | OSError, *, connecting: bool) -> Verdict:
        if isinstance(error, OSError):
            return Verdict.RECONNECT  # the name did not resolve: only connecting raises it
        self._database.figures.sqlstate = error.sqlstate
        broken = self._database.drop_unless_idle()
        if error.sqlstate in CONNECTION_IS_GONE:
            self._database.close()
        return verdict(error, connecting=connecting, broken=broken)


class _Connection(psycopg.Connection[TupleRow]):
    """A connection on which no wait outlasts the request's deadline."""

    def __init__(self, pgconn: PGconn, deadline: Deadline) -> None:
        super().__init__(pgconn, tuple_row)
        self.deadline = deadline

    def wait(self, gen: PQGen[RV], interval: float = TICK, timeout: float | None = None) -> RV:  # noqa: ARG002
        return super().wait(gen, interval, self.deadline.remaining())

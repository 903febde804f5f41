"""The one connection of an execution environment, and the statements that go over it."""

import contextlib
import logging
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
from lambda_src.database.liveness import is_silent
from lambda_src.database.resolve import Addresses
from lambda_src.database.retry import ATTEMPTS, CONNECTION_IS_GONE, Verdict, verdict, wait_for_the_next
from lambda_src.database.settings import Way
from lambda_src.deadline import Deadline

logger = logging.getLogger(__name__)

TICK = 0.1  # seconds between two looks for Ctrl-C while waiting

Parameters = Mapping[str, Any]


class Database:
    """At most one open connection, reused by every invocation until it is too old, broken or stale.

    An execution environment handles one invocation at a time, so one connection is as many as it can use, and N
    environments open N connections. `figures` counts what has happened since they were last taken.
    """

    def __init__(self, settings: Way) -> None:
        self.figures = Figures()
        self._settings = settings
        self._connection: _Connection | None = None
        self._opened_at = 0.0
        self._addresses = Addresses()
        self._was_connected = False

    def warm_up(self) -> None:
        """Connect while the function initialises, when CPU is free; a failure is logged, and tried again on use."""
        with contextlib.suppress(psycopg.Error, OSError):
            self.connection(Deadline(self._settings.deadline))

    @contextlib.contextmanager
    def session(self, deadline: Deadline) -> Iterator["Session"]:
        """What one request may use; when it ends, nothing is left in a transaction."""
        try:
            yield Session(self, deadline)
        finally:
            self.drop_unless_idle()

    def connection(self, deadline: Deadline) -> "_Connection":
        """The open connection, or a new one; raises psycopg.OperationalError or OSError when none is to be had."""
        if self._connection and not self._is_usable(self._connection):
            self.close()
        if self._connection is None:
            self._connection = self._connect(deadline)
        self._connection.deadline = deadline
        return self._connection

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def drop_unless_idle(self) -> bool:
        """Close a connection that is in a transaction, or broken; whether it is broken: its last answer never came."""
        status = self._connection.pgconn.transaction_status if self._connection else TransactionStatus.IDLE
        if status != TransactionStatus.IDLE:
            self.close()
        return status in (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN)

    def _is_usable(self, connection: "_Connection") -> bool:
        if connection.closed or time.monotonic() - self._opened_at > self._settings.connection_max_age:
            return False
        return is_silent(connection.pgconn.socket)

    def _connect(self, deadline: Deadline) -> "_Connection":
        try:
            return self._open(deadline)
        except psycopg.OperationalError as error:
            # libpq has no SQLSTATE for a connect that fails, but it knows whether it came as far as a password.
            came_to_a_password = error.pgconn is not None and error.pgconn.used_password
            if not (came_to_a_password and self._settings.login_was_refused(deadline.remaining())):
                raise
        return self._open(deadline)

    def _open(self, deadline: Deadline) -> "_Connection":
        started = time.monotonic()
        timeout = min(self._settings.connect_timeout, deadline.remaining())
        try:
            # Not Connection.connect(): that rounds its timeout up to 2 s, and spends it on each address in turn.
            generator = generators.connect(self._conninfo(timeout))
            connection = _Connection(waiting.wait_conn(generator, interval=TICK, timeout=timeout), deadline)
        except (psycopg.Error, OSError) as error:
            logger.warning("connect failed", extra={"error": str(error)})
            raise
        finally:
            self.figures.connect_seconds += time.monotonic() - started
        self._addresses.answered()
        connection.autocommit = True  # one statement, one round trip
        connection.prepare_threshold = None  # a named prepared statement pins the client to one server connection
        self._opened_at = time.monotonic()
        self.figures.connects += 1
        self.figures.reconnects += self._was_connected
        self._was_connected = True
        return connection

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
        )


class Session:
    """Statements of one request, under one deadline, tried again where that is safe.

    `uncertain` is true once an attempt failed in a way that leaves open whether it was carried out.
    """

    def __init__(self, database: Database, deadline: Deadline) -> None:
        self._database = database
        self._deadline = deadline
        self.uncertain = False

    def one(self, query: LiteralString, parameters: Parameters, *, idempotent: bool) -> TupleRow | None:
        """The first row that a statement returns, or None; see `all`."""
        rows = self.all(query, parameters, idempotent=idempotent)
        return rows[0] if rows else None

    def all(self, query: LiteralString, parameters: Parameters, *, idempotent: bool) -> list[TupleRow]:
        """The rows that one statement returns, in one round trip.

        `idempotent` says that carrying the statement out twice does what once does; only then is it sent again after
        its answer was lost. Raises DatabaseUnavailable when the deadline or the attempts run out, psycopg.Error when
        the statement itself is wrong.
        """
        for attempt in range(1, ATTEMPTS + 1):
            connecting = True
            try:
                connection = self._database.connection(self._deadline)
                connecting = False
                return self._send(connection, query, parameters)
            except (psycopg.Error, OSError) as error:
                self._after(error, attempt, connecting=connecting, idempotent=idempotent)
        raise AssertionError("the last attempt returns or raises")

    def _send(self, connection: "_Connection", query: LiteralString, parameters: Parameters) -> list[TupleRow]:
        figures, started = self._database.figures, time.monotonic()
        figures.attempts += 1
        try:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []
        finally:
            figures.query_seconds += time.monotonic() - started

    def _after(self, error: psycopg.Error | OSError, attempt: int, *, connecting: bool, idempotent: bool) -> None:
        """Return when another attempt is safe and there is time for it; raise otherwise."""
        decision = self._judge(error, connecting=connecting)
        if decision is Verdict.RAISE:
            raise error
        self.uncertain = self.uncertain or decision is Verdict.RETRY_IF_IDEMPOTENT
        reason = f"{type(error).__name__} {getattr(error, 'sqlstate', None) or ''}".strip()
        wait_for_the_next(
            attempt,
            error,
            reason,
            decision,
            idempotent=idempotent,
            deadline=self._deadline,
            figures=self._database.figures,
        )

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

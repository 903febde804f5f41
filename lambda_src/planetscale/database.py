"""The one connection of an execution environment, and the statements that go over it."""

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pymysql.constants import SERVER_STATUS
from pymysql.err import MySQLError, OperationalError

from lambda_src.database.liveness import is_silent
from lambda_src.database.resolve import Addresses
from lambda_src.database.retry import ATTEMPTS, Verdict, wait_for_the_next
from lambda_src.database.secret_url import SecretUnavailable
from lambda_src.database.unavailable import DatabaseUnavailable
from lambda_src.deadline import Deadline
from lambda_src.explained import Explained
from lambda_src.planetscale.connection import SHORTEST_WAIT, Connection, tls_context
from lambda_src.planetscale.errors import ACCESS_DENIED, NOT_USABLE, number_of, verdict
from lambda_src.planetscale.figures import Figures
from lambda_src.planetscale.settings import Login, Settings

logger = logging.getLogger(__name__)


Parameters = Mapping[str, Any]


class PasswordRefused(Explained):
    """The database refuses the password that is in the secret now."""

    heading = "function-settings"


class Answer(NamedTuple):
    """What a statement returned: its rows, values as text or numbers, or how many rows it changed."""

    rows: list[tuple[Any, ...]]
    changed: int


class Database:
    """At most one open connection, reused by every invocation until it is too old, broken or stale.

    An execution environment handles one invocation at a time, so one connection is as many as it can use, and N
    environments open N connections. `figures` counts what has happened since they were last taken.
    """

    def __init__(self, settings: Settings) -> None:
        self.figures = Figures()
        self._settings = settings
        self._login: Login | None = None
        self._tls = tls_context(settings.root_bundle)
        self._connection: Connection | None = None
        self._opened_at = 0.0
        self._addresses = Addresses()
        self._was_connected = False

    def warm_up(self) -> None:
        """Connect while the function initialises, when CPU is free; a failure is logged, and tried again on use."""
        with contextlib.suppress(MySQLError, OSError, SecretUnavailable, PasswordRefused):
            self.connection(Deadline(self._settings.deadline))

    @contextlib.contextmanager
    def session(self, deadline: Deadline) -> Iterator["Session"]:
        """What one request may use; when it ends, nothing is left in a transaction."""
        try:
            yield Session(self, deadline)
        finally:
            self.drop_unless_idle()

    def connection(self, deadline: Deadline) -> Connection:
        """The open connection, or a new one.

        Raises MySQLError, OSError, SecretUnavailable or PasswordRefused when none is to be had.
        """
        if self._connection and not self._is_usable(self._connection):
            self.close()
        if self._connection is None:
            self._connection = self._connect(deadline)
        self._connection.deadline = deadline
        return self._connection

    def close(self) -> None:
        """End the connection, if there is one; not politely: that would wait for a server that may be gone."""
        if self._connection:
            self._connection.hang_up()
            self._connection = None

    def drop_unless_idle(self) -> bool:
        """Close a connection that is in a transaction, or broken; whether it is broken: its last answer never came."""
        if self._connection is None:
            return False
        is_broken = not self._connection.open
        if is_broken or self._connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
            self.close()
        return is_broken

    def _is_usable(self, connection: Connection) -> bool:
        if not connection.open or time.monotonic() - self._opened_at > self._settings.connection_max_age:
            return False
        return is_silent(connection.fileno())

    def _connect(self, deadline: Deadline) -> Connection:
        started = time.monotonic()
        within = Deadline(min(self._settings.connect_timeout, deadline.remaining()))
        try:
            connection = self._log_in(within)
        except (MySQLError, OSError, SecretUnavailable, PasswordRefused) as error:
            logger.warning("connect failed", extra={"error": _reason(error)})
            raise
        finally:
            self.figures.connect_seconds += time.monotonic() - started
        self._opened_at = time.monotonic()
        self.figures.connects += 1
        self.figures.reconnects += self._was_connected
        self._was_connected = True
        return connection

    def _log_in(self, deadline: Deadline) -> Connection:
        """A connection with what the secret held when it was last read; where that is refused, with what it holds now.

        The secret is read once per execution environment, and again when its password may have been rotated.
        """
        refused = self._login
        if refused is not None:
            try:
                return self._open(refused, deadline)
            except OperationalError as error:
                if number_of(error) != ACCESS_DENIED:
                    raise
        self._login = self._read_secret(deadline)
        if self._login == refused:
            raise PasswordRefused(f"the password in the secret {self._settings.secret_name} is refused")
        return self._open(self._login, deadline)

    def _read_secret(self, deadline: Deadline) -> Login:
        self.figures.secret_reads += 1
        # Half for connecting and half for the answer.
        return Login.read(self._settings.secret_name, max(SHORTEST_WAIT, deadline.remaining() / 2))

    def _open(self, login: Login, deadline: Deadline) -> Connection:
        address = self._addresses.choose(login.host, login.port, deadline.remaining())
        connection = Connection.to(login, address, self._tls, deadline)
        self._addresses.answered()
        return connection


class Session:
    """Statements of one request, under one deadline, tried again where that is safe.

    `uncertain` is true once an attempt failed in a way that leaves open whether it was carried out.
    """

    def __init__(self, database: Database, deadline: Deadline) -> None:
        self._database = database
        self._deadline = deadline
        self.uncertain = False

    def run(self, query: str, parameters: Parameters, *, idempotent: bool) -> Answer:
        """What one statement returns, in one round trip; `%(name)s` in it stands for a parameter.

        `idempotent` says that carrying the statement out twice does what once does; only then is it sent again after
        its answer was lost. Raises DatabaseUnavailable when the deadline or the attempts run out, MySQLError when
        the statement itself is wrong.
        """
        for attempt in range(1, ATTEMPTS + 1):
            connecting = True
            try:
                connection = self._database.connection(self._deadline)
                connecting = False
                return self._send(connection, query, parameters)
            except PasswordRefused as error:
                raise DatabaseUnavailable(str(error)) from error
            except (MySQLError, OSError, SecretUnavailable) as error:
                self._after(error, attempt, connecting=connecting, idempotent=idempotent)
        raise AssertionError("the last attempt returns or raises")

    def _send(self, connection: Connection, query: str, parameters: Parameters) -> Answer:
        figures, started = self._database.figures, time.monotonic()
        figures.attempts += 1
        try:
            with connection.cursor() as cursor:
                changed = cursor.execute(query, dict(parameters))
                return Answer(list(cursor.fetchall()), changed)
        finally:
            figures.query_seconds += time.monotonic() - started

    def _after(self, error: Exception, attempt: int, *, connecting: bool, idempotent: bool) -> None:
        """Return when another attempt is safe and there is time for it; raise otherwise."""
        decision = self._judge(error, connecting=connecting)
        if decision is Verdict.RAISE:
            raise error
        self.uncertain = self.uncertain or decision is Verdict.RETRY_IF_IDEMPOTENT
        wait_for_the_next(
            attempt,
            error,
            _reason(error),
            decision,
            idempotent=idempotent,
            deadline=self._deadline,
            figures=self._database.figures,
        )

    def _judge(self, error: Exception, *, connecting: bool) -> Verdict:
        if not isinstance(error, MySQLError):
            return (
                Verdict.RECONNECT
            )  # the name did not resolve, or the secret was not read: only connecting raises these
        number = number_of(error)
        self._database.figures.error = number
        broken = self._database.drop_unless_idle()
        if number is None or number in NOT_USABLE:
            self._database.close()
        return verdict(error, connecting=connecting, broken=broken)


def _reason(error: Exception) -> str:
    """An error for the log: numbers and what the network said, but no text of the server, which names the user."""
    if not isinstance(error, MySQLError):
        return f"{type(error).__name__}: {error}"
    cause = getattr(error, "original_exception", None) or error.__cause__
    text = f"{type(error).__name__} {number_of(error) or ''}".strip()
    return f"{text} ({type(cause).__name__}: {cause})" if isinstance(cause, OSError) else text

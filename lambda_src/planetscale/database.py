"""The one connection of an execution environment, and the statements that go over it."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pymysql.constants import SERVER_STATUS
from pymysql.err import MySQLError, OperationalError

from lambda_src.database.kept import KeptConnection
from lambda_src.database.liveness import is_silent
from lambda_src.database.resolve import Addresses
from lambda_src.database.retry import AttemptFailed, Attempts, Verdict
from lambda_src.database.secret_url import SecretUnavailable
from lambda_src.database.unavailable import DatabaseUnavailable
from lambda_src.deadline import Deadline
from lambda_src.explained import Explained
from lambda_src.planetscale.connection import SHORTEST_WAIT, Connection, tls_context
from lambda_src.planetscale.errors import ACCESS_DENIED, NOT_USABLE, number_of, verdict
from lambda_src.planetscale.figures import Figures
from lambda_src.planetscale.settings import Login, Settings

Parameters = Mapping[str, Any]


class PasswordRefused(Explained):
    """The database refuses the password that is in the secret now."""

    heading = "function-settings"


class Answer(NamedTuple):
    """What a statement returned: its rows, values as text or numbers, or how many rows it changed."""

    rows: list[tuple[Any, ...]]
    changed: int


class Database(KeptConnection[Connection]):
    """A connection to MySQL that is kept, and what a request does on it."""

    FAILURES = (MySQLError, OSError, SecretUnavailable, PasswordRefused)
    figures: Figures

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, Figures())
        self._settings = settings
        self._login: Login | None = None
        self._tls = tls_context(settings.root_bundle)
        self._addresses = Addresses()

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
        connection = super().connection(deadline)
        connection.deadline = deadline
        return connection

    def drop_unless_idle(self) -> bool:
        """Close a connection that is in a transaction, or broken; whether it is broken: its last answer never came."""
        if self._kept is None:
            return False
        is_broken = not self._kept.open
        if is_broken or self._kept.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
            self.close()
        return is_broken

    def _end(self, connection: Connection) -> None:
        connection.hang_up()  # not politely: that would wait for a server that may be gone

    def _is_alive(self, connection: Connection) -> bool:
        return connection.open and is_silent(connection.fileno())

    def _reason(self, error: Exception) -> str:
        return _reason(error)

    def _open(self, deadline: Deadline) -> Connection:
        """A connection with what the secret held when it was last read; where that is refused, with what it holds now.

        The secret is read once per execution environment, and again when its password may have been rotated.
        """
        refused = self._login
        if refused is not None:
            try:
                return self._log_in(refused, deadline)
            except OperationalError as error:
                if number_of(error) != ACCESS_DENIED:
                    raise
        self._login = self._read_secret(deadline)
        if self._login == refused:
            raise PasswordRefused(f"the password in the secret {self._settings.secret_name} is refused")
        return self._log_in(self._login, deadline)

    def _read_secret(self, deadline: Deadline) -> Login:
        self.figures.secret_reads += 1
        # Half for connecting and half for the answer.
        return Login.read(self._settings.secret_name, max(SHORTEST_WAIT, deadline.remaining() / 2))

    def _log_in(self, login: Login, deadline: Deadline) -> Connection:
        address = self._addresses.choose(login.host, login.port, deadline.remaining())
        connection = Connection.to(login, address, self._tls, deadline)
        self._addresses.answered()
        return connection


class Session(Attempts):
    """Statements of one request."""

    def __init__(self, database: Database, deadline: Deadline) -> None:
        super().__init__(database, deadline)
        self._database = database

    def run(self, query: str, parameters: Parameters, *, idempotent: bool) -> Answer:
        """What one statement returns, in one round trip; `%(name)s` in it stands for a parameter. See `carry_out`.

        Raises DatabaseUnavailable, and MySQLError when the statement itself is wrong.
        """
        return self.carry_out(lambda: self._attempt(query, parameters), idempotent=idempotent)

    def _attempt(self, query: str, parameters: Parameters) -> Answer:
        connecting = True
        try:
            connection = self._database.connection(self._deadline)
            connecting = False
            return self._send(connection, query, parameters)
        except PasswordRefused as error:
            raise DatabaseUnavailable(str(error)) from error
        except (MySQLError, OSError, SecretUnavailable) as error:
            decision = self._judge(error, connecting=connecting)
            if decision is Verdict.RAISE:
                raise
            raise AttemptFailed(decision, _reason(error)) from error

    def _send(self, connection: Connection, query: str, parameters: Parameters) -> Answer:
        figures, started = self._database.figures, time.monotonic()
        figures.attempts += 1
        try:
            with connection.cursor() as cursor:
                changed = cursor.execute(query, dict(parameters))
                return Answer(list(cursor.fetchall()), changed)
        finally:
            figures.query_seconds += time.monotonic() - started

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

"""SQL over HTTP: each statement is a request, each request a transaction, and no connection to the database is held."""

import contextlib
import http.client
import json
import logging
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, LiteralString
from urllib.parse import urlsplit

from lambda_src.database.figures import Figures
from lambda_src.database.https import Https
from lambda_src.database.liveness import is_silent
from lambda_src.database.retry import ATTEMPTS, Verdict, verdict, wait_for_the_next
from lambda_src.deadline import Deadline
from lambda_src.neon.settings import Settings
from lambda_src.neon.statement import Row, query, rows

logger = logging.getLogger(__name__)

# As Neon's own driver asks, @neondatabase/serverless.
HEADERS = {"Content-Type": "application/json", "Neon-Raw-Text-Output": "true", "Neon-Array-Mode": "true"}
ISOLATION_LEVELS = ("ReadUncommitted", "ReadCommitted", "RepeatableRead", "Serializable")

Parameters = Mapping[str, Any]


class StatementFailed(Exception):
    """PostgreSQL refused a statement; `sqlstate` says why."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class AttemptFailed(Exception):
    """A request got no result: `decision` is what to do about it."""

    def __init__(self, decision: Verdict, reason: str) -> None:
        super().__init__(reason)
        self.decision = decision


class Database:
    """The endpoint that takes statements, over one TLS connection that is kept between requests.

    An execution environment handles one invocation at a time, so one connection is as many as it can use. `figures`
    counts what has happened since they were last taken.
    """

    def __init__(self, settings: Settings) -> None:
        self.figures = Figures()
        self._settings = settings
        self._connection: Https | None = None
        self._opened_at = 0.0
        self._was_connected = False

    def warm_up(self) -> None:
        """Connect while the function initialises; a failure is logged, and tried again on use."""
        with contextlib.suppress(OSError):
            self._connected(Deadline(self._settings.deadline))

    @contextlib.contextmanager
    def session(self, deadline: Deadline) -> Iterator["Session"]:
        """What one request may use."""
        yield Session(self, deadline)

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, body: object, headers: Mapping[str, str], deadline: Deadline) -> Any:
        """What the endpoint answers, as JSON; raises AttemptFailed, or StatementFailed where PostgreSQL refuses."""
        try:
            connection = self._connected(deadline)
        except OSError as error:
            raise AttemptFailed(Verdict.RECONNECT, f"{type(error).__name__} while connecting") from error
        started = time.monotonic()
        self.figures.attempts += 1
        try:
            status, answer = self._ask(connection, body, headers, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise AttemptFailed(Verdict.RETRY_IF_IDEMPOTENT, f"{type(error).__name__} instead of an answer") from error
        finally:
            self.figures.query_seconds += time.monotonic() - started
        if status == HTTPStatus.OK:
            return answer
        raise self._failure(status, answer if isinstance(answer, dict) else {}, deadline)

    def _ask(
        self, connection: Https, body: object, headers: Mapping[str, str], deadline: Deadline
    ) -> tuple[int, object]:
        url = self._settings.fields(deadline.remaining())["url"]
        connection.within(deadline)
        connection.request(
            "POST",
            urlsplit(self._settings.sql_endpoint(deadline.remaining())).path,
            json.dumps(body).encode(),
            {**HEADERS, **headers, "Neon-Connection-String": url},
        )
        response = connection.getresponse()
        content = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(content) if is_json else None

    def _failure(self, status: int, answer: Mapping[str, Any], deadline: Deadline) -> Exception:
        state: str = answer.get("code") or ""
        self.figures.sqlstate = state or None
        reason = f"HTTP {status} {state}".strip()
        if state.startswith("28") or (not state and 400 <= status < 500):  # of a login: Neon's own check has no code
            is_another = self._settings.login_was_refused(deadline.remaining())
            return AttemptFailed(Verdict.RETRY if is_another or state else Verdict.UNAVAILABLE, reason)
        if not state:  # of the endpoint, after PostgreSQL may have had the statement
            return AttemptFailed(Verdict.RETRY_IF_IDEMPOTENT, reason)
        error = StatementFailed(str(answer.get("message", "")), state)
        decision = verdict(error, connecting=False, broken=False)
        return error if decision is Verdict.RAISE else AttemptFailed(decision, reason)

    def _connected(self, deadline: Deadline) -> Https:
        if self._connection is not None and not self._is_usable(self._connection):
            self.close()
        if self._connection is None:
            self._connection = self._connect(deadline)
        return self._connection

    def _connect(self, deadline: Deadline) -> Https:
        started = time.monotonic()
        timeout = min(self._settings.connect_timeout, deadline.remaining())
        try:
            endpoint = urlsplit(self._settings.sql_endpoint(timeout))
            connection = Https(
                endpoint.hostname or "", endpoint.port, root_bundle=self._settings.root_bundle, timeout=timeout
            )
            connection.connect()
        except OSError as error:
            logger.warning("connect failed", extra={"error": f"{type(error).__name__}: {error}"})
            raise
        finally:
            self.figures.connect_seconds += time.monotonic() - started
        self._opened_at = time.monotonic()
        self.figures.connects += 1
        self.figures.reconnects += self._was_connected
        self._was_connected = True
        return connection

    def _is_usable(self, connection: Https) -> bool:
        if connection.sock is None or time.monotonic() - self._opened_at > self._settings.connection_max_age:
            return False
        return is_silent(connection.sock.fileno()) or _is_only_tls(connection)


class Session:
    """Statements of one request, under one deadline, tried again where that is safe.

    `uncertain` is true once an attempt failed in a way that leaves open whether it was carried out.
    """

    def __init__(self, database: Database, deadline: Deadline) -> None:
        self._database = database
        self._deadline = deadline
        self.uncertain = False

    def one(self, query: LiteralString, parameters: Parameters, *, idempotent: bool) -> Row | None:
        """The first row that a statement returns, or None; see `all`."""
        found = self.all(query, parameters, idempotent=idempotent)
        return found[0] if found else None

    def all(self, statement: LiteralString, parameters: Parameters, *, idempotent: bool) -> list[Row]:
        """The rows that one statement returns, in one round trip.

        `idempotent` says that carrying the statement out twice does what once does; only then is it sent again after
        its answer was lost. Raises DatabaseUnavailable when the deadline or the attempts run out, StatementFailed when
        the statement itself is wrong, NotOverHttp when it needs a session.
        """
        return rows(self._send(query(statement, parameters), {}, idempotent=idempotent))

    def batch(
        self,
        statements: Sequence[tuple[LiteralString, Parameters]],
        *,
        idempotent: bool,
        isolation_level: str = "ReadCommitted",
        read_only: bool = False,
        deferrable: bool = False,
    ) -> list[list[Row]]:
        """The rows of each of several statements, in one round trip and one transaction: all are carried out, or none.

        Nothing can be decided between two of them. Raises what `all` raises, and ValueError for an isolation level that
        is none of ISOLATION_LEVELS.
        """
        if isolation_level not in ISOLATION_LEVELS:
            raise ValueError(f"isolation_level is {isolation_level!r}, allowed is {', '.join(ISOLATION_LEVELS)}")
        body = {"queries": [query(statement, parameters, in_batch=True) for statement, parameters in statements]}
        headers = {
            "Neon-Batch-Isolation-Level": isolation_level,
            "Neon-Batch-Read-Only": str(read_only).lower(),
            "Neon-Batch-Deferrable": str(deferrable).lower(),
        }
        answer = self._send(body, headers, idempotent=idempotent)
        return [rows(result) for result in answer["results"]]

    def _send(self, body: object, headers: Mapping[str, str], *, idempotent: bool) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._database.send(body, headers, self._deadline)
            except AttemptFailed as error:
                self._after(error, attempt, idempotent=idempotent)
        raise AssertionError("the last attempt returns or raises")

    def _after(self, error: AttemptFailed, attempt: int, *, idempotent: bool) -> None:
        """Return when another attempt is safe and there is time for it; raise DatabaseUnavailable otherwise."""
        self.uncertain = self.uncertain or error.decision is Verdict.RETRY_IF_IDEMPOTENT
        wait_for_the_next(
            attempt,
            error,
            str(error),
            error.decision,
            idempotent=idempotent,
            deadline=self._deadline,
            figures=self._database.figures,
        )


def _is_only_tls(connection: Https) -> bool:
    """Whether what can be read of an idle connection is no goodbye, but TLS's own: tickets for the next handshake."""
    if not isinstance(connection.sock, ssl.SSLSocket):
        return False
    timeout = connection.sock.gettimeout()
    connection.sock.settimeout(0)
    try:
        connection.sock.recv(1)
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False
    finally:
        connection.sock.settimeout(timeout)
    return False

"""SQL over HTTP: each statement is a request, each request a transaction, and no connection to the database is held."""

import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, LiteralString
from urllib.parse import urlsplit

from lambda_src.database.figures import Figures
from lambda_src.database.https import Https
from lambda_src.database.kept import KeptConnection
from lambda_src.database.liveness import is_silent
from lambda_src.database.retry import AttemptFailed, Attempts, Verdict, verdict
from lambda_src.deadline import Deadline
from lambda_src.neon.settings import Settings
from lambda_src.neon.statement import Row, query, rows

# As Neon's own driver asks, @neondatabase/serverless.
HEADERS = {"Content-Type": "application/json", "Neon-Raw-Text-Output": "true", "Neon-Array-Mode": "true"}
ISOLATION_LEVELS = ("ReadUncommitted", "ReadCommitted", "RepeatableRead", "Serializable")

Parameters = Mapping[str, Any]


class StatementFailed(Exception):
    """PostgreSQL refused a statement; `sqlstate` says why."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class Database(KeptConnection[Https]):
    """The endpoint that takes statements, over one TLS connection that is kept between requests."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, Figures())
        self._settings = settings

    @contextlib.contextmanager
    def session(self, deadline: Deadline) -> Iterator["Session"]:
        """What one request may use."""
        yield Session(self, deadline)

    def send(self, body: object, headers: Mapping[str, str], deadline: Deadline) -> Any:
        """What the endpoint answers, as JSON; raises AttemptFailed, or StatementFailed where PostgreSQL refuses."""
        try:
            connection = self.connection(deadline)
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

    def _open(self, deadline: Deadline) -> Https:
        endpoint = urlsplit(self._settings.sql_endpoint(deadline.remaining()))
        connection = Https(
            endpoint.hostname or "",
            endpoint.port,
            root_bundle=self._settings.root_bundle,
            timeout=deadline.remaining(),
        )
        connection.connect()
        return connection

    def _end(self, connection: Https) -> None:
        connection.close()

    def _is_alive(self, connection: Https) -> bool:
        return connection.sock is not None and (is_silent(connection.sock.fileno()) or _is_only_tls(connection))


class Session(Attempts):
    """Statements of one request."""

    def __init__(self, database: Database, deadline: Deadline) -> None:
        super().__init__(database, deadline)
        self._database = database

    def one(self, query: LiteralString, parameters: Parameters, *, idempotent: bool) -> Row | None:
        """The first row that a statement returns, or None; see `all`."""
        found = self.all(query, parameters, idempotent=idempotent)
        return found[0] if found else None

    def all(self, statement: LiteralString, parameters: Parameters, *, idempotent: bool) -> list[Row]:
        """The rows that one statement returns, in one round trip; see `carry_out`.

        Raises DatabaseUnavailable, StatementFailed when the statement itself is wrong, NotOverHttp when it needs a
        session.
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
        return self.carry_out(lambda: self._database.send(body, headers, self._deadline), idempotent=idempotent)


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

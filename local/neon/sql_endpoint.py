"""Neon's SQL over HTTP (POST /sql), over a real PostgreSQL: the part of it that drivers use.

Source: the requests of @neondatabase/serverless 1.2.0, which a test sends here, and Neon's documentation of it.
"""

import contextlib
import json
import select
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGresult

ISOLATION_LEVELS = {
    "ReadUncommitted": "READ UNCOMMITTED",
    "ReadCommitted": "READ COMMITTED",
    "RepeatableRead": "REPEATABLE READ",
    "Serializable": "SERIALIZABLE",
}
FIELDS = {
    "message": pq.DiagnosticField.MESSAGE_PRIMARY,
    "code": pq.DiagnosticField.SQLSTATE,
    "detail": pq.DiagnosticField.MESSAGE_DETAIL,
    "hint": pq.DiagnosticField.MESSAGE_HINT,
    "position": pq.DiagnosticField.STATEMENT_POSITION,
    "internalPosition": pq.DiagnosticField.INTERNAL_POSITION,
    "internalQuery": pq.DiagnosticField.INTERNAL_QUERY,
    "severity": pq.DiagnosticField.SEVERITY_NONLOCALIZED,
    "where": pq.DiagnosticField.CONTEXT,
    "table": pq.DiagnosticField.TABLE_NAME,
    "column": pq.DiagnosticField.COLUMN_NAME,
    "schema": pq.DiagnosticField.SCHEMA_NAME,
    "dataType": pq.DiagnosticField.DATATYPE_NAME,
    "constraint": pq.DiagnosticField.CONSTRAINT_NAME,
    "file": pq.DiagnosticField.SOURCE_FILE,
    "line": pq.DiagnosticField.SOURCE_LINE,
    "routine": pq.DiagnosticField.SOURCE_FUNCTION,
}
# Without Neon-Raw-Text-Output these become JSON's own types; everything else stays text.
AS_JSON: dict[int, Callable[[str], Any]] = {
    16: lambda text: text == "t",
    21: int,
    23: int,
    114: json.loads,
    700: float,
    701: float,
    3802: json.loads,
}
DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY)


class Failed(Exception):
    """What is answered instead of rows."""

    def __init__(self, status: int, fields: Mapping[str, Any]) -> None:
        super().__init__(fields.get("message"))
        self.status, self.fields = status, fields


class SqlEndpoint:
    """HTTPS on a loopback port. PostgreSQL itself, on its Unix socket, checks the password of each connection string.

    Idle connections to it are kept by connection string, as Neon's proxy keeps them. `requests` counts.
    """

    def __init__(self, socket_directory: Path, certificate: Path, key: Path, host: str, port: int) -> None:
        self._socket_directory = socket_directory
        self._idle: dict[str, list[psycopg.Connection]] = {}
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.requests = 0
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        endpoint = self

        class Handler(_Handler):
            sql, context = endpoint, tls

        self.handler = Handler
        self._server = _Server((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        for connection in self._take_all():
            connection.close()

    def enter(self, client: socket.socket) -> None:
        """A client has come."""
        with self._lock:
            self._clients.add(client)

    def leave(self, client: socket.socket) -> None:
        """It has gone, or is sent away."""
        with self._lock:
            self._clients.discard(client)
        client.close()

    def answer(self, path: str, headers: Message, body: Any) -> Any:
        """What one request is answered with; Failed where it fails."""
        if path != "/sql":
            raise Failed(404, {"message": f"no such path: {path}"})
        with self._lock:
            self.requests += 1
        url = headers.get("Neon-Connection-String")
        if not url:
            raise Failed(400, {"message": "missing header: Neon-Connection-String"})
        connection = self._connection(url)
        try:
            if "queries" in body:
                return {"results": _batch(connection, body["queries"], headers)}
            return _run(connection, body, headers)
        finally:
            self._keep(url, connection)

    def _connection(self, url: str) -> psycopg.Connection:
        with self._lock:
            idle = self._idle.setdefault(url, [])
            while idle:
                connection = idle.pop()
                if connection.pgconn.status == pq.ConnStatus.OK and not _has_ended(connection):
                    return connection
                connection.close()
        parts = urlsplit(url)
        try:
            return psycopg.connect(
                host=str(self._socket_directory),
                dbname=unquote(parts.path.strip("/")),
                user=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            # libpq has no SQLSTATE for a connect that fails. Neon's own check of the password has none either.
            text = str(error).rpartition("FATAL:")[2].strip()
            code = "53300" if "too many" in text or "connection slots" in text else None
            status = 400 if code or "authentication failed" in text else 500
            raise Failed(status, {**dict.fromkeys(FIELDS), "message": text, "code": code}) from None

    def _keep(self, url: str, connection: psycopg.Connection) -> None:
        is_idle = connection.pgconn.transaction_status == pq.TransactionStatus.IDLE
        if not is_idle:
            connection.close()
            return
        # A session ends with its request, whatever it was left in.
        connection.pgconn.exec_(b"DISCARD ALL")
        with self._lock:
            self._idle.setdefault(url, []).append(connection)

    def _take_all(self) -> list[psycopg.Connection]:
        with self._lock:
            found = [connection for connections in self._idle.values() for connection in connections]
            self._idle.clear()
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for them

    def handle_error(self, *_: object) -> None:
        """A client that went away, or did not trust the certificate, is no news."""


class _Handler(BaseHTTPRequestHandler):
    sql: SqlEndpoint
    context: ssl.SSLContext
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def setup(self) -> None:
        self.request.settimeout(self.timeout)
        self.request = self.context.wrap_socket(self.request, server_side=True)
        self.sql.enter(self.request)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.sql.leave(self.request)

    def log_message(self, *_: object) -> None:
        """Headers have passwords: nothing is logged."""

    def do_POST(self) -> None:
        """One request."""
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._send(200, self.sql.answer(self.path, self.headers, json.loads(content)))
        except Failed as failure:
            self._send(failure.status, failure.fields)
        except (ValueError, KeyError, TypeError) as error:
            self._send(400, {"message": f"malformed request: {type(error).__name__}"})

    def _send(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _batch(connection: psycopg.Connection, queries: list[Any], headers: Message) -> list[Any]:
    """All in one transaction, which fails as a whole."""
    begin = "BEGIN"
    if level := headers.get("Neon-Batch-Isolation-Level"):
        if level not in ISOLATION_LEVELS:
            raise Failed(400, {"message": f"invalid isolation level: {level}"})
        begin += f" ISOLATION LEVEL {ISOLATION_LEVELS[level]}"
    if headers.get("Neon-Batch-Read-Only") == "true":
        begin += " READ ONLY"
    if headers.get("Neon-Batch-Deferrable") == "true":
        begin += " DEFERRABLE"
    _run(connection, {"query": begin, "params": []}, headers)
    try:
        results = [_run(connection, each, headers) for each in queries]
        _run(connection, {"query": "COMMIT", "params": []}, headers)
    except Failed:
        connection.pgconn.exec_(b"ROLLBACK")
        raise
    return results


def _run(connection: psycopg.Connection, body: Mapping[str, Any], headers: Message) -> dict[str, Any]:
    values = [_parameter(each) for each in body.get("params") or []]
    result = connection.pgconn.exec_params(str(body["query"]).encode(), values)
    if result.status not in DONE:
        raise Failed(400 if result.error_field(FIELDS["code"]) else 500, _error(result))
    is_raw = headers.get("Neon-Raw-Text-Output") == "true"
    is_array = headers.get("Neon-Array-Mode") == "true"
    names = [_decoded(result.fname(column)) for column in range(result.nfields)]
    rows = [
        [_value(result, row, column, is_raw=is_raw) for column in range(result.nfields)]
        for row in range(result.ntuples)
    ]
    return {
        "command": _decoded(result.command_status).partition(" ")[0],
        "rowCount": result.command_tuples,
        "fields": [_field(result, column, name) for column, name in enumerate(names)],
        "rows": rows if is_array else [dict(zip(names, row, strict=True)) for row in rows],
        "rowAsArray": is_array,
    }


def _field(result: PGresult, column: int, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "dataTypeID": result.ftype(column),
        "tableID": result.ftable(column),
        "columnID": result.ftablecol(column),
        "dataTypeSize": result.fsize(column),
        "dataTypeModifier": result.fmod(column),
        "format": "text",
    }


def _value(result: PGresult, row: int, column: int, *, is_raw: bool) -> Any:
    value = result.get_value(row, column)
    if value is None:
        return None
    text = value.decode()
    read = None if is_raw else AS_JSON.get(result.ftype(column))
    return text if read is None else read(text)


def _parameter(value: object) -> bytes | None:
    if value is None or isinstance(value, str):
        return None if value is None else value.encode()
    return json.dumps(value).encode()  # numbers, booleans and JSON, as PostgreSQL reads them


def _error(result: PGresult) -> dict[str, Any]:
    fields = {name: result.error_field(field) for name, field in FIELDS.items()}
    return {name: None if value is None else value.decode() for name, value in fields.items()}


def _decoded(value: bytes | None) -> str:
    return (value or b"").decode()


def _has_ended(connection: psycopg.Connection) -> bool:
    """Whether PostgreSQL has said goodbye to an idle connection, which otherwise has nothing to say."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))

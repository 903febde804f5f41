"""A PostgreSQL that may be restarted, and stand-ins for RDS Proxy before it, each with settings of its own."""

import asyncio
import functools
import json
import logging
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import boto3
import psycopg
import psycopg.sql
import pytest
import uvloop

from local.certificates import server_certificate
from local.postgres import Server
from local.rds_proxy.credentials import Credentials, FileCredentials
from local.rds_proxy.iam import AccessKeys
from local.rds_proxy.messages import (
    PROTOCOL_3_0,
    SSL_REQUEST,
    Answer,
    Request,
    c_string,
    error_fields,
    message,
    startup,
)
from local.rds_proxy.metrics_server import snapshot
from local.rds_proxy.server import Proxy
from local.rds_proxy.server_connection import Upstream
from local.rds_proxy.settings import Settings

HOST, REGION = "127.0.0.1", "eu-west-1"
KEY_ID, SECRET = "AKIDTESTS", "not-a-secret"
ROLES = {"app": "app's password", "other": "other's password"}
SCHEMA = """
CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE filler (id int PRIMARY KEY, text text);
INSERT INTO filler SELECT n, repeat(md5(n::text), 40) FROM generate_series(1, 5000) n;
CREATE SEQUENCE counter;
"""


def make_token(
    host: str,
    port: int,
    user: str,
    region: str = REGION,
    key_id: str = KEY_ID,
    secret: str = SECRET,
    session_token: str | None = None,
) -> str:
    """What boto3 makes."""
    return _client(region, key_id, secret, session_token).generate_db_auth_token(host, port, user)


@functools.cache
def _client(region: str, key_id: str, secret: str, session_token: str | None) -> Any:
    return boto3.client(
        "rds",
        region_name=region,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=session_token,
    )


@dataclass
class Database:
    server: Server
    credentials: Path
    access_keys: Path
    certificates: Path

    def connect(self, user: str = "app", database: str = "one", **parameters: Any) -> psycopg.Connection:
        """Straight to PostgreSQL."""
        host, password = str(self.server.socket_directory), ROLES.get(user)
        parameters = {"autocommit": True, **parameters}
        return psycopg.connect(host=host, user=user, password=password, dbname=database, **parameters)

    def run(self, statement: str, database: str = "one") -> Any:
        """The first column of the first row, if there is one, as the superuser."""
        with self.connect("rdsadmin", database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None

    def backends(self, application_name: str) -> int:
        """How many sessions of one application PostgreSQL has."""
        return self.run(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{application_name}'")


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Database]:
    directory = tmp_path_factory.mktemp("database")
    credentials, access_keys = directory / "credentials.json", directory / "access-keys.json"
    credentials.write_text(json.dumps(ROLES))
    access_keys.write_text(json.dumps({KEY_ID: {"secret_access_key": SECRET}}))
    with Server(directory / "postgres", {"max_connections": "30", "autovacuum": "off"}) as server:
        made = Database(server, credentials, access_keys, certificates)
        with made.connect("rdsadmin", "postgres") as connection:
            for role, password in ROLES.items():
                connection.execute(
                    psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        psycopg.sql.Identifier(role), psycopg.sql.Literal(password)
                    )
                )
            for name in ("one", "two"):
                connection.execute(f"CREATE DATABASE {name} OWNER app")
        with made.connect() as connection:
            connection.execute(SCHEMA)
        yield made


class Records(logging.Handler):
    """The log of one stand-in; every handler sees them all, so tests look for their own client's lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@dataclass
class RunningProxy:
    """A stand-in on a thread of its own."""

    proxy: Proxy
    database: Database
    records: Records
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    clients: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def start(
        cls,
        database: Database,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        credentials: Credentials | None = None,
        **settings: Any,
    ) -> "RunningProxy":
        certificate, key = server_certificate(database.certificates, HOST)
        upstream = Upstream(socket=database.server.socket_directory / ".s.PGSQL.5432")
        values = {
            "address": HOST,
            "port": 0,
            "upstream": upstream,
            "certificate": certificate,
            "key": key,
            "region": REGION,
            **settings,
        }
        access_keys = AccessKeys(database.access_keys) if values.get("iam_auth", True) else None
        found = credentials or FileCredentials(database.credentials)
        proxy = Proxy(Settings(**values), found, access_keys, clock, monotonic)
        loop = uvloop.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        records = Records()
        logging.getLogger("rds_proxy").addHandler(records)
        logging.getLogger("rds_proxy").setLevel(logging.DEBUG)
        running = cls(proxy, database, records, loop, thread)
        running.call(proxy.start())
        return running

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def stop(self) -> None:
        self.clients.close()
        self.call(self.proxy.close())
        self.call(asyncio.sleep(0))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        logging.getLogger("rds_proxy").removeHandler(self.records)

    @property
    def port(self) -> int:
        return self.proxy.port

    @property
    def log(self) -> str:
        return "\n".join(self.records.lines)

    def metrics(self) -> dict[str, Any]:
        async def now() -> dict[str, Any]:
            return snapshot(self.proxy)

        return self.call(now())

    def token(
        self,
        user: str = "app",
        *,
        region: str = REGION,
        key_id: str = KEY_ID,
        secret: str = SECRET,
        session_token: str | None = None,
    ) -> str:
        return make_token(HOST, self.port, user, region, key_id, secret, session_token)

    def parameters(self, user: str = "app", database: str = "one", **parameters: Any) -> dict[str, Any]:
        return {
            "host": HOST,
            "port": self.port,
            "user": user,
            "dbname": database,
            "password": self.token(user),
            "sslmode": "verify-full",
            "sslrootcert": str(self.database.certificates / "ca.pem"),
            "connect_timeout": 10,
            **parameters,
        }

    def connect(self, user: str = "app", database: str = "one", **parameters: Any) -> psycopg.Connection:
        """A client with a token; closed with the proxy if not before."""
        values = {"autocommit": True, "prepare_threshold": None, **self.parameters(user, database, **parameters)}
        return self.clients.enter_context(psycopg.connect(**values))


@pytest.fixture(scope="session")
def shared_proxy(database: Database) -> Iterator[RunningProxy]:
    running = RunningProxy.start(database)
    yield running
    running.stop()


@pytest.fixture
def proxy(shared_proxy: RunningProxy) -> Iterator[RunningProxy]:
    """A stand-in with default settings; its clients end with the test, and the stand-in goes on."""
    shared_proxy.records.lines.clear()
    yield shared_proxy
    shared_proxy.clients.close()
    eventually(lambda: shared_proxy.metrics()["ClientConnections"] == 0)


@pytest.fixture
def start_proxy(database: Database) -> Iterator[Callable[..., RunningProxy]]:
    """Starts a stand-in with settings of its own, which ends with the test."""
    started: list[RunningProxy] = []

    def start(**settings: Any) -> RunningProxy:
        started.append(RunningProxy.start(database, **settings))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="module")
def open_proxy(database: Database) -> Iterator[RunningProxy]:
    """Without TLS and IAM, for the programs of the embedded PostgreSQL, which are built without OpenSSL."""
    running = RunningProxy.start(database, iam_auth=False, require_tls=False, max_connections_percent=40)
    yield running
    running.stop()


class RawClient:
    """A client that sends what it is told to, message by message; the startup message is the caller's to choose."""

    def __init__(self, proxy: RunningProxy, *, log_in: bool = True, tls: bool = True) -> None:
        self.socket: socket.socket = socket.create_connection((HOST, proxy.port), timeout=10)
        if tls:
            self.socket.sendall(struct.pack("!II", 8, SSL_REQUEST))
            assert self.socket.recv(1) == b"S"
            context = ssl.create_default_context(cafile=proxy.database.certificates / "ca.pem")
            self.socket = context.wrap_socket(self.socket, server_hostname=HOST)
        if log_in:
            self.greet({"user": "app", "database": "one"})
            self.give_password(proxy.token())
            self.until_ready()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def greet(self, parameters: dict[str, str], protocol: int = PROTOCOL_3_0) -> None:
        packet = bytearray(startup(parameters))
        packet[4:8] = struct.pack("!I", protocol)
        self.send(bytes(packet))

    def give_password(self, password: str) -> None:
        assert self.read()[0] == Answer.AUTHENTICATION
        self.send(message(Request.PASSWORD, c_string(password)))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def query(self, statement: str) -> None:
        self.send(message(Request.QUERY, c_string(statement)))

    def read(self) -> tuple[int, bytes]:
        kind, length = struct.unpack("!BI", self._exactly(5))
        return kind, self._exactly(length - 4)

    def until(self, last: int) -> list[tuple[int, bytes]]:
        """The messages up to one of the kind `last`."""
        seen = [self.read()]
        while seen[-1][0] != last:
            seen.append(self.read())
        return seen

    def until_ready(self) -> list[tuple[int, bytes]]:
        return self.until(Answer.READY_FOR_QUERY)

    def error(self) -> tuple[str, str]:
        """SQLSTATE and text of the next error."""
        fields = error_fields(self.until(Answer.ERROR)[-1][1])
        return fields["C"], fields["M"]

    def is_closed(self) -> bool:
        return self.socket.recv(1) == b""

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            assert part, "the proxy closed the connection"
            data += part
        return data


def eventually(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """The first true value of `condition`; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)
    return value

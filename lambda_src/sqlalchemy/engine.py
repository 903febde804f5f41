"""The same connection for a service that wants an ORM: SQLAlchemy over psycopg, with the rules that RDS Proxy needs.

Nothing imports this file, and SQLAlchemy is not in the zip: a fork that wants it adds `sqlalchemy` to the group
`lambda` of pyproject.toml. What it costs, and how to use it: docs/options/sqlalchemy.md.
"""

import math
from typing import Any, Literal

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DisconnectionError

from lambda_src.database import iam_token
from lambda_src.database.liveness import is_silent
from lambda_src.database.settings import Settings

TICK = 0.1  # seconds between two looks for Ctrl-C while waiting


def make_engine(settings: Settings) -> Engine:
    """An engine with a pool of one connection, in autocommit: a statement is a round trip, and its own transaction.

    Nothing that it sends pins the connection at the proxy. A wait for an answer ends after `settings.deadline`
    seconds; unlike lambda_src.database.Session, the engine does not try again.
    """
    engine = create_engine(
        "postgresql+rdsproxy://",
        pool_size=1,  # an execution environment handles one request at a time
        max_overflow=0,
        pool_timeout=settings.deadline,  # seconds until whoever holds two connections at once is told so
        pool_recycle=math.ceil(settings.connection_max_age),
        pool_reset_on_return="rollback",  # sends nothing unless a transaction is open; drops what still waits
        isolation_level="AUTOCOMMIT",
        use_native_hstore=False,  # the type is looked up otherwise, at every first connect
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> psycopg.Connection[Any]:
        connection = _Connection.connect(**_parameters(settings), context=parameters.get("context"))
        connection.deadline = settings.deadline
        return connection

    event.listen(engine, "checkout", _refuse_stale)
    return engine


def _parameters(settings: Settings) -> dict[str, Any]:
    return {
        "host": settings.host,
        "port": settings.port,
        "dbname": settings.database,
        "user": settings.user,
        # Minted for each connect: a token lives 15 minutes.
        "password": iam_token.mint(settings.host, settings.port, settings.user, settings.region),
        "sslmode": "verify-full",
        "sslrootcert": settings.root_bundle,
        "gssencmode": "disable",
        "connect_timeout": math.ceil(settings.connect_timeout),  # whole seconds, at least 2, for each address
        "prepare_threshold": None,  # a named prepared statement, and the DEALLOCATE ALL that ends it, pin
    }


def _refuse_stale(connection: psycopg.Connection[Any], _record: Any, _proxy: Any) -> None:
    """What pool_pre_ping asks with a round trip, asked of the socket: an idle connection has nothing to say."""
    if not is_silent(connection.fileno()):
        raise DisconnectionError("the proxy has closed the connection")  # the pool connects again


class _Connection(psycopg.Connection[Any]):
    """A connection on which no wait for an answer outlasts `deadline` seconds."""

    deadline: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = TICK, timeout: float | None = None) -> RV:  # noqa: ARG002
        return super().wait(gen, interval, self.deadline)


class RdsProxyDialect(PGDialect_psycopg):
    """SQLAlchemy's psycopg dialect, which learns about the server from what it said at login, not by four queries."""

    supports_statement_cache = True

    def _get_server_version_info(self, connection: Connection) -> tuple[int, int]:
        version = _session(connection).info.server_version  # 180006 is 18.6
        return version // 10_000, version % 10_000

    def _get_default_schema_name(self, _connection: Connection) -> str:
        return "public"

    def get_default_isolation_level(self, _dbapi_connection: Any) -> Literal["READ COMMITTED"]:
        """PostgreSQL's own, which nothing here changes."""
        return "READ COMMITTED"

    def _set_backslash_escapes(self, connection: Connection) -> None:
        setting = _session(connection).info.parameter_status("standard_conforming_strings")
        self._backslash_escapes = setting == "off"


def _session(connection: Connection) -> psycopg.Connection[Any]:
    found = connection.connection.driver_connection
    if not isinstance(found, psycopg.Connection):
        raise TypeError(f"this dialect is for psycopg, not {type(found).__name__}")
    return found


registry.register("postgresql.rdsproxy", __name__, RdsProxyDialect.__name__)

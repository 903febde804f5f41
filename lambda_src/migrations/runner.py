"""Ordered SQL files, each applied once, in one transaction, and never edited afterwards."""

import logging
import time

import psycopg
from psycopg import generators, sql
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

from lambda_src.migrations.files import Migration, MigrationFailed, read, refuse_an_edited_past
from lambda_src.migrations.roles import OWNER
from lambda_src.migrations.statements import Statement, split

__all__ = ["Migration", "MigrationFailed", "migrate", "read"]

logger = logging.getLogger(__name__)

LOCK = 0x4845_4144  # any number, the same for every runner
# Of a migration as a whole: each is one transaction of ours, and PostgreSQL gets all of it at once.
NOT_ALLOWED = {
    **dict.fromkeys(("abort", "begin", "commit", "end", "rollback", "start"), "a migration is one transaction already"),
    "copy": "there is no client to copy from or to: use INSERT",
}
LEDGER = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        version text PRIMARY KEY,
        file text NOT NULL,
        sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


def migrate(connection: psycopg.Connection, migrations: list[Migration]) -> list[str]:
    """Apply what is not applied yet, as the role `owner`, and return the names of the files applied.

    `connection` goes directly to the database, in autocommit. Of two that run at once, one waits. A migration that the
    database has and `migrations` does not is left alone: an older version of the service may be deployed again.
    """
    connection.execute("SET lock_timeout = 0")  # the wait for another deployment has no end but the function's
    connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    try:
        connection.execute("RESET lock_timeout")
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER)))
        connection.execute(LEDGER)
        applied: dict[str, str] = dict(connection.execute("SELECT version, sha256 FROM schema_migration").fetchall())
        pending = [migration for migration in migrations if migration.version not in applied]
        refuse_an_edited_past(migrations, applied)
        for number, migration in enumerate(pending, start=1):
            logger.info("applying %s (%d of %d)", migration.file, number, len(pending))
            began = time.monotonic()
            _apply(connection, migration)
            logger.info("applied %s in %.1f s", migration.file, time.monotonic() - began)
        return [migration.file for migration in pending]
    finally:
        if not connection.closed:  # or it would hide why
            connection.execute("RESET ROLE")
            connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    statements = split(migration.text)
    for statement in statements:
        if reason := NOT_ALLOWED.get(next(iter(statement.words), "")):
            raise MigrationFailed(f"{migration.file}:{statement.line}: {statement.words[0].upper()}: {reason}")
    try:
        with connection.transaction():
            _execute(connection, migration, statements)
            connection.execute(
                "INSERT INTO schema_migration (version, file, sha256) VALUES (%s, %s, %s)",
                [migration.version, migration.file, migration.sha256],
            )
    except psycopg.Error as error:  # a deferred constraint, or a connection that was lost: no statement's fault
        raise MigrationFailed(f"{migration.file}: {_reason(error)}") from error


def _execute(connection: psycopg.Connection, migration: Migration, statements: list[Statement]) -> None:
    """Have PostgreSQL run the whole file; the statement that failed is the one after those that went well."""
    connection.pgconn.send_query(migration.text.encode())
    results = connection.wait(generators.execute(connection.pgconn))
    for done, result in enumerate(results):
        if result.status == ExecStatus.FATAL_ERROR:
            error = error_from_result(result)
            raise MigrationFailed(f"{migration.file}{_line(error, migration.text, statements, done)}: {_reason(error)}")


def _reason(error: psycopg.Error) -> str:
    return f"{error.diag.message_primary or error} [{error.sqlstate}]"


def _line(error: psycopg.Error, text: str, statements: list[Statement], done: int) -> str:
    """`:` and the line that PostgreSQL points at, or else the one where the statement after the `done` first begins."""
    if position := error.diag.statement_position:
        return f":{text.count(chr(10), 0, int(position) - 1) + 1}"
    return f":{statements[done].line}" if done < len(statements) else ""

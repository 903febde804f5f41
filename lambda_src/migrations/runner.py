"""Ordered SQL files, each applied once, in one transaction, and never edited afterwards."""

import hashlib
import logging
import re
import time
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import generators, sql
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

from lambda_src.migrations.roles import OWNER
from lambda_src.migrations.statements import Statement, split

logger = logging.getLogger(__name__)

FILE_NAME = re.compile(r"(?P<version>\d{4})_[a-z0-9_]+\.sql")
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


class MigrationFailed(Exception):
    """A migration can't be applied; the message names its file, the line where PostgreSQL gives one, and the reason."""


class Migration(NamedTuple):
    """One file: its version (the four digits its name begins with), its name and its text."""

    version: str
    file: str
    text: str

    @property
    def sha256(self) -> str:
        """The checksum of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read(directory: Path) -> list[Migration]:
    """The migrations in a folder, in order; MigrationFailed names a file that is misnamed or a version used twice."""
    migrations: dict[str, Migration] = {}
    for path in sorted(directory.glob("*.sql")):
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationFailed(f"{path.name}: a name such as 0002_add_color.sql is needed")
        migration = Migration(match["version"], path.name, path.read_text())
        if twin := migrations.get(migration.version):
            raise MigrationFailed(f"{twin.file} and {path.name} have the same version: renumber one of them")
        migrations[migration.version] = migration
    return list(migrations.values())


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
        _refuse_an_edited_past(migrations, applied)
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


def _refuse_an_edited_past(migrations: list[Migration], applied: dict[str, str]) -> None:
    edited = [
        migration.file
        for migration in migrations
        if applied.get(migration.version, migration.sha256) != migration.sha256
    ]
    if edited:
        raise MigrationFailed(
            f"{', '.join(edited)}: edited after it was applied; restore it, and put the change into a new file"
        )


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

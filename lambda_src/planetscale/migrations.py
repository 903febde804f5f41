"""Run by deployments of changed code: ordered SQL files in MySQL's dialect, each statement once, under a lock.

MySQL commits before and after each statement that changes the schema, so a file is no transaction. The ledger counts
statements instead: what failed at the third goes on at the third. A statement that changes rows is one transaction with
its count. One that changes the schema is not, but it happens wholly or not at all; where its answer was lost, the
ledger says that it was begun, and the next run takes "exists already" for the answer.
"""

import hashlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymysql.err import MySQLError

from lambda_src.database.resolve import resolve
from lambda_src.database.settings import require, root_bundle
from lambda_src.deadline import Context, Deadline
from lambda_src.migrations.files import Migration, MigrationFailed, read, refuse_an_edited_past
from lambda_src.planetscale.connection import Connection, tls_context
from lambda_src.planetscale.errors import CONNECTION_IS_GONE, number_of
from lambda_src.planetscale.settings import Login
from lambda_src.planetscale.statements import Statement, split

logging.getLogger("lambda_src").setLevel(logging.INFO)
logger = logging.getLogger(__name__)

# What this function needs. DB_MIGRATIONS_SECRET_NAME goes before, where the template gives it one.
VARIABLES = ("DB_SECRET_NAME",)
MIGRATIONS = Path(__file__).parent / "sql"
CONNECT_SECONDS = 10
LOCK_SECONDS = 120  # for another deployment to end
TABLE_LOCK_SECONDS = 5  # a statement that waits for a table makes every later one on the table wait behind it
# Each statement is committed by itself; a transaction that the file begins would hide that.
NOT_ALLOWED = {
    **dict.fromkeys(("BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT"), "each statement is committed by itself"),
    **dict.fromkeys(("USE", "SET", "LOCK", "UNLOCK"), "each file is for the URL's database, without a session's state"),
    "DELIMITER": "it is a command of the client mysql, and PlanetScale has no stored programs",
}
# Numbers that say: what this statement does to the schema has been done.
DONE_BEFORE = {
    1050,  # table exists
    1051,  # unknown table (to drop)
    1060,  # duplicate column
    1061,  # duplicate key name
    1091,  # can't drop: there is none
    1068,  # multiple primary key
}
LEDGER = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        version char(4) CHARACTER SET ascii NOT NULL PRIMARY KEY,
        file varchar(255) CHARACTER SET ascii NOT NULL,
        done int NOT NULL,
        begun int NOT NULL,
        sha256 char(64) CHARACTER SET ascii NOT NULL,
        applied_at datetime(6)
    )
"""
# `sha256` is that of the statements which are begun, and in the end that of the file.
BEGUN = """
    INSERT INTO schema_migration (version, file, done, begun, sha256) VALUES (%s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE begun = VALUES(begun), sha256 = VALUES(sha256)
"""
FAILED = "UPDATE schema_migration SET begun = done, sha256 = %s WHERE version = %s"
DONE = "UPDATE schema_migration SET done = %s WHERE version = %s"
APPLIED = "UPDATE schema_migration SET sha256 = %s, applied_at = CURRENT_TIMESTAMP(6) WHERE version = %s"


def handler(_event: object, context: Context) -> dict[str, Any]:
    """Bring the database to this version; an exception fails the deployment with its message."""
    require(VARIABLES)
    within = Deadline(CONNECT_SECONDS)
    secret_name = os.environ.get("DB_MIGRATIONS_SECRET_NAME") or os.environ["DB_SECRET_NAME"]
    login = Login.read(secret_name, within.remaining())
    address = resolve(login.host, login.port, within.remaining())[0]
    connection = Connection.to(login, address, tls_context(root_bundle()), within)
    connection.deadline = Deadline.of(context, float("inf"))
    try:
        return {"applied": migrate(connection, read(MIGRATIONS))}
    finally:
        connection.hang_up()


def migrate(connection: Connection, migrations: list[Migration]) -> list[str]:
    """Apply what is not applied yet, and return the names of the files applied.

    Of two that run at once, one waits. A migration that the database has and `migrations` does not is left alone: an
    older version of the service may be deployed again.
    """
    with _lock(connection):
        _ask(connection, "SET lock_wait_timeout = %s", TABLE_LOCK_SECONDS)  # a year, or a day, by default
        _ask(connection, LEDGER)
        ledger = {
            row[0]: row
            for row in _ask(connection, "SELECT version, sha256, done, begun, applied_at FROM schema_migration")
        }
        refuse_an_edited_past(migrations, {version: row[1] for version, row in ledger.items() if row[4] is not None})
        pending = [each for each in migrations if each.version not in ledger or ledger[each.version][4] is None]
        for migration in pending:
            began = time.monotonic()
            _apply(connection, migration, *ledger.get(migration.version, (None, _checksum([]), 0, 0))[1:4])
            logger.info("applied %s in %.1f s", migration.file, time.monotonic() - began)
        return [migration.file for migration in pending]


@contextmanager
def _lock(connection: Connection) -> Iterator[None]:
    name = f"headroom {hashlib.sha256(connection.db).hexdigest()[:16]}"  # such a lock is of the whole server
    if _ask(connection, "SELECT GET_LOCK(%s, %s)", name, LOCK_SECONDS) != ((1,),):
        raise MigrationFailed(
            f"another deployment was still migrating after {LOCK_SECONDS} s: deploy again when it is done"
        )
    try:
        yield
    finally:
        if connection.open:  # or it would hide why; the server lets go of a connection's locks by itself
            _ask(connection, "SELECT RELEASE_LOCK(%s)", name)


def _apply(connection: Connection, migration: Migration, sha256: str, done: int, begun: int) -> None:
    statements = split(migration.text)
    for statement in statements:
        if reason := NOT_ALLOWED.get(statement.word):
            raise MigrationFailed(f"{migration.file}:{statement.line}: {statement.word}: {reason}")
    if _checksum(statements[:begun]) != sha256:
        raise MigrationFailed(
            f"{migration.file}: its first {begun} statements are carried out, and were edited since; restore them"
        )
    for number in range(done + 1, len(statements) + 1):
        _carry_out(connection, migration, statements[:number], maybe_done=number == begun)
    if not statements:
        _ask(connection, BEGUN, migration.version, migration.file, 0, 0, sha256)
    _ask(connection, APPLIED, migration.sha256, migration.version)


def _carry_out(
    connection: Connection, migration: Migration, statements: Sequence[Statement], *, maybe_done: bool
) -> None:
    """Carry out the last of these statements; `maybe_done` says that an earlier run may have, but got no answer."""
    number, statement = len(statements), statements[-1]
    _ask(connection, BEGUN, migration.version, migration.file, number - 1, number, _checksum(statements))
    try:
        _ask(connection, "BEGIN")
        try:
            _ask(connection, statement.text)
        except MySQLError as error:
            if not (maybe_done and number_of(error) in DONE_BEFORE):
                raise
        _ask(connection, DONE, number, migration.version)
        _ask(connection, "COMMIT")
    except MySQLError as error:
        if number_of(error) not in CONNECTION_IS_GONE and connection.open:
            _ask(connection, "ROLLBACK")
            _ask(connection, FAILED, _checksum(statements[:-1]), migration.version)
        raise MigrationFailed(f"{migration.file}:{statement.line}: {_reason(error)}") from error


def _ask(connection: Connection, statement: str, *parameters: object) -> tuple[tuple[Any, ...], ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        rows: tuple[tuple[Any, ...], ...] = cursor.fetchall()
        return rows


def _checksum(statements: Sequence[Statement]) -> str:
    return hashlib.sha256("\0".join(statement.text for statement in statements).encode()).hexdigest()


def _reason(error: MySQLError) -> str:
    return f"{error.args[-1] if error.args else error} [{number_of(error)}]"

"""Migrations are applied once, in order and whole, by one deployment at a time; the application may only use them."""

import threading

import psycopg
import pytest

from lambda_src.migrations.handler import MIGRATIONS
from lambda_src.migrations.roles import ensure_roles
from lambda_src.migrations.runner import LOCK, MigrationFailed, migrate, read
from tests.conftest import APPLICATION, DATABASE, PASSWORD, as_master, as_superuser


@pytest.fixture
def database(postgres):
    """An empty database of its own beside the shared one."""
    name = "migrations"
    with as_superuser(postgres, "postgres") as connection:
        connection.execute(f"CREATE DATABASE {name}")
    with as_superuser(postgres, name) as connection:
        connection.execute("GRANT ALL ON SCHEMA public TO owner")
        yield connection
    with as_superuser(postgres, "postgres") as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def application(postgres):
    host = str(postgres.socket_directory)
    with psycopg.connect(
        host=host, user=APPLICATION, password=PASSWORD, dbname=DATABASE, autocommit=True
    ) as connection:
        yield connection


def test_migrations_are_applied_once_and_in_order(database, tmp_path):
    (tmp_path / "0002_b.sql").write_text("ALTER TABLE t ADD b int;")
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE t ();")
    migrations = read(tmp_path)
    assert migrate(database, migrations) == ["0001_a.sql", "0002_b.sql"]
    assert migrate(database, migrations) == []
    assert database.execute("SELECT b FROM t").fetchall() == []


def test_what_a_migration_makes_belongs_to_the_owner(database, tmp_path):
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE t ();")
    migrate(database, read(tmp_path))
    assert database.execute("SELECT tableowner FROM pg_tables WHERE tablename = 't'").fetchone() == ("owner",)


def test_a_failing_migration_names_file_line_and_reason_and_leaves_nothing(database, tmp_path):
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE t ();\nCREATE TABLE u ();\nSELECT nonsense;\n")
    with pytest.raises(MigrationFailed, match=r'0001_a.sql:3: column "nonsense" does not exist \[42703\]'):
        migrate(database, read(tmp_path))
    assert database.execute("SELECT to_regclass('t'), count(*) FROM schema_migration").fetchone() == (None, 0)


def test_an_edited_past_is_refused(database, tmp_path):
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE t ();")
    migrate(database, read(tmp_path))
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE t (edited int);")
    with pytest.raises(MigrationFailed, match=r"0001_a.sql: edited after it was applied"):
        migrate(database, read(tmp_path))


def test_a_database_that_is_ahead_is_left_alone(database, tmp_path):
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE t ();")
    (tmp_path / "0002_b.sql").write_text("ALTER TABLE t ADD b int;")
    migrations = read(tmp_path)
    migrate(database, migrations)
    assert migrate(database, migrations[:1]) == []


def test_of_two_runs_at_once_one_waits(postgres, database, tmp_path):
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE t ();")
    with as_superuser(postgres, database.info.dbname) as other:
        database.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        applied = []
        thread = threading.Thread(target=lambda: applied.append(migrate(other, read(tmp_path))))
        thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while database.execute(waiting).fetchone() == (0,):
            assert thread.is_alive(), "the second run did not wait"
        assert applied == []
        database.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        thread.join(10)
    assert applied == [["0001_a.sql"]]


@pytest.mark.parametrize("name", ["1_a.sql", "0001-a.sql", "0001_A.sql"])
def test_a_misnamed_file_is_refused(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(MigrationFailed, match=r"a name such as 0002_add_color.sql is needed"):
        read(tmp_path)


def test_a_version_used_twice_is_refused(tmp_path):
    (tmp_path / "0001_a.sql").write_text("")
    (tmp_path / "0001_b.sql").write_text("")
    with pytest.raises(MigrationFailed, match=r"0001_a.sql and 0001_b.sql have the same version"):
        read(tmp_path)


def test_roles_and_migrations_run_again_change_nothing(postgres):
    with as_master(postgres) as connection:
        ensure_roles(connection, application=APPLICATION, password=PASSWORD, statement_timeout=2)
        assert migrate(connection, read(MIGRATIONS)) == []


def test_the_application_has_its_timeouts_from_the_first_session(application):
    shown = application.execute(
        "SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
    )
    assert shown.fetchone() == ("2s", "2s")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine ()",
        "CREATE SCHEMA mine",
        "ALTER TABLE project ADD mine int",
        "DROP TABLE project",
        "TRUNCATE project",
        "SELECT * FROM schema_migration",
        "DELETE FROM cursor_key",
        "INSERT INTO cursor_key (secret) VALUES (repeat('x', 32)::bytea)",
        "SET ROLE owner",
        "SET ROLE rdsadmin",
        "CREATE ROLE mine",
        "SELECT * FROM pg_authid",
    ],
)
def test_the_application_may_not(application, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(statement)

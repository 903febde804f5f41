"""Migrations are applied once, in order and whole, by one deployment at a time; the application may only use them."""

import threading
import uuid

import psycopg
import pytest

from lambda_src.database.instance import PASSWORD_LOCK
from lambda_src.migrations.handler import MIGRATIONS
from lambda_src.migrations.roles import MIGRATOR, OWNER, ensure_roles, lend_password, revoke_password
from lambda_src.migrations.runner import LOCK, MigrationFailed, migrate, read
from local import resource
from tests.conftest import APPLICATION, DATABASE, MASTER, PASSWORD, as_master, as_superuser


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


def log_in(postgres, user, password):
    host = str(postgres.socket_directory)
    return psycopg.connect(host=host, user=user, password=password, dbname=DATABASE, autocommit=True)


@pytest.fixture
def application(postgres):
    with log_in(postgres, APPLICATION, PASSWORD) as connection:
        yield connection


@pytest.fixture
def migrator(postgres):
    with as_master(postgres) as master, log_in(postgres, MIGRATOR, lend_password(master)) as connection:
        yield connection
        revoke_password(master)


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "CREATE TABLE t (a int PRIMARY KEY);\n\n-- twice;\nINSERT INTO t VALUES (1),\n (1);\n",
            r":4: duplicate key .*23505",
        ),
        (
            "SELECT 1;;\nSELECT 2;\nDO $$\nBEGIN\n RAISE 'no; not this'; END $$;\nSELECT 3;",
            r":3: no; not this \[P0001\]",
        ),
        ("SELECT 1;\nSELECT\n 1/0;\n", r":2: division by zero \[22012\]"),
        ("CREATE TABLE t (a int);\nDROP TABLE u;\n", r':2: table "u" does not exist \[42P01\]'),
        ("SELECT 1;\nVACUUM;\n", r":2: VACUUM cannot run inside a transaction block \[25001\]"),
        ("SELECT 1;\nSELEKT 2;", r':2: syntax error at or near "SELEKT" \[42601\]'),
        (
            "CREATE TABLE t (a int PRIMARY KEY, b int REFERENCES t DEFERRABLE INITIALLY DEFERRED);"
            "INSERT INTO t VALUES (1, 2);",
            r"0001_a.sql: insert or update on table .*23503",
        ),
    ],
)
def test_a_statement_that_fails_when_it_runs_is_shown_at_its_line(database, tmp_path, text, message):
    (tmp_path / "0001_a.sql").write_text(text)
    with pytest.raises(MigrationFailed, match=message):
        migrate(database, read(tmp_path))
    assert database.execute("SELECT to_regclass('t'), count(*) FROM schema_migration").fetchone() == (None, 0)


@pytest.mark.parametrize("word", ["COMMIT", "begin", "ROLLBACK", "COPY t FROM STDIN", "END"])
def test_what_would_end_the_migrations_one_transaction_is_refused_before_anything_runs(database, tmp_path, word):
    (tmp_path / "0001_a.sql").write_text(f"CREATE TABLE t ();\n/* ; */ {word};\nCREATE TABLE u ();\n")
    with pytest.raises(MigrationFailed, match=rf"0001_a.sql:2: {word.split()[0].upper()}: "):
        migrate(database, read(tmp_path))
    assert database.execute("SELECT to_regclass('t')").fetchone() == (None,)


def test_progress_is_logged(database, tmp_path, caplog):
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE t ();")
    (tmp_path / "0002_b.sql").write_text("ALTER TABLE t ADD b int;")
    with caplog.at_level("INFO", "lambda_src"):
        migrate(database, read(tmp_path))
    told = [record.getMessage().split(" in ")[0] for record in caplog.records]
    assert told == [
        *("applying 0001_a.sql (1 of 2)", "applied 0001_a.sql"),
        *("applying 0002_b.sql (2 of 2)", "applied 0002_b.sql"),
    ]


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
        "CREATE TEMPORARY TABLE mine ()",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE VIEW mine AS SELECT 1",
        f"ALTER TABLE {resource.TABLE} DISABLE TRIGGER ALL",
        f"ALTER TABLE {resource.TABLE} ADD mine int",
        f"DROP TABLE {resource.TABLE}",
        f"TRUNCATE {resource.TABLE}",
        "SELECT * FROM schema_migration",
        "SET ROLE owner",
        "SET ROLE rdsadmin",
        "SET ROLE master",
        "SET ROLE migrator",
        "GRANT owner TO application",
        "CREATE ROLE mine",
        "ALTER ROLE owner LOGIN",
        "SELECT * FROM private.secret",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        f"COPY {resource.TABLE} TO PROGRAM 'true'",
        f"COPY {resource.TABLE} FROM '/etc/passwd'",
        "SELECT lo_import('/etc/passwd')",
        "CREATE EXTENSION dblink",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "ALTER ROLE application CONNECTION LIMIT 1",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IS NULL",
        "SELECT * FROM pg_authid",
    ],
)
def test_the_application_may_not(postgres, application, statement):
    with as_superuser(postgres) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS private; CREATE TABLE IF NOT EXISTS private.secret ()")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        resource.ADD,
        f"SELECT * FROM {resource.TABLE}",
        f"UPDATE {resource.TABLE} SET {resource.TEXT} = 'b' WHERE tenant = 'acme'",
        f"DELETE FROM {resource.TABLE} WHERE tenant = 'acme'",
    ],
)
def test_the_application_may(application, statement):
    with application.transaction(force_rollback=True):
        application.execute(statement, {"tenant": "acme", "id": uuid.uuid4(), "text": "a"})


@pytest.mark.parametrize(
    "statement",
    [
        f"ALTER ROLE {APPLICATION} PASSWORD 'its own'",
        f"ALTER ROLE {APPLICATION} SET statement_timeout = 0",
        f"SELECT pg_advisory_xact_lock({PASSWORD_LOCK})",
        "SELECT lo_from_bytea(0, 'x')",
        f"LOCK TABLE {resource.TABLE}",
    ],
)
def test_what_postgresql_grants_to_every_role_is_what_docs_security_lists(application, statement):
    with application.transaction(force_rollback=True):
        application.execute(statement)


def test_others_statements_are_hidden_from_the_application(postgres, application):
    with as_master(postgres) as master:
        master.execute("SELECT 'confidential'")
        seen = application.execute("SELECT query FROM pg_stat_activity WHERE usename = %s", [MASTER]).fetchall()
    assert set(seen) == {("<insufficient privilege>",)}


def test_a_deployment_takes_back_what_the_application_changed_of_itself(postgres, application):
    application.execute(f"ALTER ROLE {APPLICATION} PASSWORD 'its own'")
    application.execute(f"ALTER ROLE {APPLICATION} SET statement_timeout = 0")
    with as_master(postgres) as master:
        ensure_roles(master, application=APPLICATION, password=PASSWORD, statement_timeout=2)
    with log_in(postgres, APPLICATION, PASSWORD) as anew:
        assert anew.execute("SHOW statement_timeout").fetchone() == ("2s",)


def test_the_owner_cannot_log_in(postgres):
    with as_superuser(postgres) as connection:
        connection.execute(f"ALTER ROLE {OWNER} PASSWORD '{PASSWORD}'")
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            log_in(postgres, OWNER, PASSWORD)
        connection.execute(f"ALTER ROLE {OWNER} PASSWORD NULL")


def test_the_migrator_becomes_the_owner_and_nobody_else(migrator):
    migrator.execute("SET ROLE owner")
    assert migrator.execute(
        "SELECT tableowner = current_user FROM pg_tables WHERE tablename = %s", [resource.TABLE]
    ).fetchone()[0]
    migrator.execute("RESET ROLE")
    for statement in (
        "SET ROLE master",
        "SET ROLE rdsadmin",
        "CREATE ROLE mine",
        f"SELECT * FROM {resource.TABLE}",
        "CREATE TABLE t ()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            migrator.execute(statement)


def test_a_migration_cannot_reach_back_to_the_master(migrator, tmp_path):
    (tmp_path / "9001_a.sql").write_text("RESET ROLE;\nCREATE ROLE mine;")
    with pytest.raises(MigrationFailed, match=r"9001_a.sql:2: permission denied to create role"):
        migrate(migrator, read(tmp_path))


def test_a_migration_does_not_wait_for_ever_for_a_lock(migrator):
    assert migrator.execute("SHOW lock_timeout").fetchone() == ("5s",)
    migrate(migrator, read(MIGRATIONS))
    assert migrator.execute("SHOW lock_timeout").fetchone() == ("5s",)


def test_nobody_logs_in_as_the_migrator_between_deployments(postgres):
    with as_master(postgres) as master:
        password = lend_password(master)
        log_in(postgres, MIGRATOR, password).close()
        revoke_password(master)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        log_in(postgres, MIGRATOR, password)


def test_a_user_logs_in_with_a_password_or_with_tokens_and_never_with_both(postgres):
    members = "SELECT member::regrole::text FROM pg_auth_members WHERE roleid = 'rds_iam'::regrole"
    has_password = "SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL"
    ours = {APPLICATION, MIGRATOR}
    with as_master(postgres) as master, as_superuser(postgres) as superuser:
        for password in (None, None, PASSWORD, PASSWORD):
            ensure_roles(master, application=APPLICATION, password=password, statement_timeout=2)
            assert {name for (name,) in superuser.execute(members)} & ours == (set() if password else ours)
            assert (APPLICATION,) in superuser.execute(has_password).fetchall() or password is None
            assert (APPLICATION,) not in superuser.execute(has_password).fetchall() or password

"""Migrations in MySQL's dialect: each statement once and in order, by one deployment at a time."""

import threading
import uuid

import pytest
from pymysql.err import OperationalError

from lambda_src.migrations.files import MigrationFailed, read
from lambda_src.planetscale import migrations
from lambda_src.planetscale.connection import Connection
from lambda_src.planetscale.migrations import MIGRATIONS, migrate
from lambda_src.planetscale.statements import split
from tests.planetscale.fixtures import MIGRATOR, MIGRATOR_MAY_CHANGE, LocalPlanetScale, as_user, ask


@pytest.fixture
def database(mariadb):
    """The name of an empty database of its own beside the shared one."""
    name = f"migrations_{uuid.uuid4().hex[:8]}"
    ask(mariadb, f"CREATE DATABASE {name}")
    ask(mariadb, MIGRATOR_MAY_CHANGE.format(name))
    yield name
    ask(mariadb, f"DROP DATABASE {name}")


@pytest.fixture
def connection(mariadb, database):
    with as_user(mariadb, MIGRATOR, database=database) as found:
        yield found


def write(directory, **files):
    for name, text in files.items():
        (directory / f"{name.removeprefix('_')}.sql").write_text(text)
    return read(directory)


def tables(mariadb, database):
    found = ask(mariadb, "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", database)
    return {name for (name,) in found} - {"schema_migration"}


def test_migrations_are_applied_once_and_in_order(mariadb, database, connection, tmp_path):
    files = write(
        tmp_path, _0002_b="ALTER TABLE t ADD b int;", _0001_a="CREATE TABLE t (a int); INSERT INTO t VALUES (1)"
    )
    assert migrate(connection, files) == ["0001_a.sql", "0002_b.sql"]
    assert migrate(connection, files) == []
    assert ask(mariadb, f"SELECT a, b FROM {database}.t") == [(1, None)]


def test_a_failing_statement_names_file_line_and_reason_and_the_next_run_goes_on_there(
    mariadb, database, connection, tmp_path
):
    text = "CREATE TABLE t (a int PRIMARY KEY);\n\n-- one;\nINSERT INTO t VALUES (1);\nINSERT INTO t\n VALUES (1);\n"
    with pytest.raises(MigrationFailed, match=r"0001_a.sql:5: Duplicate entry '1' for key 'PRIMARY' \[1062\]"):
        migrate(connection, write(tmp_path, _0001_a=text))
    mended = text.replace("INSERT INTO t\n VALUES (1)", "INSERT INTO t\n VALUES (2)")
    assert migrate(connection, write(tmp_path, _0001_a=mended)) == ["0001_a.sql"]
    assert ask(mariadb, f"SELECT a FROM {database}.t") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1;\nSELEKT 2;", r"0001_a.sql:2: You have an error in your SQL syntax.*\[1064\]"),
        ("CREATE TABLE t (a int);\nDROP TABLE u;\n", r"0001_a.sql:2: Unknown table .*\[1051\]"),
        ("CREATE TABLE t (a int);\nCREATE TABLE t (a int);\n", r"0001_a.sql:2: Table 't' already exists \[1050\]"),
        ("SELECT 1;\n/* ; */ commit;\n", r"0001_a.sql:2: COMMIT: each statement is committed by itself"),
        ("SET sql_mode = '';", r"0001_a.sql:1: SET: .*without a session's state"),
        ("DELIMITER //", r"0001_a.sql:1: DELIMITER: "),
    ],
)
def test_what_fails_is_shown_at_its_line(connection, tmp_path, text, message):
    with pytest.raises(MigrationFailed, match=message):
        migrate(connection, write(tmp_path, _0001_a=text))


def test_a_file_that_was_edited_after_it_was_applied_is_refused(connection, tmp_path):
    migrate(connection, write(tmp_path, _0001_a="CREATE TABLE t (a int);"))
    edited = write(tmp_path, _0001_a="CREATE TABLE t (a bigint);", _0002_b="CREATE TABLE u (a int);")
    with pytest.raises(MigrationFailed, match=r"0001_a.sql: edited after it was applied"):
        migrate(connection, edited)


def test_a_statement_that_was_edited_after_it_was_carried_out_is_refused(connection, tmp_path):
    with pytest.raises(MigrationFailed, match="1064"):
        migrate(connection, write(tmp_path, _0001_a="CREATE TABLE t (a int); SELEKT;"))
    with pytest.raises(MigrationFailed, match="its first 1 statements are carried out, and were edited since"):
        migrate(connection, write(tmp_path, _0001_a="CREATE TABLE t (a bigint); SELECT 1;"))
    assert migrate(connection, write(tmp_path, _0001_a="CREATE TABLE t (a int); SELECT 1;")) == ["0001_a.sql"]


class LosesTheAnswer(Connection):
    """A connection that breaks when a statement was carried out, and before its answer is there."""

    statement = ""

    def query(self, sql, unbuffered=False):
        changed = super().query(sql, unbuffered)
        if sql == self.statement:
            self.hang_up()
            raise OperationalError(2013, "lost connection during query")
        return changed


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE u (a int)",
        "ALTER TABLE t ADD b int",
        "CREATE INDEX i ON t (a)",
        "DROP TABLE s",
        "INSERT INTO t (a) VALUES (1)",
    ],
)
def test_a_statement_whose_answer_was_lost_is_not_carried_out_twice(mariadb, database, tmp_path, statement):
    files = write(tmp_path, _0001_a=f"CREATE TABLE t (a int); CREATE TABLE s (a int); {statement}; SELECT 1")
    with as_user(mariadb, MIGRATOR, database=database, kind=LosesTheAnswer) as faulty:
        faulty.statement = statement
        with pytest.raises(MigrationFailed, match=r"0001_a.sql:1: lost connection"):
            migrate(faulty, files)
        assert not faulty.open
    with as_user(mariadb, MIGRATOR, database=database) as again:
        assert migrate(again, files) == ["0001_a.sql"]
    assert len(ask(mariadb, f"SELECT a FROM {database}.t")) == statement.startswith("INSERT")


def test_of_two_deployments_one_waits(mariadb, database, tmp_path):
    files = write(tmp_path, _0001_a="CREATE TABLE t (a int); DO SLEEP(0.3); INSERT INTO t VALUES (1);")
    results = []

    def deploy():
        with as_user(mariadb, MIGRATOR, database=database) as connection:
            results.append(migrate(connection, files))

    threads = [threading.Thread(target=deploy) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [[], ["0001_a.sql"]]
    assert ask(mariadb, f"SELECT a FROM {database}.t") == [(1,)]


def test_a_change_that_waits_for_a_table_gives_up_instead_of_holding_up_others(
    mariadb, database, connection, tmp_path, monkeypatch
):
    monkeypatch.setattr(migrations, "TABLE_LOCK_SECONDS", 1)
    migrate(connection, write(tmp_path, _0001_a="CREATE TABLE t (a int)"))
    with as_user(mariadb, MIGRATOR, database=database) as other, other.cursor() as cursor:
        other.begin()
        cursor.execute("SELECT * FROM t")
        with pytest.raises(MigrationFailed, match=r"0002_b.sql:1: Lock wait timeout exceeded.*\[1205\]"):
            migrate(connection, write(tmp_path, _0002_b="ALTER TABLE t ADD b int"))


def test_a_deployment_that_waits_too_long_says_so(mariadb, database, connection, tmp_path, monkeypatch):
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0)
    held = threading.Event()

    def hold():
        with as_user(mariadb, MIGRATOR, database=database) as other, migrations._lock(other):
            held.set()
            done.wait(10)

    done = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    with pytest.raises(MigrationFailed, match="another deployment was still migrating"):
        migrate(connection, write(tmp_path, _0001_a="SELECT 1"))
    done.set()
    thread.join()


def test_the_services_own_migrations_use_no_foreign_key(mariadb):
    texts = [statement.text.upper() for each in read(MIGRATIONS) for statement in split(each.text)]
    assert not [text for text in texts if "FOREIGN KEY" in text or "REFERENCES" in text]


class AMinute:
    """What Lambda gives a function."""

    def get_remaining_time_in_millis(self):
        return 60_000


def test_the_function_migrates_with_the_secret_that_it_is_given(mariadb, database, local_aws, monkeypatch):
    planetscale = LocalPlanetScale(mariadb, local_aws)
    planetscale.put_secret(planetscale.url(MIGRATOR, database))
    for name, value in planetscale.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DB_SECRET_NAME", "nobody has this one")
    monkeypatch.setenv("DB_MIGRATIONS_SECRET_NAME", planetscale.secret_name)
    assert migrations.handler({}, AMinute()) == {"applied": ["0001_projects.sql"]}
    assert migrations.handler({}, AMinute()) == {"applied": []}
    assert tables(mariadb, database) == {"project", "cursor_key"}
    assert ask(mariadb, f"SELECT LENGTH(secret) FROM {database}.cursor_key") == [(32,)]


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (";;\n;", []),
        ("SELECT 1", [(1, "SELECT 1")]),
        ("\n-- a;b\n# c;d\n/* e;\nf */ SELECT 1 -- g\n ;SELECT 2;", [(5, "SELECT 1"), (6, "SELECT 2")]),
        (
            "SELECT ';', \";\", `;`, 'it''s; \\'; ';SELECT 2",
            [(1, "SELECT ';', \";\", `;`, 'it''s; \\'; '"), (1, "SELECT 2")],
        ),
        ("SELECT 1--1;", [(1, "SELECT 1--1")]),
        (
            "/*!40101 SET x = 1 */;SELECT /*+ NO_ICP(t) */ 1",
            [(1, "/*!40101 SET x = 1 */"), (1, "SELECT /*+ NO_ICP(t) */ 1")],
        ),
    ],
)
def test_a_file_is_split_where_mysql_would_split_it(text, statements):
    assert [tuple(each) for each in split(text)] == statements

"""What MySQL's errors come to: each caused in a real server."""

import contextlib
import os
import socket
import threading
import time

import pytest
from pymysql.err import IntegrityError, InterfaceError, InternalError, OperationalError, ProgrammingError

from lambda_src.database.liveness import UNACKNOWLEDGED
from lambda_src.database.retry import Verdict
from lambda_src.deadline import Deadline
from lambda_src.planetscale.database import Database, DatabaseUnavailable
from lambda_src.planetscale.errors import verdict
from lambda_src.planetscale.settings import Settings
from tests.planetscale.fixtures import APPLICATION, DATABASE, LocalPlanetScale, ask, migrated_mariadb


@pytest.fixture(scope="module")
def server(certificates, tmp_path_factory):
    settings = {"innodb-lock-wait-timeout": "1"}
    with migrated_mariadb(tmp_path_factory.mktemp("errors"), certificates, **settings) as running:
        ask(running, "CREATE TABLE pair (id int PRIMARY KEY, name text)")
        ask(running, "CREATE TABLE ballast (id int AUTO_INCREMENT PRIMARY KEY)")
        yield running


@pytest.fixture(scope="module")
def planetscale(server, local_aws):
    return LocalPlanetScale(server, local_aws)


@pytest.fixture
def database(server, planetscale, monkeypatch):
    ask(server, "REPLACE INTO pair VALUES (1, 'old'), (2, 'old')")
    for name, value in planetscale.variables.items():
        monkeypatch.setenv(name, value)
    found = Database(Settings.from_environment())
    yield found
    found.close()


def run(database, statement, *, seconds=3, idempotent=False, **parameters):
    with database.session(Deadline(seconds)) as session:
        return session.run(statement, parameters, idempotent=idempotent)


@contextlib.contextmanager
def transaction(server):
    """The administrator's."""
    with server.administrator() as connection:
        connection.begin()
        with connection.cursor() as cursor:
            yield cursor
        connection.commit()


def until(condition):
    """What the condition gives as soon as it gives something."""
    for _ in range(1000):
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not come about")


def wait_until_blocked(server):
    waits = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
    until(lambda: ask(server, waits)[0][1] != "0")


def in_a_thread(action):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(action()))
    thread.start()
    return thread, answers


def test_a_deadlock_is_tried_again(server, database):
    with transaction(server) as other:
        # InnoDB undoes the transaction that has changed less.
        other.execute("INSERT INTO ballast VALUES (), (), (), (), ()")
        other.execute("UPDATE pair SET name = 'theirs' WHERE id = 2")
        thread, answers = in_a_thread(lambda: run(database, "UPDATE pair SET name = 'ours' ORDER BY id"))
        wait_until_blocked(server)
        other.execute("UPDATE pair SET name = 'theirs' WHERE id = 1")
    thread.join()
    assert [answer.changed for answer in answers] == [2]
    assert (database.figures.retries, database.figures.error) == (1, 1213)


def test_a_lock_that_is_waited_for_too_long_is_tried_again(server, database):
    with transaction(server) as other:
        other.execute("UPDATE pair SET name = 'theirs' WHERE id = 1")
        thread, answers = in_a_thread(lambda: run(database, "UPDATE pair SET name = 'ours' WHERE id = 1"))
        until(lambda: database.figures.retries)
    thread.join()
    assert [answer.changed for answer in answers] == [1]
    assert (database.figures.retries, database.figures.error) == (1, 1205)


def test_the_deadline_ends_a_statement(server, database):
    with pytest.raises(DatabaseUnavailable):
        run(database, "SELECT SLEEP(1)", seconds=0.3, idempotent=True)
    assert database.figures.deadline_exceeded == 1
    assert run(database, "SELECT 1").rows == [(1,)]


@pytest.mark.parametrize(("idempotent", "attempts"), [(True, 2), (False, 1)])
def test_a_statement_whose_connection_is_killed_is_sent_again_only_where_that_is_safe(
    server, database, idempotent, attempts
):
    sleeping = "SELECT id FROM information_schema.processlist WHERE user = %s AND info = 'SELECT SLEEP(0.8)'"
    failures = []

    def sleep():
        try:
            run(database, "SELECT SLEEP(0.8)", idempotent=idempotent)
        except DatabaseUnavailable as error:
            failures.append(str(error))

    thread, _ = in_a_thread(sleep)
    ((id,),) = until(lambda: ask(server, sleeping, APPLICATION))
    ask(server, f"KILL {id}")
    thread.join()
    assert (database.figures.attempts, len(failures)) == (attempts, 0 if idempotent else 1)


def test_a_statement_that_somebody_ends_is_not_tried_again(server, database):
    running = "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT COUNT(*) FROM seq%%'"
    failures = []

    def count():
        try:
            run(
                database,
                "SELECT COUNT(*) FROM seq_1_to_1000000000 WHERE seq % 7 = 0".replace("%", "%%"),
                idempotent=True,
            )
        except DatabaseUnavailable as error:
            failures.append(str(error))

    thread, _ = in_a_thread(count)
    ((id,),) = until(lambda: ask(server, running))
    ask(server, f"KILL QUERY {id}")
    thread.join()
    assert (database.figures.attempts, database.figures.error) == (1, 1317)
    assert failures


@pytest.mark.parametrize("number", [1021, 1030, 1037, 1114, 1206])
def test_a_database_without_room_or_with_a_broken_disk_is_unavailable_at_once(database, number):
    with pytest.raises(DatabaseUnavailable, match=f"{number} at attempt 1"):
        run(database, f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}", idempotent=True)
    assert run(database, "SELECT 1").rows == [(1,)]
    assert database.figures.connects == 1


def test_a_statement_that_is_wrong_is_raised_and_leaves_the_connection(database):
    with pytest.raises(OperationalError, match="1054"):
        run(database, "SELECT nonsense")
    with pytest.raises(ProgrammingError, match="1064"):
        run(database, "SELECT 1; SELECT 2")  # more than one statement is never sent on
    assert run(database, "SELECT 1").rows == [(1,)]
    assert database.figures.connects == 1


def test_what_a_request_leaves_open_is_closed_with_it(server, database):
    with database.session(Deadline(3)) as session:
        ((id,),) = session.run("SELECT CONNECTION_ID()", {}, idempotent=False).rows
        session.run("BEGIN", {}, idempotent=False)
        session.run("UPDATE pair SET name = 'left' WHERE id = 1", {}, idempotent=False)
    until(lambda: not ask(server, "SELECT id FROM information_schema.processlist WHERE id = %s", id))
    assert run(database, "SELECT name FROM pair WHERE id = 1").rows == [("old",)]
    assert database.figures.connects == 2


def test_a_connection_older_than_its_age_is_replaced(database, monkeypatch):
    assert run(database, "SELECT 1").rows == [(1,)]
    monkeypatch.setenv("DB_CONNECTION_MAX_AGE_SECONDS", "0.000001")
    database._patience = Settings.from_environment()
    assert run(database, "SELECT 1").rows == [(1,)]
    assert (database.figures.connects, database.figures.reconnects) == (2, 1)


def test_a_machine_that_forgot_the_connection_leaves_time_for_another(database):
    with socket.socket(fileno=os.dup(database.connection(Deadline(3)).fileno())) as channel:
        assert channel.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNACKNOWLEDGED


def test_a_session_is_in_autocommit_and_reads_and_writes_every_character(database):
    assert run(database, "SELECT @@autocommit, @@character_set_client, @@character_set_results").rows == [
        (1, "utf8mb4", "utf8mb4")
    ]
    text = "'; DROP TABLE project; -- \\' \" % %s 🎉 \u0000"
    assert run(database, "SELECT %(text)s", text=text).rows == [(text,)]


VITESS = "target: projects.-.primary: vttablet: rpc error: code = {} desc = {}"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InterfaceError(0, ""), Verdict.RETRY),
        (OperationalError(1203, "max_user_connections"), Verdict.RETRY),
        (
            OperationalError(1105, VITESS.format("Aborted", "transaction 1: ended at 2026-11-22 (timeout)")),
            Verdict.RETRY,
        ),
        (OperationalError(1317, VITESS.format("Aborted", "query was killed")), Verdict.RETRY),
        (OperationalError(1105, VITESS.format("Unavailable", "connection error")), Verdict.RETRY_IF_IDEMPOTENT),
        (OperationalError(1105, VITESS.format("Unknown", "direct DDL is disabled")), Verdict.RAISE),
        (OperationalError(1317, "Query execution was interrupted"), Verdict.UNAVAILABLE),
        (OperationalError(2006, "gone away"), Verdict.RETRY_IF_IDEMPOTENT),
        (OperationalError(2013, "lost"), Verdict.RETRY_IF_IDEMPOTENT),
        (InternalError("Packet sequence number wrong - got 3 expected 1"), Verdict.RETRY_IF_IDEMPOTENT),
        (IntegrityError(1062, "Duplicate entry"), Verdict.RAISE),
    ],
)
def test_an_error_that_no_server_here_makes_is_judged_by_its_number_and_vitess_by_its_text(error, expected):
    assert verdict(error, connecting=False, broken=False) is expected


def test_every_failure_to_connect_is_tried_again():
    assert verdict(OperationalError(1049, "Unknown database"), connecting=True, broken=False) is Verdict.RECONNECT


def test_the_applications_user_can_change_rows_and_no_tables(database):
    with pytest.raises(OperationalError, match="1142"):
        run(database, "CREATE TABLE t (id int)")
    with pytest.raises(OperationalError, match="1142"):
        run(database, f"DROP TABLE {DATABASE}.pair")

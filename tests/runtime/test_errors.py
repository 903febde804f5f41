"""What PostgreSQL's errors come to: each caused in a real server, through the stand-in."""

import contextlib
import os
import random
import socket
import threading
import time

import psycopg
import pytest

from lambda_src.database.connection import Database
from lambda_src.database.figures import Figures
from lambda_src.database.liveness import UNACKNOWLEDGED
from lambda_src.database.retry import AttemptFailed, Attempts, Verdict, pause
from lambda_src.database.settings import Settings
from lambda_src.database.unavailable import DatabaseUnavailable
from lambda_src.deadline import Deadline
from tests.conftest import APPLICATION, DATABASE, as_superuser, migrated_server, stand_in_before

UPDATE = "UPDATE quarrel SET word = %(word)s WHERE who = %(who)s RETURNING word"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with migrated_server(tmp_path_factory.mktemp("errors"), statement_timeout=1) as running:
        with as_superuser(running) as connection:
            connection.execute(f"CREATE TABLE quarrel (who text, word text); GRANT ALL ON quarrel TO {APPLICATION}")
        yield running


@pytest.fixture(scope="module")
def proxy(server, certificates, tmp_path_factory):
    running = stand_in_before(server, certificates, tmp_path_factory.mktemp("proxy"), percent=10)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def database(proxy, monkeypatch):
    for name, value in proxy.variables.items():
        monkeypatch.setenv(name, value)
    opened = Database(Settings.from_environment())
    yield opened
    opened.close()


@pytest.fixture
def other(server):
    """Another session, outside the pool, with two rows to quarrel about."""
    with as_superuser(server) as connection:
        connection.execute("TRUNCATE quarrel; INSERT INTO quarrel VALUES ('acme', 'old'), ('brick', 'old')")
        yield connection


@contextlib.contextmanager
def applications_sessions_with(server, setting, value):
    """New sessions of the application have the setting; those in the pool are ended."""
    change(server, f"SET {setting} = '{value}'")
    try:
        yield
    finally:
        change(server, f"RESET {setting}")


def change(server, clause):
    with as_superuser(server) as connection:
        connection.execute(f"ALTER ROLE {APPLICATION} IN DATABASE {DATABASE} {clause}")
        pool = "FROM pg_stat_activity WHERE usename = %s"
        connection.execute(f"SELECT pg_terminate_backend(pid, 5000) {pool}", [APPLICATION])


def ask(database, query, parameters=None, *, seconds=3, idempotent=False):
    with database.session(Deadline(seconds)) as session:
        return session.all(query, parameters or {}, idempotent=idempotent)


def wait_until_blocked(connection):
    while connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
        pass


def test_a_serialization_failure_is_tried_again(server, database, other):
    with applications_sessions_with(server, "default_transaction_isolation", "repeatable read"):
        answers = []
        with other.transaction():
            other.execute("UPDATE quarrel SET word = 'theirs' WHERE who = 'acme'")
            thread = threading.Thread(
                target=lambda: answers.append(ask(database, UPDATE, {"who": "acme", "word": "ours"}))
            )
            thread.start()
            with as_superuser(server) as observer:
                wait_until_blocked(observer)
        thread.join()
    assert answers == [[("ours",)]]
    assert (database.figures.retries, database.figures.sqlstate) == (1, "40001")


def test_a_deadlock_is_tried_again(server, database, other):
    in_order = "SELECT who FROM quarrel ORDER BY who FOR UPDATE"
    both = f"UPDATE quarrel SET word = 'ours' WHERE who IN ({in_order}) RETURNING word"
    with as_superuser(server) as connection:
        # Long enough for the other to wait too, and below statement_timeout. Ours looks for the deadlock first, as it
        # waited first.
        connection.execute("ALTER SYSTEM SET deadlock_timeout = '700ms'")
        connection.execute("SELECT pg_reload_conf()")
        answers = []
        with other.transaction():
            other.execute("UPDATE quarrel SET word = 'theirs' WHERE who = 'brick'")
            thread = threading.Thread(target=lambda: answers.append(ask(database, both)))
            thread.start()
            wait_until_blocked(connection)
            other.execute("SET LOCAL deadlock_timeout = '10s'")
            other.execute("UPDATE quarrel SET word = 'theirs' WHERE who = 'acme'")
        thread.join()
    assert answers == [[("ours",), ("ours",)]]
    assert (database.figures.retries, database.figures.sqlstate) == (1, "40P01")


def test_a_statement_that_is_cancelled_by_its_timeout_is_not_tried_again(database):
    with pytest.raises(DatabaseUnavailable, match="57014 at attempt 1"):
        ask(database, "SELECT pg_sleep(30)", idempotent=True)
    assert database.figures.attempts == 1
    assert ask(database, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("state", ["53000", "53100", "53200", "53400", "58000", "58030"])
def test_a_database_without_room_or_with_a_broken_disk_is_unavailable_at_once(database, state):
    with pytest.raises(DatabaseUnavailable, match=f"{state} at attempt 1"):
        ask(database, f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$", idempotent=True)
    assert ask(database, "SELECT 1") == [(1,)]
    assert database.figures.connects == 1


def test_the_deadline_ends_a_statement_that_no_timeout_ends(server, database):
    with applications_sessions_with(server, "statement_timeout", "0"):
        with pytest.raises(DatabaseUnavailable):
            ask(database, "SELECT pg_sleep(5)", seconds=0.5, idempotent=True)
        assert database.figures.deadline_exceeded == 1
        assert ask(database, "SELECT 1") == [(1,)]


def test_a_database_that_became_read_only_is_unavailable_for_writes_until_it_is_writable(server, database, other):
    assert ask(database, "SELECT 1") == [(1,)]
    with applications_sessions_with(server, "default_transaction_read_only", "on"):
        with pytest.raises(DatabaseUnavailable, match="25006"):
            ask(database, UPDATE, {"who": "acme", "word": "ours"})
        assert ask(database, "SELECT word FROM quarrel WHERE who = 'acme'") == [("old",)]
    assert ask(database, UPDATE, {"who": "acme", "word": "ours"}) == [("ours",)]


def test_a_write_is_repeated_when_the_database_becomes_writable_in_time(server, database, other):
    with applications_sessions_with(server, "default_transaction_read_only", "on"):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(ask(database, UPDATE, {"who": "acme", "word": "ours"})))
        thread.start()
        while not database.figures.retries:
            pass
    thread.join()
    assert answers == [[("ours",)]]
    assert database.figures.sqlstate == "25006"


def test_a_statement_that_is_wrong_is_raised_and_leaves_the_connection(database):
    assert ask(database, "SELECT 1") == [(1,)]
    with pytest.raises(psycopg.errors.UndefinedColumn):
        ask(database, "SELECT nonsense")
    assert ask(database, "SELECT 1") == [(1,)]
    assert database.figures.connects == 1


@pytest.mark.parametrize("left_open", ["BEGIN", "BEGIN; SELECT nonsense"])
def test_what_a_request_leaves_open_is_closed_with_it(server, database, left_open):
    with contextlib.suppress(psycopg.Error), database.session(Deadline(3)) as session:
        session.all(left_open, {}, idempotent=False)
    with as_superuser(server) as connection:
        states = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
        while connection.execute(states).fetchone() != (0,):
            pass
    assert ask(database, "SELECT 1") == [(1,)]
    assert database.figures.connects == 2


def test_a_connection_older_than_its_age_is_replaced(proxy, database, monkeypatch):
    assert ask(database, "SELECT 1") == [(1,)]
    monkeypatch.setenv("DB_CONNECTION_MAX_AGE_SECONDS", "0.000001")
    database._patience = Settings.from_environment()
    assert ask(database, "SELECT 1") == [(1,)]
    assert (database.figures.connects, database.figures.reconnects) == (2, 1)


def test_a_machine_that_forgot_the_connection_leaves_time_for_another(database):
    """A packet filter could show it; without one the test asks for the limit that Linux keeps."""
    connection = database.connection(Deadline(3))
    with socket.socket(fileno=os.dup(connection.fileno())) as channel:
        assert channel.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNACKNOWLEDGED < 3000 / 2


def test_a_name_that_does_not_resolve_is_unavailable(database, monkeypatch):
    monkeypatch.setenv("DB_HOST", "nowhere.invalid")
    nowhere = Database(Settings.from_environment())
    with pytest.raises(DatabaseUnavailable, match="gaierror"):
        ask(nowhere, "SELECT 1")


@pytest.mark.parametrize(("decision", "base"), [(Verdict.RECONNECT, 0.4), (Verdict.RETRY, 0.05)])
@pytest.mark.parametrize("retry", [1, 2, 3])
def test_a_pause_is_random_grows_with_each_retry_and_leaves_half_of_the_rest(decision, base, retry):
    is_last = (decision, retry) == (Verdict.RECONNECT, 3)
    for left in (60, 0.5, 0.01):
        longest = min(base * 2**retry, left * (0.75 if is_last else 0.5))
        shortest = longest * 2 / 3 if is_last else 0
        pauses = [pause(retry, decision, left) for _ in range(500)]
        tenth = (longest - shortest) / 10
        assert shortest <= min(pauses) < shortest + tenth
        assert longest - tenth < max(pauses) <= longest


def test_the_last_attempt_to_connect_comes_after_half_of_the_deadline_and_leaves_it_time():
    for _ in range(500):
        left = 3.0
        for retry in (1, 2, 3):
            left -= pause(retry, Verdict.RECONNECT, left)
        assert 3 / 16 <= left <= 3 / 2


class Failing:
    """What fails as it is told, and then succeeds; `figures` counts what that costs."""

    def __init__(self, *decisions):
        self.figures = Figures()
        self._left = list(decisions)

    def __call__(self):
        if self._left:
            raise AttemptFailed(self._left.pop(0), "told to")
        return "done"


@pytest.mark.parametrize(
    ("decision", "idempotent", "attempts"),
    [
        (Verdict.RECONNECT, False, 4),
        (Verdict.RETRY, False, 4),
        (Verdict.RETRY_IF_IDEMPOTENT, True, 4),
        (Verdict.RETRY_IF_IDEMPOTENT, False, 1),
        (Verdict.UNAVAILABLE, True, 1),
    ],
)
def test_what_is_safe_is_attempted_four_times_and_what_is_not_once(decision, idempotent, attempts):
    failing = Failing(*[decision] * (attempts - 1))
    assert Attempts(failing, Deadline(0.1)).carry_out(failing, idempotent=idempotent) == "done"
    failing = Failing(*[decision] * attempts)
    with pytest.raises(DatabaseUnavailable, match=f"told to at attempt {attempts}, "):
        Attempts(failing, Deadline(0.1)).carry_out(failing, idempotent=idempotent)
    assert (failing.figures.retries, failing.figures.deadline_exceeded) == (attempts - 1, 0)


def test_each_attempt_to_connect_comes_after_its_pause(monkeypatch):
    pauses = []
    monkeypatch.setattr(random, "uniform", max)
    monkeypatch.setattr(time, "sleep", pauses.append)
    failing = Failing(*[Verdict.RECONNECT] * 3)
    Attempts(failing, Deadline(60)).carry_out(failing, idempotent=False)
    assert pauses == [0.8, 1.6, 3.2]


def test_nothing_is_attempted_again_when_the_deadline_has_passed():
    failing = Failing(Verdict.RECONNECT)
    with pytest.raises(DatabaseUnavailable, match=r"at attempt 1, 0\.0 s left"):
        Attempts(failing, Deadline(0)).carry_out(failing, idempotent=True)
    assert (failing.figures.retries, failing.figures.deadline_exceeded) == (0, 1)


@pytest.mark.parametrize("decision", list(Verdict))
def test_only_an_attempt_that_may_have_been_carried_out_leaves_that_open(decision):
    attempts = Attempts(Failing(), Deadline(0.1))
    with contextlib.suppress(DatabaseUnavailable):
        attempts.carry_out(Failing(decision), idempotent=True)
    attempts.carry_out(Failing(Verdict.RETRY), idempotent=True)
    assert attempts.uncertain == (decision is Verdict.RETRY_IF_IDEMPOTENT)

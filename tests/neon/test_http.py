"""SQL over HTTP: what Neon's own driver and our code get from the same endpoint, and what makes no sense there."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lambda_src.database import connection
from lambda_src.database.retry import Verdict
from lambda_src.deadline import Deadline
from lambda_src.neon import http
from lambda_src.neon.settings import Settings
from lambda_src.neon.statement import NotOverHttp, query
from tests.conftest import APPLICATION, DATABASE, PASSWORD, ROOT

COUNT = "SELECT count(*) FROM project WHERE tenant = %(tenant)s"
ADD = """
    INSERT INTO project (tenant, id, name, version, created_at, updated_at)
    VALUES (%(tenant)s, gen_random_uuid(), %(name)s, 1, now(), now())
"""


@pytest.fixture
def session(neon_http, monkeypatch):
    for name, value in neon_http.variables.items():
        monkeypatch.setenv(name, value)
    database = http.Database(Settings.from_environment())
    with database.session(Deadline(5)) as opened:
        yield opened
    database.close()


@pytest.fixture
def over_tcp(neon, monkeypatch):
    for name, value in neon.variables.items():
        monkeypatch.setenv(name, value)
    database = connection.Database(Settings.from_environment())
    with database.session(Deadline(5)) as opened:
        yield opened
    database.close()


@pytest.fixture(scope="module")
def driver(neon_http):
    """What @neondatabase/serverless gets."""
    variables = {
        **os.environ,
        "DATABASE_URL": neon_http.neon.url(APPLICATION, PASSWORD, DATABASE),
        "SQL_ENDPOINT": neon_http.sql_endpoint,
        "NODE_EXTRA_CA_CERTS": str(neon_http.certificates / "ca.pem"),
    }
    script = Path(__file__).with_name("driver.mjs")
    found = subprocess.run(["node", script], env=variables, capture_output=True, text=True, timeout=30, check=False)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_neons_own_driver_gets_values_of_every_kind(driver):
    (row,) = driver["types"]
    assert row == {
        "i": 1,
        "big": "9007199254740993",
        "b": True,
        "n": None,
        "j": {"a": [1]},
        "t": "ü",
        "list": [1, 2],
        "f": 1.5,
    }
    assert driver["full"]["rows"] == [{"next": 42}]
    assert (driver["full"]["rowCount"], driver["full"]["command"]) == (1, "SELECT")
    assert [field["dataTypeID"] for field in driver["full"]["fields"]] == [23]


def test_neons_own_driver_gets_a_batch_as_one_transaction(driver):
    assert driver["batch"] == [[{"level": "serializable"}], [{"transaction_read_only": "on"}]]
    assert driver["rolledBack"]["code"] == "42501"  # the role may not insert there, and nothing of it stays


def test_neons_own_driver_gets_errors_as_postgresql_gives_them(driver):
    assert (driver["undefinedColumn"]["name"], driver["undefinedColumn"]["code"]) == ("NeonDbError", "42703")
    assert driver["duplicate"]["code"] == "42P01"
    assert "password authentication failed" in driver["wrongPassword"]["message"]


STATEMENTS = [
    ("SELECT 1, 9007199254740993, true, NULL, 1.5::float8, 'ü', '{\"a\": [1]}'::jsonb, '\\x00ff'::bytea", {}),
    (
        "SELECT %(a)s::text, %(b)s::integer, %(a)s::text, 10 %% 3, %(n)s::text, %(t)s::boolean, %(x)s::bytea",
        {"a": "it's ü", "b": 41, "n": None, "t": True, "x": b"\0\xff"},
    ),
    ("SELECT %(f)s::float8, %(i)s::bigint", {"f": 0.1, "i": 2**62}),
    ("SELECT WHERE false", {}),
]


@pytest.mark.parametrize(("statement", "parameters"), STATEMENTS)
def test_our_code_gets_what_psycopg_gets(session, over_tcp, statement, parameters):
    ours, psycopgs = (each.all(statement, parameters, idempotent=True) for each in (session, over_tcp))
    assert ours == psycopgs
    assert [[type(value) for value in row] for row in ours] == [[type(value) for value in row] for row in psycopgs]


def test_a_batch_is_one_transaction_and_one_request(session, neon_http):
    before = neon_http.neon.sql.requests
    parameters = {"tenant": f"batch-{os.urandom(4).hex()}", "name": "a"}
    assert session.batch([(ADD, parameters), (ADD, parameters), (COUNT, parameters)], idempotent=False)[2] == [(2,)]
    assert neon_http.neon.sql.requests == before + 1
    with pytest.raises(http.StatementFailed) as caught:
        session.batch([(ADD, parameters), ("SELECT 1 / 0", {})], idempotent=False)
    assert caught.value.sqlstate == "22012"
    assert session.one(COUNT, parameters, idempotent=True) == (2,)


@pytest.mark.parametrize("level", http.ISOLATION_LEVELS)
def test_a_batch_runs_at_the_isolation_level_that_was_asked_for(session, level):
    shown = [("SHOW transaction_isolation", {}), ("SHOW transaction_read_only", {})]
    answers = session.batch(shown, idempotent=True, isolation_level=level, read_only=level == "Serializable")
    assert answers[0][0][0].replace(" ", "") == level.lower()
    assert answers[1] == [("on" if level == "Serializable" else "off",)]


def test_an_isolation_level_that_there_is_not_is_refused(session):
    with pytest.raises(ValueError, match="isolation_level is 'Snapshot', allowed is ReadUncommitted, ReadCommitted"):
        session.batch([("SELECT 1", {})], idempotent=True, isolation_level="Snapshot")


@pytest.mark.parametrize(
    "statement", ["BEGIN", "-- first\n  commit", "/* so */ ROLLBACK", "savepoint a", "START TRANSACTION"]
)
def test_an_interactive_transaction_is_refused_before_anything_is_sent(session, neon_http, statement):
    before = neon_http.neon.sql.requests
    with pytest.raises(NotOverHttp, match=r"over HTTP each statement is a transaction of its own; send .* one batch"):
        session.all(statement, {}, idempotent=False)
    with pytest.raises(NotOverHttp):
        session.batch([(statement, {})], idempotent=False)
    assert neon_http.neon.sql.requests == before


@pytest.mark.parametrize(
    "statement", ["SET search_path = a", "LISTEN a", "PREPARE a AS SELECT 1", "DECLARE a CURSOR FOR SELECT 1"]
)
def test_a_statement_that_needs_a_session_is_refused(session, statement):
    with pytest.raises(NotOverHttp, match="over HTTP a session ends with its statement; use the mode connection"):
        session.all(statement, {}, idempotent=False)


def test_what_lasts_as_long_as_the_transaction_may_be_set_in_a_batch(session):
    statements = [("SET LOCAL lock_timeout = '7s'", {}), ("SHOW lock_timeout", {})]
    assert session.batch(statements, idempotent=True)[1] == [("7s",)]
    assert session.one("SHOW lock_timeout", {}, idempotent=True) == ("0",)


def test_a_value_that_has_no_text_of_its_own_is_refused_by_name():
    with pytest.raises(TypeError, match=r"at is of type datetime, allowed are str, int, float, bool, bytes, None"):
        query("SELECT %(at)s", {"at": datetime.now(UTC)})
    with pytest.raises(ValueError, match="no value is given for at, to"):
        query("SELECT %(at)s, %(to)s", {})
    with pytest.raises(ValueError, match="a % that is no placeholder is written %%"):
        query("SELECT 10 % 3", {})


@pytest.mark.parametrize(
    ("status", "answer", "decision"),
    [
        (400, {"message": "no such endpoint", "code": None}, Verdict.UNAVAILABLE),
        (503, None, Verdict.RETRY_IF_IDEMPOTENT),
        (400, {"message": "", "code": "40001"}, Verdict.RETRY),
        (400, {"message": "", "code": "57014"}, Verdict.UNAVAILABLE),
        (400, {"message": "", "code": "57P01"}, Verdict.RETRY_IF_IDEMPOTENT),
    ],
)
def test_what_an_endpoint_says_decides_whether_to_ask_again(neon_http, monkeypatch, status, answer, decision):
    for name, value in neon_http.variables.items():
        monkeypatch.setenv(name, value)
    database = http.Database(Settings.from_environment())
    assert database._failure(status, answer or {}, Deadline(3)).decision is decision


def test_sql_over_http_imports_no_psycopg(neon_http):
    program = "import sys, lambda_src.stores as s; s.connect(); print('psycopg' in sys.modules)"
    for mode, expected in (("http", "False"), ("connection", "True")):
        variables = {**os.environ, **neon_http.variables, "NEON_MODE": mode}
        found = subprocess.run(
            ["python", "-c", program], cwd=ROOT, env=variables, capture_output=True, text=True, check=True
        )
        assert found.stdout.strip() == expected


def test_psycopgs_placeholders_are_read_as_psycopg_reads_them(over_tcp):
    """The translation is our own, so it is held to the one that it stands for."""
    statement = "SELECT '%%', %(a)s::text || %(b)s::text || %(a)s::text"
    values = {"a": "x", "b": "%(a)s"}
    assert query(statement, values) == {
        "query": "SELECT '%', $1::text || $2::text || $1::text",
        "params": ["x", "%(a)s"],
    }
    assert over_tcp.one(statement, values, idempotent=True) == ("%", "x%(a)sx")

"""What pins a session, what does not, and what is left behind."""

from collections.abc import Callable

import psycopg
import pytest

from local.rds_proxy.messages import Request, c_string, message
from local.rds_proxy.pinning import UNPARSED, Pinning
from tests.local.conftest import Database, RawClient, RunningProxy, eventually

PINS = {
    "SET": [
        "SET work_mem = '1MB'",
        "set  LOCAL work_mem to '1MB'",
        "/* comment */ SeT SESSION work_mem = DEFAULT -- more",
        "SET TIME ZONE 'UTC'",
        "SET ROLE app",
        "SET SESSION AUTHORIZATION DEFAULT",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "RESET work_mem",
        "RESET ALL",
        "SELECT 1; SET work_mem = '1MB'",
    ],
    "SET CONSTRAINTS": ["SET CONSTRAINTS ALL DEFERRED"],
    "set_config": [
        "SELECT set_config('work_mem', '1MB', false)",
        "SELECT pg_catalog.set_config('work_mem', '1MB', true)",
        "SELECT * FROM item WHERE name = (SELECT set_config('a.b', 'c', true))",
        "WITH a AS (SELECT set_config('a.b', 'c', false)) SELECT * FROM a",
    ],
    "PREPARE": ["PREPARE p AS SELECT 1"],
    "EXECUTE": ["EXECUTE p", "EXPLAIN ANALYZE EXECUTE p", "CREATE TABLE t AS EXECUTE p"],
    "DEALLOCATE": ["DEALLOCATE p", "DEALLOCATE ALL"],
    "DISCARD": ["DISCARD ALL", "DISCARD TEMP", "DISCARD PLANS", "DISCARD SEQUENCES"],
    "a temporary object": [
        "CREATE TEMP TABLE t (i int)",
        "CREATE TEMPORARY TABLE t AS SELECT 1",
        "SELECT 1 AS i INTO TEMP t",
        "CREATE TABLE pg_temp.t (i int)",
        "CREATE TABLE pg_temp.t AS SELECT 1",
        "CREATE TEMP VIEW v AS SELECT 1",
        "CREATE TEMP SEQUENCE s",
        "CREATE TEMP TABLE t (LIKE item)",
        "CREATE TYPE pg_temp.pair AS (a int, b int)",
        "CREATE TYPE pg_temp.span AS RANGE (subtype = int4)",
        "CREATE AGGREGATE pg_temp.total(int) (sfunc = int4pl, stype = int)",
        'CREATE COLLATION pg_temp.c FROM "C"',
        "CREATE STATISTICS pg_temp.s ON id, name FROM item",
        "CREATE FOREIGN TABLE pg_temp.t (i int) SERVER elsewhere",
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
    "DECLARE": ["DECLARE c CURSOR FOR SELECT 1", "DECLARE c CURSOR WITH HOLD FOR SELECT 1"],
    "LISTEN": ["LISTEN channel"],
    "LOAD": ["LOAD 'auto_explain'"],
    "nextval": [
        "SELECT nextval('counter')",
        "INSERT INTO item VALUES (nextval('counter'), 'x')",
        "CREATE TABLE t (i int DEFAULT nextval('counter'))",
        "SELECT pg_catalog.nextval('counter')",
    ],
    "setval": ["SELECT setval('counter', 1)", "SELECT \"setval\"('counter', 1)"],
    "pg_advisory_lock": ["SELECT pg_advisory_lock(1)"],
    "pg_advisory_lock_shared": ["SELECT pg_advisory_lock_shared(1, 2)"],
    "pg_try_advisory_lock": ["SELECT pg_try_advisory_lock(1)"],
    "pg_try_advisory_lock_shared": ["SELECT pg_try_advisory_lock_shared(1)"],
    "pg_advisory_unlock_all": ["SELECT pg_advisory_unlock_all()"],
    "longer than 16 KB": [f"SELECT '{'x' * 16_376}'", "-" * 20_000],
}
PINS_NOT = [
    "",
    "-- SET work_mem = '1MB'",
    "SELECT 'SET work_mem = 1; nextval(x)'",
    "SELECT 1 AS nextval",
    "SELECT other.nextval('counter')",
    'SELECT "NEXTVAL"(1)',
    "UPDATE item SET name = 'x'",
    "INSERT INTO item VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'y'",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
    "COMMIT",
    "ALTER ROLE app SET work_mem = '1MB'",
    "ALTER DATABASE one SET work_mem = '1MB'",
    "CREATE TABLE t (i int GENERATED ALWAYS AS IDENTITY)",
    "CREATE UNLOGGED TABLE t (i int)",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET work_mem = '1MB' AS 'SELECT 1'",
    "SELECT pg_advisory_xact_lock(1), pg_advisory_xact_lock_shared(1)",
    "SELECT pg_try_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(1)",
    "SELECT currval('counter'), lastval()",
    "SELECT current_setting('work_mem')",
    "SHOW work_mem",
    "NOTIFY channel",
    "UNLISTEN *",
    "DO $$ BEGIN PERFORM set_config('a.b', 'c', false); END $$",
    "CALL procedure()",
    "COPY item FROM STDIN",
    "LOCK TABLE item",
    "SELECT * FROM pg_temp.t",
    "CREATE STATISTICS ON id, name FROM item",
    "SELECT U&'\\0041\\+000061'",
    f"SELECT '{'x' * 16_375}'",
    f"SELECT {'+'.join(['1'] * 5000)}",
]
LOCAL = [
    "SET LOCAL work_mem = '1MB'",
    "SET TRANSACTION READ ONLY",
    "SET CONSTRAINTS ALL DEFERRED",
    "SELECT set_config('work_mem', '1MB', true)",
]


@pytest.mark.parametrize(("word", "statement"), [(word, text) for word, texts in PINS.items() for text in texts])
def test_a_documented_statement_pins_and_says_why(word: str, statement: str) -> None:
    assert word in (Pinning().reason(statement.encode()) or "")


@pytest.mark.parametrize("statement", PINS_NOT)
def test_no_other_statement_pins(statement: str) -> None:
    assert Pinning().reason(statement.encode()) is None


@pytest.mark.parametrize("statement", LOCAL)
def test_whether_set_local_pins_can_be_chosen(statement: str) -> None:
    assert Pinning().reason(statement.encode())
    assert Pinning(set_local_pins=False).reason(statement.encode()) is None


@pytest.mark.parametrize(
    "statement",
    [
        "SET work_mem = '1MB'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SELECT set_config('work_mem', '1MB', false)",
        "RESET ALL",
    ],
)
def test_what_lasts_pins_whatever_was_chosen(statement: str) -> None:
    assert Pinning(set_local_pins=False).reason(statement.encode())


@pytest.mark.parametrize("text", [b"SELEKT", b"SELECT 'open", b"SELECT \xff'", b"SELECT (" * 4000])
def test_what_the_parser_does_not_know_is_said_to_be_so(text: bytes) -> None:
    assert Pinning().reason(text[:16_000]) == UNPARSED


def test_a_statement_in_another_encoding_is_parsed() -> None:
    assert "SET" in (Pinning().reason("SET application_name = 'ä'".encode("latin-1")) or "")


def test_statements_that_differ_in_numbers_only_are_parsed_once() -> None:
    pinning = Pinning()
    for number in range(100):
        assert pinning.reason(b"SELECT name, 'x%d y' FROM item1 WHERE id = %d" % (7, number)) is None
        assert pinning.reason(b"SELECT 1 FROM pg_advisory_lock(%d)" % number)
    assert pinning.parsed == 2
    for number in range(10):
        pinning.reason(b"SELECT x%d" % number)  # a name is no number
    assert pinning.parsed == 12


def test_a_set_statement_pins_the_session(proxy: RunningProxy) -> None:
    client, other = proxy.connect(), proxy.connect()
    client.execute("SET work_mem = '5MB'")
    backends = {client.execute("SELECT pg_backend_pid()").fetchone()}
    for _ in range(5):
        backends.add(client.execute("SELECT pg_backend_pid()").fetchone())
        assert other.execute("SELECT pg_backend_pid()").fetchone() not in backends
        assert client.execute("SHOW work_mem").fetchone() == ("5MB",)
        assert other.execute("SHOW work_mem").fetchone() == ("4MB",)
    assert len(backends) == 1
    metrics = proxy.metrics()
    assert metrics["DatabaseConnectionsCurrentlySessionPinned"] == metrics["DatabaseConnectionsCurrentlyBorrowed"] == 1


def test_a_pinned_session_logs_one_line_with_reason_statement_and_client(proxy: RunningProxy) -> None:
    client = proxy.connect()
    client.execute("SELECT set_config('app.tenant', %s, false), \n'{\"ü\"}'", ["secret value"])
    client.execute("SET work_mem = '5MB'")
    [line] = [line for line in proxy.records.lines if "was pinned" in line]
    assert "Reason: set_config changes a setting of the session." in line
    assert r"""Statement: "SELECT set_config('app.tenant', $1, false), \n'{\"ü\"}'""" in line
    assert "of app to one from 127.0.0.1:" in line
    assert "\n" not in line
    assert "secret value" not in proxy.log
    [pinned] = proxy.metrics()["PinnedSessions"]
    assert (pinned["user"], pinned["database"]) == ("app", "one")
    assert pinned["reason"].startswith("set_config")


def test_a_pinned_session_leaves_nothing_behind(start_proxy: Callable[..., RunningProxy]) -> None:
    proxy = start_proxy(max_connections=30, max_connections_percent=4)  # one server connection
    client = proxy.connect()
    client.execute("SET application_name = 'mine'; SET work_mem = '5MB'; CREATE TEMP TABLE mine (i int); LISTEN mine")
    client.execute("PREPARE mine AS SELECT 1; SELECT pg_advisory_lock(7); SELECT set_config('my.own', 'x', false)")
    client.execute("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT")
    pid = client.execute("SELECT pg_backend_pid()").fetchone()
    client.close()
    other = proxy.connect()
    left = other.execute(
        "SELECT current_setting('application_name'), current_setting('work_mem'), to_regclass('mine'),"
        " (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors),"
        " (SELECT count(*) FROM pg_listening_channels()), coalesce(current_setting('my.own', true), ''),"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
    ).fetchone()
    assert left == ("", "4MB", None, 0, 1, 0, "", 0) or left == ("", "4MB", None, 0, 0, 0, "", 0)
    assert other.execute("SELECT pg_backend_pid()").fetchone() == pid  # reset, not closed
    eventually(lambda: proxy.metrics()["DatabaseConnectionsCurrentlySessionPinned"] == 0)


def test_a_session_that_loaded_a_library_does_not_pass_it_on(start_proxy: Callable[..., RunningProxy]) -> None:
    """DISCARD ALL does not unload: the server connection is closed."""
    proxy = start_proxy(max_connections=30, max_connections_percent=4)
    with RawClient(proxy) as client:
        client.query("LOAD 'plpgsql'")
        client.until_ready()
        opened = proxy.metrics()["DatabaseConnectionsSetupSucceeded"]
    assert proxy.connect().execute("SELECT 1").fetchone() == (1,)
    assert proxy.metrics()["DatabaseConnectionsSetupSucceeded"] == opened + 1


def test_a_named_prepared_statement_pins_the_session(proxy: RunningProxy) -> None:
    client = proxy.connect(prepare_threshold=0)
    for _ in range(3):
        assert client.execute("SELECT %s::int", [1]).fetchone() == (1,)
    [line] = [line for line in proxy.records.lines if "was pinned" in line]
    assert "a named prepared statement was parsed (protocol message Parse)" in line
    assert 'Statement: "SELECT $1::int"' in line


def parse(statement: str) -> bytes:
    return message(Request.PARSE, b"\0" + c_string(statement) + b"\0\0")


RUN = message(Request.BIND, b"\0\0" + b"\0\0" * 3) + message(Request.EXECUTE, b"\0" + bytes(4))
SYNC = message(Request.SYNC)


def test_a_prepared_set_pins_when_it_runs(proxy: RunningProxy) -> None:
    with RawClient(proxy) as client:
        client.send(parse("SET work_mem = '5MB'") + SYNC)
        client.until_ready()
        assert proxy.metrics()["DatabaseConnectionsCurrentlySessionPinned"] == 0
        client.send(RUN + SYNC)
        client.until_ready()
        assert proxy.metrics()["DatabaseConnectionsCurrentlySessionPinned"] == 1


def test_a_statement_that_follows_a_prepared_set_does_not_pin_in_its_place(proxy: RunningProxy) -> None:
    with RawClient(proxy) as client:
        client.send(parse("SET work_mem = '5MB'") + parse("SELECT 1") + RUN + SYNC)
        client.until_ready()
        assert proxy.metrics()["DatabaseConnectionsCurrentlySessionPinned"] == 0


def test_a_long_statement_pins_in_both_protocols(proxy: RunningProxy) -> None:
    text = f"SELECT '{'x' * 100_000}'"
    for send in (lambda client: client.query(text), lambda client: client.send(parse(text) + RUN + SYNC)):
        with RawClient(proxy) as client:
            send(client)
            client.until_ready()
            [pinned] = proxy.metrics()["PinnedSessions"]
            assert "longer than 16 KB" in pinned["reason"]
            assert len(pinned["statement"]) == 1000
        eventually(lambda: not proxy.metrics()["PinnedSessions"])


def test_a_long_statement_pins_when_it_is_parsed(proxy: RunningProxy) -> None:
    """It is too long to be kept and parsed again on another server connection."""
    with RawClient(proxy) as client:
        client.send(parse(f"SELECT '{'x' * 20_000}'") + SYNC)
        client.until_ready()
        assert proxy.metrics()["DatabaseConnectionsCurrentlySessionPinned"] == 1


def test_a_syntax_error_does_not_pin(proxy: RunningProxy) -> None:
    client = proxy.connect()
    for parameters in (None, [1]):
        with pytest.raises(psycopg.errors.SyntaxError):
            client.execute("SELEKT 1" if parameters is None else "SELEKT %s", parameters)
    assert proxy.metrics()["PinnedSessions"] == []


def test_what_only_postgresql_understands_pins(
    proxy: RunningProxy, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer PostgreSQL may know syntax that the parser does not; here the parser is told to know nothing."""
    monkeypatch.setattr(proxy.proxy._pinning, "reason", lambda _: UNPARSED)
    client = proxy.connect()
    with pytest.raises(psycopg.errors.SyntaxError):
        client.execute("SELEKT 1")
    assert proxy.metrics()["PinnedSessions"] == []
    client.execute("SELECT 'a newer syntax'")
    [pinned] = proxy.metrics()["PinnedSessions"]
    assert (pinned["reason"], pinned["statement"]) == (UNPARSED, "SELECT 'a newer syntax'")
    [line] = [line for line in proxy.records.lines if "was pinned" in line]
    assert "a newer syntax" in line


def test_a_pinned_session_that_leaves_in_a_transaction_is_rolled_back(proxy: RunningProxy) -> None:
    client = proxy.connect()
    client.execute("SET work_mem = '5MB'")
    client.execute("BEGIN")
    client.execute("INSERT INTO item VALUES (1, 'x')")
    client.close()
    other = proxy.connect()
    eventually(lambda: proxy.metrics()["DatabaseConnectionsCurrentlySessionPinned"] == 0)
    assert other.execute("SELECT count(*) FROM item").fetchone() == (0,)
    assert other.execute("SHOW work_mem").fetchone() == ("4MB",)

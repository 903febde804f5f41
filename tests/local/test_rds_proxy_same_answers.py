"""The same messages, to PostgreSQL and through the stand-in: the answers are the same to the byte.

Each step of a script is sent when the step before is answered, up to a ReadyForQuery unless it says otherwise; between
two steps another client uses the pool, so that what a server connection keeps would be seen. `PINS` names the scripts
that are to pin, and the word of the reason; no other may.
"""

import struct
from collections.abc import Callable

import pytest

from local.rds_proxy.messages import Request, message
from tests.local.conftest import HOST, Database, RunningProxy, eventually
from tests.local.protocol import (
    DONE,
    FLUSH,
    SYNC,
    Raw,
    Transcript,
    bind,
    close,
    describe,
    execute,
    extended,
    fail,
    parse,
    query,
    row,
)

INT4PL = 177  # the id of the function behind int + int


def call(first: int, second: int, function: int = INT4PL) -> bytes:
    return message(Request.FUNCTION_CALL, struct.pack("!IHHHiiiiH", function, 1, 1, 2, 4, first, 4, second, 1))


COPY = "COPY item FROM STDIN"
COUNT, EMPTY = "SELECT count(*) FROM item", "DELETE FROM item RETURNING id"
RUN = bind() + execute() + SYNC
PROCEDURE = """CREATE PROCEDURE two_transactions() LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO item VALUES (1, 'kept'); COMMIT; INSERT INTO item VALUES (2, 'lost'); ROLLBACK; END $$"""
OPEN_CURSOR = """CREATE FUNCTION open_cursor() RETURNS refcursor LANGUAGE plpgsql AS $$ DECLARE c refcursor := 'inner';
BEGIN OPEN c FOR SELECT 7; RETURN c; END $$"""

Step = (
    str | bytes | tuple[bytes, str]
)  # a simple query, or what is sent, with the kinds of messages that end its answer
SCRIPTS: dict[str, list[Step]] = {
    # simple protocol
    "empty": ["", ";", "  -- only a comment", extended("")],
    "an error among several statements": ["SELECT 1; SELECT 1/0; SELECT 2", "SELECT 3"],
    "several statements are one transaction": ["INSERT INTO item VALUES (1, 'a'); SELECT 1/0", COUNT],
    "BEGIN among several statements": [
        "BEGIN; INSERT INTO item VALUES (1, 'a'); SELECT 1/0; COMMIT",
        "SELECT 1",
        "COMMIT",
        COUNT,
    ],
    "savepoints": ["BEGIN", "SAVEPOINT a", "SELECT 1/0", "ROLLBACK TO a", "RELEASE a", "COMMIT AND CHAIN", "ROLLBACK"],
    "transactions that are none": ["BEGIN", "BEGIN", "COMMIT", "COMMIT", "ROLLBACK", "SAVEPOINT a", "END"],
    "two-phase commit": ["BEGIN", "PREPARE TRANSACTION 'x'", "ROLLBACK"],
    "BEGIN with an isolation level": [
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
        "SHOW transaction_isolation",
        "DELETE FROM item",
        "ROLLBACK",
    ],
    "what runs in no transaction": [
        "VACUUM item",
        "BEGIN; VACUUM item",
        "ROLLBACK",
        "VACUUM item; SELECT 1",
        "CHECKPOINT",
    ],
    "many at once": [
        (
            query("SELECT 1")
            + query("SELECT 1/0")
            + query("BEGIN")
            + extended("SELECT 2")
            + query("ROLLBACK")
            + query(""),
            "ZZZZZZ",
        )
    ],
    "notices": ["DO $$ BEGIN RAISE NOTICE 'a'; RAISE WARNING 'b'; PERFORM 1/0; END $$", "DO $$ BEGIN COMMIT; END $$"],
    "CALL with transactions of its own": [
        PROCEDURE,
        "CALL two_transactions()",
        "BEGIN",
        "CALL two_transactions()",
        "ROLLBACK",
        EMPTY,
        "DROP PROCEDURE two_transactions()",
    ],
    "a cursor that a function opened": [
        OPEN_CURSOR,
        "BEGIN",
        "SELECT open_cursor()",
        'FETCH ALL "inner"',
        "COMMIT",
        "DROP FUNCTION open_cursor()",
    ],
    "large objects": [
        "BEGIN",
        "SELECT lo_create(4711)",
        "SELECT lo_open(4711, 393216)",
        "SELECT lowrite(0, 'hello')",
        "SELECT lo_lseek(0, 1, 0), loread(0, 9), lo_close(0)",
        "COMMIT",
        "SELECT lo_get(4711), lo_unlink(4711)",
    ],
    "identity and serial": [
        "CREATE TABLE numbered (a serial, b int GENERATED ALWAYS AS IDENTITY)",
        "INSERT INTO numbered DEFAULT VALUES RETURNING *",
        "DROP TABLE numbered",
    ],
    "the newest syntax": [
        "MERGE INTO item USING (VALUES (1, 'a')) v(i, n) ON id = i"
        " WHEN NOT MATCHED THEN INSERT VALUES (i, n) RETURNING merge_action(), item.*",
        "DELETE FROM item RETURNING old.*, new.*",
        "SELECT * FROM JSON_TABLE('[1, 2]', '$[*]' COLUMNS (a int PATH '$')) t",
    ],
    "NOTIFY": ["NOTIFY channel, 'x'", "UNLISTEN *", extended("SELECT pg_notify('channel', 'y')")],
    "locks of the transaction": [
        "SELECT pg_advisory_xact_lock(5)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
        "LOCK TABLE item",
        "BEGIN; LOCK TABLE item",
        "COMMIT",
    ],
    "a huge row, and many columns": ["SELECT repeat('x', 10000000)", f"SELECT {', '.join(map(str, range(1600)))}"],
    "bytes that are no text": [
        message(Request.QUERY, b"SELECT '\xff'\0"),
        extended("SELECT $1::text", b"\xff"),
        extended("SELECT $1::text", b"a\0b"),
        message(Request.QUERY, b"SELECT 1\0 more\0"),
        message(Request.QUERY, b"SELECT 1"),
    ],
    "the end of its own backend": [
        "SELECT pg_cancel_backend(pg_backend_pid())",
        "BEGIN",
        "SELECT pg_terminate_backend(pg_backend_pid())",
    ],
    # extended protocol
    "every type of value": [
        extended(
            "SELECT $1::int4, $2::text, $3::bytea, $4::jsonb, $5::date, $6::numeric, $7::int[]",
            b"1",
            "€".encode(),
            b"\\x00ff",
            b'{"a": 1}',
            b"2020-01-01",
            b"1.50",
            b"{1,NULL}",
        ),
        extended("SELECT 1, 2.5, 'x', '{1,2}'::int[], $1::int", None, binary=True),
    ],
    "a thousand parameters": [
        extended(f"SELECT {'+'.join(f'${number}::int' for number in range(1, 1001))}", *[b"1"] * 1000)
    ],
    "parameters of 3 MB": [extended("SELECT length($1)", b"y" * 3_000_000), "SELECT 1"],
    "Flush after each message": [
        (parse("SELECT 1") + FLUSH, "1"),
        (bind() + FLUSH, "2"),
        (describe("") + FLUSH, "T"),
        (execute() + FLUSH, "C"),
        SYNC,
    ],
    "Describe, then Bind in later requests": [
        parse("SELECT $1::int, $2::text") + describe() + SYNC,
        describe() + SYNC,
        bind(b"1", b"x") + describe("") + SYNC,
        describe("") + SYNC,
    ],
    "row limits": [parse("SELECT generate_series(1, 5)") + bind() + execute(2) * 3 + SYNC, execute(1) + SYNC],
    "a portal across requests": [
        "BEGIN",
        parse("SELECT generate_series(1, 5)") + bind(portal="p") + execute(2, "p") + SYNC,
        execute(2, "p") + SYNC,
        (execute(0, "p") + FLUSH, "C"),
        close("p") + SYNC,
        execute(0, "p") + SYNC,
        "ROLLBACK",
    ],
    "a portal without a transaction": [parse("SELECT 1") + bind(portal="p") + SYNC, execute(0, "p") + SYNC],
    "the wrong number of parameters": [
        parse("SELECT $1::int") + RUN,
        bind(b"x") + execute() + SYNC,
        bind(b"1") + execute() + SYNC,
    ],
    "messages that are cut short": [message(kind, body) + SYNC for kind in b"BPEDC" for body in (b"", b"\0", b"a")],
    "what does not exist": [
        RUN,
        describe() + SYNC,
        execute() + SYNC,
        close() + SYNC,
        close("p") + SYNC,
        close(statement="s") + SYNC,
        describe(statement="s") + SYNC,
        call(1, 2, 99_999_999),
    ],
    "a simple query drops the unnamed statement": [parse("SELECT 'mine'") + SYNC, "SELECT 1", RUN],
    "the unnamed statement is used again": [parse("SELECT 'mine'") + SYNC, RUN, RUN, close() + SYNC, RUN],
    "a syntax error drops the unnamed statement": [parse("SELECT 'mine'") + SYNC, parse("SELEKT") + SYNC, RUN],
    "a syntax error in the second batch drops the unnamed statement": [
        (parse("SELECT 1") + bind(b"1") + SYNC + parse("SELEKT") + SYNC, "ZZ"),
        RUN,
    ],
    "a Parse behind an error is skipped": [
        bind(statement="none") + parse("SELECT 'never'") + SYNC,
        (bind(statement="none") + FLUSH, "E"),
        parse("SELECT 'never'") + SYNC,
        RUN,
    ],
    "Close behind an error is skipped": [
        parse("SELECT 'mine'") + bind(b"1") + close() + SYNC,
        RUN,
        RUN,
    ],
    "Close of a portal, then Bind without Parse": [
        (close("p") + SYNC + RUN, "ZZ"),
        (close("p") + SYNC + parse("SELECT 1") + SYNC, "ZZ"),
        (close("p") + RUN, "Z"),
    ],
    "ROLLBACK was parsed before": [parse("ROLLBACK") + SYNC, "BEGIN", bind(statement="none") + SYNC, RUN, "ROLLBACK"],
    "the table of the unnamed statement changes": [
        "CREATE TABLE changing (i int)",
        parse("SELECT * FROM changing") + SYNC,
        RUN,
        extended("ALTER TABLE changing ADD j int"),
        parse("SELECT * FROM changing") + SYNC,
        extended("DROP TABLE changing"),
        RUN,
    ],
    "errors in a pipeline": [
        (
            extended("SELECT 1")[:-5]
            + extended("SELECT 1/0")[:-5]
            + extended("SELECT 2")
            + extended("SELECT 3")
            + SYNC,
            "ZZZ",
        ),
        "SELECT 4",
    ],
    "a pipeline is one transaction": [
        extended("INSERT INTO item VALUES (1, 'x')")[:-5] + extended("SELECT 1/0"),
        COUNT,
    ],
    "BEGIN in a pipeline": [extended("BEGIN")[:-5] + extended("SELECT 1"), "SELECT 2", "COMMIT"],
    "a syntax error before a simple query": [parse("SELEKT") + query("SELECT 2") + SYNC, "SELECT 3"],
    "an error before a simple query": [
        parse("SELECT 1/0") + bind() + execute() + query("SELECT 2") + call(40, 2) + SYNC,
        "SELECT 3",
    ],
    "an error before a simple query, and Sync later": [
        (bind(statement="none") + query("SELECT 2"), "E"),
        query("SELECT 3") + call(40, 2) + parse("SELECT 4") + SYNC,
        "SELECT 5",
    ],
    "an error before a function call": [parse("SELEKT") + call(40, 2) + SYNC, call(40, 2)],
    "an error of a simple query in a batch": [(parse("SELECT 1") + bind() + query("SELEKT"), "Z"), SYNC, "SELECT 3"],
    "an error of a function call in a batch": [(parse("SELECT 1") + call(1, 2, 99_999_999), "Z"), RUN],
    "a Parse behind an error leaves the unnamed statement": [
        parse("SELECT 'mine'") + SYNC,
        bind(statement="none") + parse("SELECT 'never'") + SYNC,
        RUN,
        (bind() + execute() + bind(b"1") + parse("SELEKT") + SYNC),
        RUN,
        bind(statement="none") + parse("SELECT 'mine'") + parse("SELECT 'never'") + SYNC,
        RUN,
        bind() + execute() + parse("SELEKT") + SYNC,
        RUN,
    ],
    "function calls": [call(40, 2), call(40, 2**31 - 1), "BEGIN", call(1, 2), "COMMIT"],
    "many Syncs": [(SYNC * 5, "ZZZZZ"), "SELECT 1"],
    # COPY
    "COPY in": [(query(COPY), "G"), row("1\ta\n") + row("2\tb\n") + DONE, "COPY item TO STDOUT", EMPTY],
    "COPY in, sent at once": [query(COPY) + row("1\ta\n") + DONE, EMPTY],
    "COPY in, twice in one query": [
        (query(f"{COPY}; {COPY}; SELECT 5"), "G"),
        (row("1\ta\n") + DONE, "G"),
        row("2\ta\n") + DONE,
        EMPTY,
    ],
    "COPY in that the client fails": [(query(COPY), "G"), row("1\ta\n") + fail("enough"), COUNT],
    "COPY in with a bad row": [(query(COPY), "G"), row("x\ta\n") + row("1\ta\n") + DONE, COUNT],
    "COPY in that is refused": [query(f"{COPY} (FREEZE)") + row("1\ta\n") + DONE, COUNT],
    "COPY in, frozen": [
        "BEGIN",
        "CREATE TABLE frozen (i int)",
        (query("COPY frozen FROM STDIN (FREEZE)"), "G"),
        row("1\n") + DONE,
        "COMMIT",
        "SELECT * FROM frozen; DROP TABLE frozen",
    ],
    "COPY in with Sync and Flush between rows": [
        (query(COPY), "G"),
        row("1\ta\n") + SYNC + FLUSH + row("2\tb\n") + DONE,
        EMPTY,
    ],
    "COPY in with a query between rows": [query(COPY) + row("1\ta\n") + query("SELECT 1"), COUNT],
    "COPY in with Parse between rows": [query(COPY) + row("1\ta\n") + parse("SELECT 1") + SYNC, COUNT],
    "COPY in by the extended protocol": [
        (parse(COPY) + bind() + execute() + SYNC, "G"),
        row("1\ta\n") + DONE + SYNC,
        EMPTY,
    ],
    "COPY in by the extended protocol with a bad row": [
        (parse(COPY) + bind() + execute() + SYNC, "G"),
        row("x\ta\n") + row("1\ta\n") + DONE + SYNC,
        COUNT,
    ],
    "COPY in by the extended protocol with a bad row before Sync": [
        (parse(COPY) + bind() + execute() + FLUSH, "G"),
        row("x\ta\n") + SYNC,
        COUNT,
    ],
    "COPY in by the extended protocol with Parse between rows": [
        (parse(COPY) + bind() + execute() + FLUSH, "G"),
        extended("SELECT 1"),
        COUNT,
    ],
    "COPY in of 5 MB": [
        (query(f"BEGIN; {COPY}"), "G"),
        row("".join(f"{number}\t{'y' * 1000}\n" for number in range(5000))) + DONE,
        "SELECT count(*), sum(length(name)) FROM item",
        "ROLLBACK",
    ],
    "rows without a COPY": [
        row("x") + DONE + fail("x") + query("SELECT 1"),
        "BEGIN",
        row("x") + DONE + fail("x") + query("SELECT 1"),
        "COMMIT",
    ],
    "COPY out": [
        "COPY (SELECT 1, 'x') TO STDOUT (FORMAT binary)",
        "COPY (SELECT 1) TO STDOUT (FORMAT csv, HEADER)",
        extended("COPY (SELECT generate_series(1, 3)) TO STDOUT"),
        "COPY filler TO STDOUT",
    ],
    "COPY out that fails": ["COPY (SELECT 1/(3-i) FROM generate_series(1, 5) i) TO STDOUT", "SELECT 1"],
    # the end
    "Terminate": [(message(Request.TERMINATE), "Z")],
    "Terminate right behind requests": [(query("SELECT 1") + extended("SELECT 2") + message(Request.TERMINATE), "ZZZ")],
    "Terminate in a transaction": [(query("BEGIN") + query("SELECT 1/0") + message(Request.TERMINATE), "ZZZ")],
    "kinds of messages that do not exist": [(message(ord("Y"), b"abc"), "Z")],
    "a message of a kind that does not exist, never ended": [(b"Y\0\x7f\xff\xffabc", "Z")],
    "a password that nobody asked for": [(message(Request.PASSWORD, b"abc\0"), "Z")],
    # what pins
    "LISTEN": [
        "LISTEN channel",
        "NOTIFY channel, 'x'",
        "BEGIN",
        "NOTIFY channel",
        "COMMIT",
        "UNLISTEN channel",
        "NOTIFY channel",
    ],
    "a long query": [f"SELECT length('{'x' * 5_000_000}')", "SELECT 1"],
    "a long Parse": [extended(f"SELECT length('{'x' * 20_000}')"), RUN],
    "Parse with many types": [
        parse("SELECT $1::int", "", *[23] * 9000) + SYNC,
        bind(*[b"1"] * 9000) + execute() + SYNC,
    ],
    "PREPARE that is rolled back": [
        "BEGIN",
        "PREPARE p AS SELECT 1",
        "ROLLBACK",
        "EXECUTE p",
        "DEALLOCATE p",
        "EXECUTE p",
    ],
    "named statements": [
        parse("SELECT $1::int", "s") + SYNC,
        bind(b"1", statement="s") + execute() + SYNC,
        parse("SELECT 2", "s") + SYNC,
        close(statement="s") + SYNC,
        bind(b"1", statement="s") + SYNC,
        "DEALLOCATE ALL",
    ],
    "DISCARD": ["DISCARD ALL", "BEGIN", "DISCARD ALL", "ROLLBACK", extended("DISCARD TEMP")],
    "SET LOCAL": ["BEGIN", "SET LOCAL work_mem = '5MB'", "SHOW work_mem", "COMMIT", "SHOW work_mem"],
    "settings that are reported": [
        "SET TimeZone = 'Asia/Tokyo'",
        "SHOW TimeZone",
        "RESET TimeZone",
        "SET application_name = 'x'",
        "SET client_encoding = 'latin1'",
        "SELECT 'ä'",
        "SET nonsense = 1",
    ],
    "a setting that is rolled back": ["BEGIN", "SET TimeZone = 'Asia/Tokyo'", "ROLLBACK", "SHOW TimeZone"],
    "a role": ["SET ROLE app", "SELECT current_user", "RESET ROLE", "SET SESSION AUTHORIZATION app"],
    "SELECT INTO TEMP": [
        "SELECT 1 AS i INTO TEMP mine",
        "SELECT * FROM mine",
        "CREATE TEMP TABLE IF NOT EXISTS mine (i int)",
    ],
    "a temporary table of the transaction": [
        "BEGIN; CREATE TEMP TABLE mine (i int) ON COMMIT DROP; INSERT INTO mine VALUES (1)",
        "COMMIT",
        "SELECT * FROM mine",
    ],
    "a cursor WITH HOLD": [
        "DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 3)",
        "FETCH 2 FROM c",
        "MOVE c",
        "CLOSE c",
        "FETCH c",
    ],
    "a cursor": [
        "BEGIN",
        "DECLARE c SCROLL CURSOR FOR SELECT generate_series(1, 3)",
        "FETCH ALL c",
        "FETCH BACKWARD 2 FROM c",
        "COMMIT",
        "FETCH c",
    ],
    "locks of the session": ["SELECT pg_advisory_lock(5)", "SELECT pg_advisory_unlock(5), pg_advisory_unlock(5)"],
    "a sequence": [
        "SELECT setval('counter', 7, false)",
        "SELECT nextval('counter')",
        "SELECT currval('counter'), lastval()",
    ],
    "LOAD": ["LOAD 'plpgsql'", "SELECT 1"],
    "a timeout of the statement": ["SET statement_timeout = 30", "SELECT pg_sleep(5)", "SELECT 1"],
    "a timeout of the idle transaction": [
        "SET idle_in_transaction_session_timeout = 30",
        "BEGIN",
        (b"", "E"),
        "SELECT 1",
    ],
}
PINS = {
    "LISTEN": "LISTEN",
    "a long query": "longer than 16 KB",
    "a long Parse": "longer than 16 KB",
    "Parse with many types": "longer than 16 KB",
    "PREPARE that is rolled back": "PREPARE",
    "named statements": "a named prepared statement",
    "messages that are cut short": "a named prepared statement",
    "DISCARD": "DISCARD",
    "SET LOCAL": "SET",
    "settings that are reported": "SET",
    "a setting that is rolled back": "SET",
    "a role": "SET",
    "SELECT INTO TEMP": "a temporary object",
    "a temporary table of the transaction": "a temporary object",
    "a cursor WITH HOLD": "DECLARE",
    "a cursor": "DECLARE",
    "locks of the session": "pg_advisory_lock",
    "a sequence": "setval",
    "LOAD": "LOAD",
    "a timeout of the statement": "SET",
    "a timeout of the idle transaction": "SET",
}


def heard(raw: Raw, steps: list[Step], between: Callable[[], object]) -> list[Transcript]:
    answers = []
    for step in steps:
        sent, until = step if isinstance(step, tuple) else (query(step) if isinstance(step, str) else step, "Z")
        answers.append(raw.say(sent, until))
        between()
    return answers


def through(proxy: RunningProxy) -> Raw:
    return Raw(host=HOST, port=proxy.port, sslmode="disable")


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_answers_are_postgresqls_own(open_proxy: RunningProxy, database: Database, name: str) -> None:
    with Raw(host=str(database.server.socket_directory)) as direct:
        expected = heard(direct, SCRIPTS[name], lambda: None)
    open_proxy.records.lines.clear()
    with through(open_proxy) as client, through(open_proxy) as other:
        assert heard(client, SCRIPTS[name], lambda: other.say(extended("SELECT 'other'"), "Z")) == expected
        assert [kind for kind, _ in other.say(query("SELECT 'other'"), "Z")] == ["T", "D", "C", "Z"]
        if name not in PINS:
            eventually(lambda: open_proxy.metrics()["DatabaseConnectionsCurrentlyBorrowed"] == 0)
    reasons = [line.split(" Reason: ")[1] for line in open_proxy.records.lines if " was pinned " in line]
    assert [PINS.get(name, "nothing") in reason for reason in reasons] == [True] * (name in PINS)
    eventually(lambda: open_proxy.metrics()["DatabaseConnectionsCurrentlyBorrowed"] == 0)


def test_a_query_inside_a_batch_confuses_no_other_client(open_proxy: RunningProxy) -> None:
    """PostgreSQL itself answers the next request of that server connection with an internal error."""
    with through(open_proxy) as client, through(open_proxy) as other:
        client.say(parse("SELECT 1") + bind() + execute() + query("SELECT 2") + SYNC, "ZZ")
        for _ in range(2):
            assert [kind for kind, _ in other.say(query("SELECT 3"), "Z")] == ["T", "D", "C", "Z"]


def test_an_unnamed_statement_behind_an_error_was_never_parsed(open_proxy: RunningProxy) -> None:
    with through(open_proxy) as client:
        client.say(bind(statement="none") + parse("SELECT 'never'") + SYNC, "Z")
        (kind, body), _ = client.say(RUN, "Z")
        assert kind == "E"
        assert b"C26000\0" in body

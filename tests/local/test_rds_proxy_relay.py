"""Whatever a client sends, it gets what PostgreSQL itself would have answered."""

import datetime
import decimal
import struct
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from local.rds_proxy.messages import Answer, Request, c_string, message
from tests.local.conftest import Database, RawClient, RunningProxy, eventually

Work = Callable[[psycopg.Connection], Any]


def values(connection: psycopg.Connection) -> Any:
    sent = [
        1,
        2**62,
        1.5,
        decimal.Decimal("12345678901234567890.123456789"),
        "t€xt",
        b"\0\1\xff",
        None,
        True,
        datetime.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=datetime.UTC),
        datetime.timedelta(days=1, seconds=2),
        uuid.UUID(int=7),
        [1, None, 3],
        {"a": [1, {"b": None}]},
    ]
    sent[-1] = psycopg.types.json.Jsonb(sent[-1])
    text = connection.execute("SELECT " + ", ".join(["%s"] * len(sent)), sent).fetchone()
    with connection.cursor(binary=True) as cursor:
        return text, cursor.execute("SELECT " + ", ".join(["%s"] * len(sent)), sent).fetchone()


def many_large_rows(connection: psycopg.Connection) -> Any:
    return connection.execute("SELECT id, text FROM filler ORDER BY id").fetchall()


def one_huge_value(connection: psycopg.Connection) -> Any:
    return connection.execute("SELECT length(%s), repeat('x', 20000000)", ["y" * 5_000_000]).fetchone()


def errors_in_a_transaction(connection: psycopg.Connection) -> Any:
    seen = []
    for statement in ("BEGIN", "SELECT 1/0", "SELECT 1", "ROLLBACK", "SELECT 2", "SELECT nonsense", "SELEKT"):
        try:
            seen.append(connection.execute(statement).statusmessage)
        except psycopg.Error as error:
            seen.append((error.sqlstate, error.diag.message_primary, error.diag.statement_position))
        seen.append(connection.info.transaction_status)
    return seen


def savepoints(connection: psycopg.Connection) -> Any:
    with connection.transaction():
        connection.execute("INSERT INTO item VALUES (1, 'one')")
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute("INSERT INTO item VALUES (1, 'again')")
        rows = connection.execute("SELECT * FROM item").fetchall()
        connection.execute("DELETE FROM item")
    return rows


def several_statements(connection: psycopg.Connection) -> Any:
    cursor = connection.execute("SELECT 1; SELECT 2, 'b'; CREATE TABLE many (i int); DROP TABLE many")
    results = []
    while True:
        results.append((cursor.statusmessage, cursor.fetchall() if cursor.description else None))
        if not cursor.nextset():
            return results


def notices(connection: psycopg.Connection) -> Any:
    seen: list[str] = []
    connection.add_notice_handler(lambda notice: seen.append(notice.message_primary))
    connection.execute("DO $$ BEGIN RAISE NOTICE 'hello'; RAISE WARNING 'careful'; END $$")
    return seen


def copy_in(connection: psycopg.Connection) -> Any:
    with connection.transaction(force_rollback=True):
        with connection.cursor() as cursor, cursor.copy("COPY item FROM STDIN") as copy:
            for number in range(20_000):
                copy.write_row((number, f"name {number}"))
        count = connection.execute("SELECT count(*), sum(id) FROM item").fetchone()
    return cursor.rowcount, count, connection.execute("SELECT 1").fetchone()


def copy_in_with_parameters(connection: psycopg.Connection) -> Any:
    with connection.cursor() as cursor, cursor.copy("COPY item FROM STDIN WHERE id > %s", [5]) as copy:
        for number in range(10):
            copy.write_row((number, "x"))
    rows = connection.execute("DELETE FROM item RETURNING id").fetchall()
    return cursor.rowcount, rows


def copy_in_that_fails(connection: psycopg.Connection) -> Any:
    def send() -> None:
        with connection.cursor() as cursor, cursor.copy("COPY item FROM STDIN") as copy:
            for number in range(5000):
                copy.write_row((number if number != 10 else "no number", "x" * 100))

    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as caught:
        send()
    return caught.value.sqlstate, connection.execute("SELECT count(*) FROM item").fetchone()


def copy_in_that_is_given_up(connection: psycopg.Connection) -> Any:
    def send() -> None:
        with connection.cursor() as cursor, cursor.copy("COPY item FROM STDIN") as copy:
            copy.write_row((1, "x"))
            raise TimeoutError

    with pytest.raises(TimeoutError):
        send()
    return connection.execute("SELECT count(*) FROM item").fetchone()


def copy_out(connection: psycopg.Connection) -> Any:
    with connection.cursor() as cursor, cursor.copy("COPY (SELECT * FROM filler ORDER BY id) TO STDOUT") as copy:
        rows = b"".join(bytes(part) for part in copy)
    return rows, connection.execute("SELECT 1").fetchone()


def pipeline(connection: psycopg.Connection) -> Any:
    with connection.pipeline() as batch:
        first = connection.execute("SELECT 1")
        batch.sync()
        second = connection.execute("SELECT %s::text", ["two"])
        third = connection.execute("SELECT generate_series(1, 3)")
        batch.sync()
        batch.sync()
        fourth = connection.execute("SELECT 4")
    return first.fetchall(), second.fetchall(), third.fetchall(), fourth.fetchall()


def rows_one_by_one(connection: psycopg.Connection) -> Any:
    with connection.cursor() as cursor:
        return [row[0] for row in cursor.stream("SELECT id FROM filler ORDER BY id", size=1)]


def a_transaction_across_calls(connection: psycopg.Connection) -> Any:
    backends = set()
    with connection.transaction():
        for _ in range(5):
            backends.add(connection.execute("SELECT pg_current_xact_id()").fetchone())
    return len(backends)


def listed_settings(connection: psycopg.Connection) -> Any:
    info = connection.info
    names = (
        "server_version",
        "TimeZone",
        "client_encoding",
        "DateStyle",
        "standard_conforming_strings",
        "integer_datetimes",
        "session_authorization",
        "is_superuser",
        "search_path",
    )
    return [info.parameter_status(name) for name in names]


WORK = (
    values,
    many_large_rows,
    one_huge_value,
    errors_in_a_transaction,
    savepoints,
    several_statements,
    notices,
    copy_in,
    copy_in_with_parameters,
    copy_in_that_fails,
    copy_in_that_is_given_up,
    copy_out,
    pipeline,
    rows_one_by_one,
    a_transaction_across_calls,
    listed_settings,
)


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_the_answer_is_that_of_a_direct_connection(proxy: RunningProxy, database: Database, work: Work) -> None:
    with database.connect(prepare_threshold=None) as direct:
        expected = work(direct)
    connection = proxy.connect()
    assert work(connection) == expected
    assert work(connection) == expected
    assert not proxy.metrics()["PinnedSessions"]
    connection.close()
    eventually(lambda: proxy.metrics()["DatabaseConnectionsCurrentlyBorrowed"] == 0)


def test_a_function_call_message_is_answered(proxy: RunningProxy, database: Database) -> None:
    oid = database.run("SELECT 'int4pl'::regproc::oid::int")
    call = struct.pack("!IHHHiiiiH", oid, 1, 1, 2, 4, 40, 4, 2, 1)
    with RawClient(proxy) as client:
        client.send(message(Request.FUNCTION_CALL, call))
        (kind, body), _ = client.until_ready()
        assert (kind, body) == (ord("V"), struct.pack("!ii", 4, 42))


def borrowings(proxy: RunningProxy) -> int:
    return proxy.proxy.metrics.borrow_latency.count


def test_flush_alone_borrows_nothing_and_sync_alone_is_answered(proxy: RunningProxy) -> None:
    with RawClient(proxy) as client:
        before = borrowings(proxy)
        client.send(message(Request.FLUSH) + message(Request.SYNC))
        assert client.until_ready() == [(Answer.READY_FOR_QUERY, b"I")]
        assert borrowings(proxy) == before


def test_rows_of_a_failed_copy_that_come_late_are_ignored(proxy: RunningProxy) -> None:
    with RawClient(proxy) as client:
        client.query("COPY item FROM STDIN")
        client.send(message(Request.COPY_DATA, b"no number\tx\n") + message(Request.COPY_DONE))
        assert [kind for kind, _ in client.until_ready()][-2:] == [Answer.ERROR, Answer.READY_FOR_QUERY]
        before = borrowings(proxy)
        client.send(message(Request.COPY_DATA, b"2\tx\n" * 50_000) * 3 + message(Request.COPY_DONE))
        client.send(message(Request.SYNC))
        client.until_ready()
        assert borrowings(proxy) == before
        client.query("SELECT 1")
        assert [kind for kind, _ in client.until_ready()] == [ord("T"), ord("D"), ord("C"), ord("Z")]


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 20])
def test_a_message_may_come_in_pieces(proxy: RunningProxy, cut: int) -> None:
    with RawClient(proxy) as client:
        whole = message(Request.QUERY, c_string("SET work_mem = '5MB'"))
        client.send(whole[:cut])
        eventually(lambda: [session._partial for session in proxy.proxy.sessions] == [whole[:cut]])
        client.send(whole[cut:])
        client.until_ready()
        [pinned] = proxy.metrics()["PinnedSessions"]
        assert pinned["statement"] == "SET work_mem = '5MB'"


def test_a_message_with_an_impossible_length_ends_the_client(proxy: RunningProxy) -> None:
    with RawClient(proxy) as client:
        client.send(b"Q\0\0\0\0")
        assert client.error() == ("08P01", "invalid message length")


def extended(statement: str, *, sync: bool = True) -> bytes:
    parse = message(Request.PARSE, b"\0" + c_string(statement) + b"\0\0")
    bind = message(Request.BIND, b"\0\0" + b"\0\0" * 3)
    return parse + bind + message(Request.EXECUTE, b"\0" + bytes(4)) + (message(Request.SYNC) if sync else b"")


def test_an_error_in_a_pipeline_skips_to_the_next_sync(proxy: RunningProxy) -> None:
    with RawClient(proxy) as client:
        statements = ("INSERT INTO item VALUES (1, 'lost')", "SELECT 1/0", "SELECT 3")
        client.send(b"".join(extended(text, sync=False) for text in statements) + message(Request.SYNC))
        client.send(extended("SELECT 4") + extended("SELECT count(*) FROM item"))
        assert "".join(chr(kind) for kind, _ in client.until_ready()) == "12C1EZ"
        assert [chr(kind) for kind, _ in client.until_ready()] == ["1", "2", "D", "C", "Z"]
        assert dict(client.until_ready())[Answer.DATA_ROW] == b"\0\1\0\0\0\1" + b"0"


def test_a_batch_that_is_not_finished_keeps_its_server_connection(proxy: RunningProxy) -> None:
    with RawClient(proxy) as client:
        client.send(extended("SELECT 1") + extended("SELECT 2", sync=False))
        assert client.until_ready()[-1] == (Answer.READY_FOR_QUERY, b"I")
        eventually(lambda: proxy.metrics()["DatabaseConnectionsCurrentlyBorrowed"] == 1)
        client.send(message(Request.SYNC))
        assert client.until_ready()[2] == (Answer.DATA_ROW, b"\0\1\0\0\0\1" + b"2")
        eventually(lambda: proxy.metrics()["DatabaseConnectionsCurrentlyBorrowed"] == 0)


def test_the_unnamed_statement_moves_with_its_client(start_proxy: Callable[..., RunningProxy]) -> None:
    """asyncpg and others parse in one request and bind in the next, perhaps on another server connection."""
    proxy = start_proxy(max_connections_percent=10)
    with RawClient(proxy) as client, RawClient(proxy) as holder:
        client.send(message(Request.PARSE, b"\0" + c_string("SELECT pg_backend_pid()") + b"\0\0"))
        client.send(message(Request.SYNC))
        assert [kind for kind, _ in client.until_ready()] == [Answer.PARSE_COMPLETE, Answer.READY_FOR_QUERY]
        holder.query("BEGIN; SELECT pg_backend_pid()")  # takes the one server connection there is
        first = dict(holder.until_ready())[Answer.DATA_ROW]
        run = message(Request.BIND, b"\0\0" + b"\0\0" * 3) + message(Request.EXECUTE, b"\0" + bytes(4))
        client.send(message(Request.DESCRIBE, b"S\0") + run + message(Request.SYNC))
        answers = client.until_ready()
        assert [kind for kind, _ in answers] == [ord("t"), ord("T"), ord("2"), ord("D"), ord("C"), ord("Z")]
        assert dict(answers)[Answer.DATA_ROW] != first


def test_an_unnamed_statement_of_another_client_is_not_found(start_proxy: Callable[..., RunningProxy]) -> None:
    proxy = start_proxy(max_connections=30, max_connections_percent=4)  # one server connection
    with RawClient(proxy) as client, RawClient(proxy) as thief:
        client.send(message(Request.PARSE, b"\0" + c_string("SELECT 'mine'") + b"\0\0") + message(Request.SYNC))
        client.until_ready()
        run = message(Request.BIND, b"\0\0" + b"\0\0" * 3) + message(Request.EXECUTE, b"\0" + bytes(4))
        thief.send(run + message(Request.SYNC))
        assert thief.error() == ("26000", "unnamed prepared statement does not exist")
        thief.until_ready()
        client.send(run + message(Request.SYNC))
        assert dict(client.until_ready())[Answer.DATA_ROW] == b"\0\1\0\0\0\4mine"


def test_copy_in_by_the_extended_protocol_ignores_the_sync_before_its_rows(proxy: RunningProxy) -> None:
    with RawClient(proxy) as client:
        client.send(extended("COPY item FROM STDIN"))
        client.until(Answer.COPY_IN)
        client.send(message(Request.COPY_DATA, b"1\tx\n") + message(Request.COPY_DONE) + message(Request.SYNC))
        assert [kind for kind, _ in client.until_ready()] == [ord("C"), Answer.READY_FOR_QUERY]
        eventually(lambda: proxy.metrics()["DatabaseConnectionsCurrentlyBorrowed"] == 0)
        client.query("DELETE FROM item")
        client.until_ready()


def test_a_client_that_leaves_in_the_middle_of_a_copy_leaves_no_row(proxy: RunningProxy, database: Database) -> None:
    with RawClient(proxy) as client:
        client.send(extended("COPY item FROM STDIN"))
        client.until(Answer.COPY_IN)
        client.send(message(Request.COPY_DATA, b"1\tx\n"))
        client.send(message(Request.TERMINATE))
    eventually(lambda: proxy.metrics()["DatabaseConnectionsCurrentlyBorrowed"] == 0)
    assert proxy.connect().execute("SELECT count(*) FROM item").fetchone() == (0,)

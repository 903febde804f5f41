"""Other people's clients get through the stand-in what they get directly."""

import asyncio
import datetime
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pg8000.native
import psycopg
import psycopg.rows
import psycopg.types.composite
import psycopg.types.enum
import pytest
import uvloop

from local.postgres.server import binaries
from tests.local.conftest import HOST, ROLES, Database, RunningProxy

NODE_SCRIPT = Path(__file__).with_name("node_postgres.cjs")
AsyncWork = Callable[[psycopg.AsyncConnection], Awaitable[Any]]


@pytest.fixture(autouse=True)
def no_rows_of_an_earlier_test(database: Database) -> None:
    database.run("DELETE FROM item")


async def errors(connection: psycopg.AsyncConnection) -> Any:
    seen = []
    for statement, parameters in (
        ("SELECT 1/%s", [0]),
        ("SELECT nonsense", []),
        ("SELECT %s::int", ["x"]),
        ("INSERT INTO item VALUES (1, NULL)", []),
        ("SELECT * FROM absent", []),
    ):
        with pytest.raises(psycopg.Error) as caught:
            await connection.execute(statement, parameters)
        diagnosis = caught.value.diag
        seen.append((type(caught.value), diagnosis.sqlstate, diagnosis.message_primary, diagnosis.column_name))
    return seen


async def nested_transactions(connection: psycopg.AsyncConnection) -> Any:
    async with connection.transaction():
        await connection.execute("INSERT INTO item VALUES (1, 'outer')")
        async with connection.transaction(force_rollback=True):
            await connection.execute("INSERT INTO item VALUES (2, 'inner')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            async with connection.transaction():
                await connection.execute("INSERT INTO item VALUES (1, 'again')")
    return await (await connection.execute("DELETE FROM item RETURNING *")).fetchall()


async def isolation_levels(connection: psycopg.AsyncConnection) -> Any:
    await connection.set_isolation_level(psycopg.IsolationLevel.SERIALIZABLE)
    await connection.set_read_only(True)
    async with connection.transaction():
        cursor = await connection.execute("SHOW transaction_isolation")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            async with connection.transaction():
                await connection.execute("DELETE FROM item")
        return await cursor.fetchone()


async def a_pipeline_with_an_error(connection: psycopg.AsyncConnection) -> Any:
    seen = []
    async with connection.pipeline() as batch:
        first = await connection.execute("SELECT 1")
        await batch.sync()
        seen.append(await first.fetchall())
        await connection.execute("INSERT INTO item VALUES (1, 'lost')")
        with pytest.raises(psycopg.errors.DivisionByZero):
            await (await connection.execute("SELECT 1/0")).fetchall()
        with pytest.raises(psycopg.errors.PipelineAborted):
            await (await connection.execute("SELECT 2")).fetchall()
        await batch.sync()
        seen.append(await (await connection.execute("SELECT count(*) FROM item")).fetchall())
    return seen


async def many_executions(connection: psycopg.AsyncConnection) -> Any:
    async with connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO item VALUES (%s, %s) RETURNING id", [(1, "a"), (2, "b")], returning=True)
        returned = [(await cursor.fetchone(), cursor.nextset()) for _ in range(2)]
        await cursor.executemany("DELETE FROM item WHERE id = %s", [(1,), (2,), (3,)])
        return returned, cursor.rowcount


async def copies(connection: psycopg.AsyncConnection) -> Any:
    async with connection.cursor() as cursor:
        async with cursor.copy("COPY item FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            for number in range(2000):
                await copy.write_row((number, f"name {number}"))
        with pytest.raises(psycopg.errors.UniqueViolation):
            await copy_again(cursor, 5000)
        with pytest.raises(TimeoutError):
            await copy_again(cursor, 10, TimeoutError)
        async with cursor.copy("COPY (DELETE FROM item WHERE id > 1990 RETURNING *) TO STDOUT") as copy:
            rows = [row async for row in copy.rows()]
        await cursor.execute("DELETE FROM item")
        return rows, cursor.rowcount


async def copy_again(cursor: psycopg.AsyncCursor, rows: int, failure: type[Exception] | None = None) -> None:
    async with cursor.copy("COPY item FROM STDIN") as copy:
        for number in range(rows):
            await copy.write_row((number, "again"))
        if failure:
            raise failure


async def kinds_of_cursors(connection: psycopg.AsyncConnection) -> Any:
    seen: list[Any] = []
    async with psycopg.AsyncClientCursor(connection) as client_side:
        seen.append(await (await client_side.execute("SELECT %s, %s::text", [1, "it's"])).fetchone())
    async with connection.cursor(row_factory=psycopg.rows.dict_row, binary=True) as cursor:
        seen.append(await (await cursor.execute("SELECT 1 AS a, now() > '2020-01-01' AS b")).fetchone())
        seen.append([row async for row in cursor.stream("SELECT generate_series(1, 300) AS n", size=100)])
    async with psycopg.AsyncRawCursor(connection) as raw:
        seen.append(await (await raw.execute("SELECT $1::int + $2::int", [1, 2])).fetchone())
    return seen


async def types_of_ones_own(connection: psycopg.AsyncConnection) -> Any:
    await connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b mood)")
    try:
        enumeration = await psycopg.types.enum.EnumInfo.fetch(connection, "mood")
        composite = await psycopg.types.composite.CompositeInfo.fetch(connection, "pair")
        psycopg.types.enum.register_enum(enumeration, connection)
        psycopg.types.composite.register_composite(composite, connection)
        row = await (await connection.execute("SELECT '(1,ok)'::pair, 'sad'::mood")).fetchone()
        return [str(value) for value in row]
    finally:
        await connection.execute("DROP TYPE pair; DROP TYPE mood")


ASYNC_WORK: tuple[AsyncWork, ...] = (
    errors,
    nested_transactions,
    isolation_levels,
    a_pipeline_with_an_error,
    many_executions,
    copies,
    kinds_of_cursors,
    types_of_ones_own,
)


@pytest.mark.parametrize("work", ASYNC_WORK, ids=lambda work: work.__name__)
def test_psycopg_gets_the_same_answers_asynchronously(proxy: RunningProxy, database: Database, work: AsyncWork) -> None:
    async def answers(**parameters: Any) -> Any:
        async with await psycopg.AsyncConnection.connect(
            **parameters, autocommit=True, prepare_threshold=None
        ) as connection:
            return await work(connection)

    login = {"user": "app", "password": ROLES["app"], "dbname": "one"}
    direct = asyncio.run(answers(host=str(database.server.socket_directory), **login))
    assert uvloop.run(answers(**proxy.parameters())) == direct
    assert not any(" was pinned " in line for line in proxy.records.lines)


async def a_listener(connection: psycopg.AsyncConnection) -> Any:
    await connection.execute("LISTEN channel")
    await connection.execute("SELECT pg_notify('channel', 'one'), pg_notify('channel', 'two')")
    return [(notify.channel, notify.payload) async for notify in connection.notifies(timeout=5, stop_after=2)]


async def a_server_side_cursor(connection: psycopg.AsyncConnection) -> Any:
    async with connection.transaction(), connection.cursor("named", scrollable=True) as cursor:
        await cursor.execute("SELECT generate_series(1, 1000)")
        await cursor.scroll(500)
        return await cursor.fetchmany(3), [row async for row in cursor][-1]


async def prepared_statements(connection: psycopg.AsyncConnection) -> Any:
    return [await (await connection.execute("SELECT %s + 1", [n], prepare=True)).fetchone() for n in range(3)]


@pytest.mark.parametrize(
    ("work", "word"),
    [(a_listener, "LISTEN"), (a_server_side_cursor, "DECLARE"), (prepared_statements, "a named prepared statement")],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_psycopg_does_with_a_session_pins_it(
    proxy: RunningProxy, database: Database, work: AsyncWork, word: str
) -> None:
    async def answers(**parameters: Any) -> Any:
        async with await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as connection:
            return await work(connection)

    login = {"user": "app", "password": ROLES["app"], "dbname": "one"}
    direct = asyncio.run(answers(host=str(database.server.socket_directory), **login))
    assert asyncio.run(answers(**proxy.parameters())) == direct
    [line] = [line for line in proxy.records.lines if " was pinned " in line]
    assert word in line


def node(database: Database, **connection: Any) -> Any:
    program = shutil.which("node")
    assert program, "Node.js comes with `make setup`"
    done = subprocess.run(
        [program, str(NODE_SCRIPT)],
        input=json.dumps({"user": "app", "database": "one", "connectionTimeoutMillis": 10_000, **connection}),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_node_postgres_gets_the_same_answers(proxy: RunningProxy, database: Database) -> None:
    direct = node(database, host=str(database.server.socket_directory), password=ROLES["app"])
    root = (database.certificates / "ca.pem").read_text()
    through = node(database, host=HOST, port=proxy.port, password=proxy.token(), ssl={"ca": root})
    assert through == direct
    assert len(direct) > 10
    assert any("Reason: a named prepared statement" in line for line in proxy.records.lines)  # by its `name`


async def asyncpg_work(connection: asyncpg.Connection) -> Any:
    async with connection.transaction():
        rows = await connection.fetch(
            "SELECT $1::int AS a, $2::text AS b, $3::timestamptz AS c",
            1,
            "b",
            datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        )
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.fetchval("SELECT 1/0")
    copied = await connection.copy_records_to_table("item", records=[(n, f"name {n}") for n in range(1000)])
    deleted = await connection.fetchval("WITH gone AS (DELETE FROM item RETURNING 1) SELECT count(*) FROM gone")
    async with connection.transaction():
        streamed = [row["id"] async for row in connection.cursor("SELECT id FROM filler ORDER BY id", prefetch=500)]
    return [dict(row) for row in rows], copied, deleted, streamed


@pytest.mark.parametrize("cached_statements", [0, 100])
def test_asyncpg_gets_the_same_answers(proxy: RunningProxy, database: Database, cached_statements: int) -> None:
    context = ssl.create_default_context(cafile=database.certificates / "ca.pem")

    async def work(**parameters: Any) -> Any:
        connection = await asyncpg.connect(
            user="app", database="one", statement_cache_size=cached_statements, timeout=10, **parameters
        )
        try:
            return await asyncpg_work(connection)
        finally:
            await connection.close()

    directory = str(database.server.socket_directory)
    direct = asyncio.run(work(host=directory, password=ROLES["app"]))
    assert asyncio.run(work(host=HOST, port=proxy.port, password=proxy.token(), ssl=context)) == direct


def pg8000_work(connection: pg8000.native.Connection) -> Any:
    seen = [connection.run("SELECT :a::int, :b::text, now() > '2020-01-01'", a=1, b="t€xt")]
    connection.run("START TRANSACTION")
    connection.run("INSERT INTO item VALUES (:id, :name)", id=1, name="x")
    with pytest.raises(pg8000.native.DatabaseError) as caught:
        connection.run("INSERT INTO item VALUES (:id, :name)", id=1, name="x")
    seen.append(caught.value.args[0]["C"])
    connection.run("ROLLBACK")
    seen.append(connection.run("SELECT count(*) FROM item"))
    return seen


def test_pg8000_gets_the_same_answers(proxy: RunningProxy, database: Database) -> None:
    context = ssl.create_default_context(cafile=database.certificates / "ca.pem")
    socket = str(database.server.socket_directory / ".s.PGSQL.5432")
    answers = []
    for parameters in (
        {"unix_sock": socket, "password": ROLES["app"]},
        {"host": HOST, "port": proxy.port, "password": proxy.token(), "ssl_context": context},
    ):
        connection = pg8000.native.Connection("app", database="one", timeout=10, **parameters)
        answers.append(pg8000_work(connection))
        connection.close()
    assert answers[1] == answers[0]


def tool(name: str, port: int | str, *arguments: str, host: str = HOST, text: str = "") -> str:
    environment = {
        **os.environ,
        "PGPASSWORD": ROLES["app"],
        "PGHOST": host,
        "PGPORT": str(port),
        "PGUSER": "app",
        "PGDATABASE": "one",
        "PGSSLMODE": "disable",
        "PSQLRC": os.devnull,
    }
    command = [str(binaries() / name), *arguments]
    done = subprocess.run(command, env=environment, input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_psql_prints_the_same(open_proxy: RunningProxy, database: Database) -> None:
    script = (
        "\\d\nSELECT 1 \\gdesc\nBEGIN; SELECT 2; ROLLBACK;\nCOPY item FROM STDIN;\n1\tone\n\\.\n"
        "SELECT * FROM item;\nDELETE FROM item;\n\\copy (SELECT 7) TO STDOUT\nSELECT $1 \\bind x \\g\n"
    )
    direct = tool("psql", 5432, "-X", host=str(database.server.socket_directory), text=script)
    assert tool("psql", open_proxy.port, "-X", text=script) == direct


def test_pg_dump_writes_the_same(open_proxy: RunningProxy, database: Database) -> None:
    direct = tool("pg_dump", 5432, host=str(database.server.socket_directory))
    through = tool("pg_dump", open_proxy.port)
    # newer releases write a random key, so that psql does not run what a dump did not mean
    assert [line for line in through.splitlines() if "restrict" not in line] == [
        line for line in direct.splitlines() if "restrict" not in line
    ]


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench_runs_in_each_protocol_mode(open_proxy: RunningProxy, mode: str) -> None:
    tool("pgbench", open_proxy.port, "-i", "-q")
    report = tool("pgbench", open_proxy.port, "-n", "-M", mode, "-c", "8", "-t", "25")
    assert "number of transactions actually processed: 200/200" in report
    assert "number of failed transactions: 0 " in report
    pinned = sum("was pinned" in line and "named prepared statement" in line for line in open_proxy.records.lines)
    assert (pinned > 0) == (mode == "prepared")

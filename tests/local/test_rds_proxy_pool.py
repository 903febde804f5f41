"""How server connections are lent: how many, to whom, in which order, and what happens when the database is away."""

import asyncio
import json
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest

from local.rds_proxy.connection import Connection
from local.rds_proxy.credentials import SecretCredentials
from local.rds_proxy.messages import Answer
from tests.local.conftest import REGION, ROLES, Database, RawClient, RunningProxy, eventually

StartProxy = Callable[..., RunningProxy]
TIMED_OUT = "Timed-out waiting to acquire database connection"


@pytest.fixture
def one_connection(start_proxy: StartProxy) -> RunningProxy:
    return start_proxy(max_connections=30, max_connections_percent=4, connection_borrow_timeout=60)


def backend(connection: psycopg.Connection) -> int:
    return connection.execute("SELECT pg_backend_pid()").fetchone()[0]


def test_a_server_connection_is_lent_per_transaction(one_connection: RunningProxy) -> None:
    clients = [one_connection.connect() for _ in range(10)]
    assert len({backend(client) for client in clients}) == 1
    for client in clients:
        with client.transaction():
            assert client.execute("SELECT count(*) FROM item").fetchone() == (0,)
    assert one_connection.metrics()["DatabaseConnectionsPeak"] == 1


def test_the_cap_is_never_exceeded(start_proxy: StartProxy, database: Database) -> None:
    """50 clients of two users and two databases, at once, on 5 server connections."""
    proxy = start_proxy(max_connections=30, max_connections_percent=17)
    seen = 0
    done = threading.Event()

    def work(number: int) -> int:
        nonlocal seen
        user, name = ("app", "other")[number % 2], ("one", "two")[number // 2 % 2]
        parameters = proxy.parameters(user, name, application_name="capped")
        with psycopg.connect(**parameters, autocommit=True, prepare_threshold=None) as client:
            for _ in range(5):
                with client.transaction():
                    client.execute("SELECT pg_sleep(0.002)")
                    seen = max(seen, proxy.proxy.pool.size)
            return len(client.execute("SELECT current_user, current_database()").fetchone())

    def watch() -> int:
        with database.connect("rdsadmin") as admin:
            most = 0
            while not done.is_set():
                count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'capped'"
                most = max(most, admin.execute(count).fetchone()[0])
            return most

    with ThreadPoolExecutor(51) as threads:
        watching = threads.submit(watch)
        assert list(threads.map(work, range(50))) == [2] * 50
        done.set()
    assert watching.result() == proxy.metrics()["DatabaseConnectionsPeak"] == 5


@pytest.mark.parametrize(("percent", "allowed"), [(100, 30), (50, 15), (17, 5), (1, 1)])
def test_the_cap_is_a_percentage_of_what_the_database_says(start_proxy: StartProxy, percent: int, allowed: int) -> None:
    proxy = start_proxy(max_connections_percent=percent)
    assert proxy.metrics()["MaxDatabaseConnectionsAllowed"] is None
    proxy.connect()
    assert proxy.metrics()["MaxDatabaseConnectionsAllowed"] == allowed


def test_an_idle_server_connection_of_another_user_makes_room(one_connection: RunningProxy) -> None:
    first, second = one_connection.connect("app"), one_connection.connect("other", "two")
    for _ in range(3):
        assert first.execute("SELECT current_user, current_database()").fetchone() == ("app", "one")
        assert second.execute("SELECT current_user, current_database()").fetchone() == ("other", "two")
    assert one_connection.metrics()["DatabaseConnectionsPeak"] == 1


def test_waiters_are_served_in_order(one_connection: RunningProxy) -> None:
    with ExitStack() as stack:
        holder, *waiters = [stack.enter_context(RawClient(one_connection)) for _ in range(6)]
        holder.query("BEGIN")
        holder.until_ready()
        for number, waiter in enumerate(waiters, 1):
            waiter.query("SELECT extract(epoch FROM clock_timestamp())")
            eventually(lambda number=number: one_connection.metrics()["ClientsWaiting"] == number)
        holder.query("COMMIT")
        served = [float(dict(waiter.until_ready())[Answer.DATA_ROW][6:]) for waiter in waiters]
    assert served == sorted(served)


def test_a_borrow_timeout_of_0_makes_the_first_client_fail(start_proxy: StartProxy) -> None:
    """A pool below its ceiling fails, and grows behind the failure."""
    proxy = start_proxy(connection_borrow_timeout=0)
    with pytest.raises(psycopg.OperationalError, match=TIMED_OUT):
        proxy.connect()
    eventually(lambda: proxy.metrics()["DatabaseConnectionsSetupSucceeded"] == 1)
    assert proxy.connect().execute("SELECT 1").fetchone() == (1,)


class SecretsManager(BaseHTTPRequestHandler):
    """GetSecretValue, for two secrets."""

    secrets: ClassVar[dict[str, dict[str, str]]] = {}
    calls: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.calls.append(request["SecretId"])
        body = json.dumps({"SecretString": json.dumps(self.secrets[request["SecretId"]])}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_passwords_are_read_from_secrets_manager_at_each_login(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    arns = [f"arn:aws:secretsmanager:{REGION}:000000000000:secret:{role}" for role in ROLES]
    SecretsManager.secrets = {
        arn: {"username": role, "password": password} for arn, (role, password) in zip(arns, ROLES.items(), strict=True)
    }
    with ThreadingHTTPServer(("127.0.0.1", 0), SecretsManager) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        proxy = RunningProxy.start(database, credentials=SecretCredentials(arns, REGION))
        try:
            for role in ROLES:
                assert proxy.connect(role).execute("SELECT current_user").fetchone() == (role,)
            with pytest.raises(psycopg.OperationalError, match="no credentials for the role rdsadmin"):
                proxy.connect("rdsadmin")
            read = SecretsManager.calls.count(arns[0])
            with proxy.connect().transaction():
                proxy.connect().execute("SELECT 1")
            assert SecretsManager.calls.count(arns[0]) == read + 1
        finally:
            proxy.stop()
            server.shutdown()


def test_a_client_that_waits_too_long_is_told_so(start_proxy: StartProxy) -> None:
    proxy = start_proxy(max_connections_percent=4, max_connections=30, connection_borrow_timeout=0.2)
    holder, waiting = proxy.connect(), proxy.connect()
    holder.execute("BEGIN")
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match=TIMED_OUT) as caught:
        waiting.execute("SELECT 1")
    assert time.monotonic() - began >= 0.19
    assert caught.value.sqlstate == "08000"
    assert waiting.broken
    assert holder.execute("SELECT 1").fetchone() == (1,)


def test_a_client_that_waits_to_log_in_is_told_so_too(start_proxy: StartProxy) -> None:
    proxy = start_proxy(max_connections_percent=4, max_connections=30, connection_borrow_timeout=0.2)
    proxy.connect().execute("BEGIN")
    with pytest.raises(psycopg.OperationalError, match=TIMED_OUT):
        proxy.connect("other")


def test_a_client_that_leaves_while_it_waits_gets_nothing(one_connection: RunningProxy) -> None:
    holder = one_connection.connect()
    holder.execute("BEGIN")
    with RawClient(one_connection) as impatient:
        impatient.query("INSERT INTO item VALUES (99, 'never')")
        eventually(lambda: one_connection.metrics()["ClientsWaiting"] == 1)
    eventually(lambda: one_connection.metrics()["ClientsWaiting"] == 0)
    holder.execute("COMMIT")
    assert holder.execute("SELECT count(*) FROM item").fetchone() == (0,)


@pytest.mark.parametrize("politely", [True, False])
def test_a_client_that_leaves_in_a_transaction_leaves_nothing_behind(
    one_connection: RunningProxy, politely: bool
) -> None:
    leaving = RawClient(one_connection)
    leaving.query("BEGIN; INSERT INTO item VALUES (1, 'uncommitted'); SELECT pg_advisory_xact_lock(7)")
    leaving.until_ready()
    if politely:
        leaving.send(b"X\0\0\0\4")
    leaving.socket.close()
    client = one_connection.connect()
    assert client.execute("SELECT count(*) FROM item").fetchone() == (0,)
    assert client.execute("SELECT pg_try_advisory_xact_lock(7)").fetchone() == (True,)
    assert client.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_what_a_client_sent_before_it_left_is_done(proxy: RunningProxy) -> None:
    with RawClient(proxy) as leaving:
        leaving.query("INSERT INTO item VALUES (5, 'sent')")
        leaving.send(b"X\0\0\0\4")
    client = proxy.connect()
    eventually(lambda: client.execute("DELETE FROM item RETURNING name").fetchone() == ("sent",))


def test_idle_server_connections_are_closed_down_to_their_share(start_proxy: StartProxy) -> None:
    proxy = start_proxy(max_idle_connections_percent=7, database_connection_idle_time=0.2)
    clients = [proxy.connect(application_name="idle") for _ in range(8)]
    for client in clients:
        client.execute("BEGIN")
    assert proxy.metrics()["DatabaseConnections"] == 8
    for client in clients:
        client.execute("COMMIT")
    eventually(lambda: proxy.metrics()["DatabaseConnections"] == 2)
    eventually(lambda: proxy.database.backends("idle") == 2)


def test_an_old_server_connection_is_replaced(start_proxy: StartProxy) -> None:
    proxy = start_proxy(database_connection_idle_time=0.1, database_connection_life=0.2)
    client = proxy.connect()
    first = backend(client)
    eventually(lambda: proxy.metrics()["DatabaseConnections"] == 0)
    assert backend(client) != first


def test_an_idle_client_is_closed(start_proxy: StartProxy) -> None:
    proxy = start_proxy(idle_client_timeout=0.3)
    idle, busy = proxy.connect(), proxy.connect()
    assert busy.execute("SELECT pg_sleep(0.5), 1").fetchone()[1] == 1  # a client that waits for an answer is not idle
    with pytest.raises(psycopg.OperationalError, match=r"the client connection was idle for 0.3 s"):
        idle.execute("SELECT 1")


def test_a_client_is_closed_at_the_end_of_its_life_but_not_in_a_request(start_proxy: StartProxy) -> None:
    proxy = start_proxy(client_life=0.3)
    client = proxy.connect()
    assert client.execute("SELECT pg_sleep(0.4), 1").fetchone()[1] == 1
    eventually(lambda: proxy.metrics()["ClientConnections"] == 0)


def test_a_client_lives_for_24_hours_however_busy_it_is(start_proxy: StartProxy) -> None:
    hours = 0.0
    proxy = start_proxy(monotonic=lambda: time.monotonic() + 3600 * hours, idle_client_timeout=8 * 3600)

    async def look_at_the_clock() -> None:
        for session in tuple(proxy.proxy.sessions):
            session.close_when_due()

    client = proxy.connect()
    assert client.execute("SELECT 1").fetchone() == (1,)  # by now its life has begun
    for hours in (7, 14, 21, 23.9):  # noqa: B007 - the clock reads it
        proxy.call(look_at_the_clock())
        assert client.execute("SELECT 1").fetchone() == (1,)
    hours = 24.1
    proxy.call(look_at_the_clock())
    with pytest.raises(psycopg.OperationalError, match="the client connection is older than 86400 s"):
        client.execute("SELECT 1")


def test_clients_outlive_a_restart_of_the_database(proxy: RunningProxy, database: Database) -> None:
    idle, busy, pinned = (proxy.connect() for _ in range(3))
    pinned.execute("SET work_mem = '5MB'")
    busy.execute("BEGIN")
    backend(idle)
    database.server.restart()
    with pytest.raises(psycopg.errors.AdminShutdown) as caught:
        busy.execute("SELECT 1")
    assert caught.value.sqlstate == "57P01"
    assert busy.broken
    with pytest.raises(psycopg.OperationalError):
        pinned.execute("SELECT 1")  # its settings are gone with its server connection
    assert idle.execute("SELECT 1").fetchone() == (1,)


def test_a_crash_of_the_database_ends_the_statement_in_flight(proxy: RunningProxy, database: Database) -> None:
    client, idle = proxy.connect(), proxy.connect()
    with ThreadPoolExecutor(1) as threads:
        statement = threads.submit(client.execute, "SELECT pg_sleep(20)")
        eventually(lambda: proxy.metrics()["DatabaseConnectionsCurrentlyBorrowed"] == 1)
        database.server.stop(signal.SIGQUIT)
        with pytest.raises(psycopg.OperationalError) as caught:
            statement.result(10)
    assert caught.value.sqlstate in ("57P02", "08006")
    database.server.start()
    assert idle.execute("SELECT 1").fetchone() == (1,)


def test_a_killed_backend_ends_its_client_only(proxy: RunningProxy, database: Database) -> None:
    victim, other = proxy.connect(), proxy.connect()
    victim.execute("BEGIN")
    database.run(f"SELECT pg_terminate_backend({backend(victim)})")
    with pytest.raises(psycopg.errors.AdminShutdown):
        victim.execute("SELECT 1")
    assert other.execute("SELECT 1").fetchone() == (1,)


def test_the_databases_own_words_are_the_last_that_a_client_hears(proxy: RunningProxy, database: Database) -> None:
    with RawClient(proxy) as client:
        client.query("BEGIN; SELECT pg_backend_pid()")
        pid = int(dict(client.until_ready())[Answer.DATA_ROW][6:])
        database.run(f"SELECT pg_terminate_backend({pid})")
        assert client.error() == ("57P01", "terminating connection due to administrator command")
        assert client.is_closed()


def stop_reading(proxy: RunningProxy) -> None:
    """Have the proxy not notice what the database says, until it is resumed."""

    async def pause() -> None:
        for server in proxy.proxy.pool._connections:
            server.pause()

    proxy.call(pause())


def test_the_databases_own_words_are_heard_when_the_request_came_too_late(
    proxy: RunningProxy, database: Database
) -> None:
    with RawClient(proxy) as client:
        client.query("BEGIN; SELECT pg_backend_pid()")
        pid = int(dict(client.until_ready())[Answer.DATA_ROW][6:])
        stop_reading(proxy)
        assert database.run(f"SELECT pg_terminate_backend({pid}, 5000)")
        client.query("SELECT 1")
        assert client.error()[0] == "57P01"


def test_a_server_connection_that_died_unnoticed_is_not_lent(one_connection: RunningProxy, database: Database) -> None:
    client = one_connection.connect()
    pid = backend(client)
    eventually(lambda: one_connection.metrics()["DatabaseConnectionsCurrentlyBorrowed"] == 0)
    stop_reading(one_connection)
    assert database.run(f"SELECT pg_terminate_backend({pid}, 5000)")
    assert backend(client) != pid


def test_a_server_connection_that_breaks_off_is_told_as_such(proxy: RunningProxy) -> None:
    with RawClient(proxy) as client:
        client.query("BEGIN")
        client.until_ready()
        proxy.loop.call_soon_threadsafe(lambda: [server.transport.abort() for server in proxy.proxy.pool._connections])
        assert client.error() == ("08006", "the connection to the database was lost in the middle of a request")
        assert client.is_closed()


def test_a_killed_idle_backend_is_not_noticed_by_any_client(proxy: RunningProxy, database: Database) -> None:
    client = proxy.connect()
    for _ in range(10):
        database.run(f"SELECT pg_terminate_backend({backend(client)}, 1000)")
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_requests_wait_while_the_database_is_down(start_proxy: StartProxy, database: Database) -> None:
    proxy = start_proxy(connection_borrow_timeout=10)
    clients = [proxy.connect() for _ in range(8)]
    database.server.stop()
    with ThreadPoolExecutor(10) as threads:
        answers = [threads.submit(client.execute, "SELECT 1") for client in clients]
        newcomer = threads.submit(proxy.connect)  # its greeting is known: it is let in at once
        unknown = threads.submit(proxy.connect, "other", "two")
        assert newcomer.result(5)
        eventually(lambda: proxy.metrics()["ClientsWaiting"] == 9)
        assert proxy.metrics()["AvailabilityPercentage"] == 0
        database.server.start()
        assert [answer.result(10).fetchone() for answer in answers] == [(1,)] * 8
        assert unknown.result(10).execute("SELECT current_user").fetchone() == ("other",)
    assert proxy.metrics()["AvailabilityPercentage"] == 100


def test_a_database_that_stays_down_is_waited_for_no_longer_than_the_borrow_timeout(
    start_proxy: StartProxy, database: Database
) -> None:
    proxy = start_proxy(connection_borrow_timeout=0.3)
    client = proxy.connect()
    database.server.stop()
    try:
        with pytest.raises(psycopg.OperationalError, match=TIMED_OUT):
            client.execute("SELECT 1")
    finally:
        database.server.start()


def test_a_database_that_is_full_is_waited_for(start_proxy: StartProxy, database: Database) -> None:
    proxy = start_proxy(connection_borrow_timeout=10)
    with ExitStack() as stack, ThreadPoolExecutor(1) as threads:
        others = [stack.enter_context(database.connect()) for _ in range(27)]  # 30, and 3 for superusers
        login = threads.submit(proxy.connect)
        eventually(lambda: proxy.metrics()["DatabaseConnectionsSetupFailed"] >= 2)
        others[0].close()
        assert login.result(10).execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("password", "name", "text"),
    [
        ("wrong", "one", 'Request returned an error: password authentication failed for user "app"'),
        (ROLES["app"], "nowhere", 'Request returned an error: database "nowhere" does not exist'),
        (None, "one", "Request returned an error: the database asks for a password and none is configured"),
    ],
)
def test_what_the_database_refuses_the_client_is_told(
    start_proxy: StartProxy, database: Database, password: str | None, name: str, text: str
) -> None:
    proxy = start_proxy()
    try:
        database.credentials.write_text(json.dumps({**ROLES, "app": password}))
        with pytest.raises(psycopg.OperationalError) as caught:
            proxy.connect("app", name)
        assert text in str(caught.value)
    finally:
        database.credentials.write_text(json.dumps(ROLES))
    assert proxy.connect().execute("SELECT 1").fetchone() == (1,)


def test_a_rotated_password_is_used_for_the_next_server_connection(start_proxy: StartProxy, database: Database) -> None:
    proxy = start_proxy()
    client = proxy.connect()
    try:
        database.run("ALTER ROLE app PASSWORD 'rotated'")
        database.credentials.write_text(json.dumps({**ROLES, "app": "rotated"}))
        client.execute("BEGIN")
        assert proxy.connect().execute("SELECT 1").fetchone() == (1,)
    finally:
        database.run("ALTER ROLE app PASSWORD $$app's password$$")
        database.credentials.write_text(json.dumps(ROLES))


def test_a_trusted_user_needs_no_password(start_proxy: StartProxy, database: Database) -> None:
    proxy = start_proxy()
    try:
        database.credentials.write_text(json.dumps({**ROLES, "rdsadmin": None}))
        assert proxy.connect("rdsadmin").execute("SELECT current_user").fetchone() == ("rdsadmin",)
    finally:
        database.credentials.write_text(json.dumps(ROLES))


def test_a_setting_changed_where_nobody_sees_it_reaches_no_other_client(one_connection: RunningProxy) -> None:
    """RDS Proxy does not look into functions; where PostgreSQL reports the change, the server connection is closed."""
    first, second = one_connection.connect(), one_connection.connect()
    first.execute("DO $$ BEGIN PERFORM set_config('application_name', 'mine', false); END $$")
    assert second.execute("SHOW application_name").fetchone() != ("mine",)
    assert one_connection.metrics()["PinnedSessions"] == []


def test_a_setting_changed_where_nobody_sees_it_and_that_nobody_reports_reaches_the_next_client(
    one_connection: RunningProxy,
) -> None:
    """Not wanted, and listed as what the stand-in does not do: the protocol does not show it."""
    first, second = one_connection.connect(), one_connection.connect()
    first.execute("DO $$ BEGIN SET work_mem = '5MB'; END $$")
    assert second.execute("SHOW work_mem").fetchone() == ("5MB",)
    assert one_connection.metrics()["PinnedSessions"] == []


def test_a_setting_that_changes_in_the_database_is_reported_to_clients(
    one_connection: RunningProxy, database: Database
) -> None:
    client = one_connection.connect()
    assert client.info.parameter_status("TimeZone") != "Asia/Tokyo"
    try:
        database.run("ALTER ROLE app SET timezone = 'Asia/Tokyo'")
        database.run(f"SELECT pg_terminate_backend({backend(client)}, 1000)")
        client.execute("SELECT 1")
        assert client.info.parameter_status("TimeZone") == "Asia/Tokyo"
    finally:
        database.run("ALTER ROLE app RESET timezone")


@pytest.mark.parametrize(
    ("statement", "times"),
    [("SELECT repeat('x', 1000000) FROM generate_series(1, 400)", 1), ("SELECT repeat('x', 1000000)", 400)],
    ids=["many rows", "many answers"],
)
def test_a_client_that_reads_nothing_is_not_read_ahead_of(proxy: RunningProxy, statement: str, times: int) -> None:
    """400 MB that nobody fetches stay in the database."""
    before = resident_bytes()
    with RawClient(proxy) as client:
        for _ in range(times):
            client.query(statement)
        client.read()
        for _ in range(20):
            proxy.call(asyncio.sleep(0.01))
            assert resident_bytes() - before < 50_000_000


def test_a_server_connection_is_not_read_while_its_new_client_has_much_to_read() -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        reader, client_end = socket.socketpair()
        other, server_end = socket.socketpair()
        _, client = await loop.connect_accepted_socket(Connection, client_end)
        _, server = await loop.connect_accepted_socket(Connection, server_end)
        client.write(bytes(5_000_000))
        assert server.transport.is_reading()
        client.pair(server)
        assert not server.transport.is_reading()
        reader.setblocking(False)
        left = 5_000_000
        while left:
            left -= len(await loop.sock_recv(reader, left))
        await asyncio.sleep(0)
        assert server.transport.is_reading()
        client.unpair()
        for connection in (client, server):
            connection.transport.abort()
            await connection.ended()
        reader.close()
        other.close()

    asyncio.run(check())


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_the_response_latency_includes_the_wait_for_a_server_connection(one_connection: RunningProxy) -> None:
    holder, waiter = one_connection.connect(), one_connection.connect()
    holder.execute("BEGIN")
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(waiter.execute, "SELECT 1")
        eventually(lambda: one_connection.metrics()["ClientsWaiting"] == 1)
        holder.execute("SELECT pg_sleep(0.2)")
        holder.execute("COMMIT")
        answer.result(10)
    metrics = one_connection.metrics()
    waited = (metrics["QueryResponseLatency"] - metrics["QueryDatabaseResponseLatency"]) * metrics["QueryRequests"]
    assert waited > 150_000  # microseconds


def test_latencies_and_requests_are_counted(start_proxy: StartProxy) -> None:
    proxy = start_proxy()
    client = proxy.connect()
    client.execute("SELECT 1")
    client.execute("SELECT %s", [2])
    client.execute("BEGIN")
    metrics: dict[str, Any] = proxy.metrics()
    assert metrics["QueryRequests"] == metrics["QueryRequestsTLS"] == 3
    assert metrics["DatabaseConnectionsCurrentlyInTransaction"] == metrics["DatabaseConnectionsCurrentlyBorrowed"] == 1
    assert metrics["QueryResponseLatency"] >= metrics["QueryDatabaseResponseLatency"] > 0
    client.close()
    eventually(lambda: proxy.metrics()["ClientConnectionsClosed"] == 1)
    eventually(lambda: proxy.metrics()["DatabaseConnectionsCurrentlyInTransaction"] == 0)
    final = proxy.metrics()
    assert final["ClientConnections"] == final["DatabaseConnections"] == 0
    assert final["ClientConnectionsReceived"] == final["ClientConnectionsSetupSucceeded"] == 1

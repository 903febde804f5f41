"""What many clients leave behind in the stand-in: nothing."""

import gc
import logging
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from local.rds_proxy.connection import Connection
from local.rds_proxy.server_connection import ServerConnection
from local.rds_proxy.session import Session
from tests.local.conftest import HOST, Database, RawClient, RunningProxy, eventually, make_token
from tests.local.test_rds_proxy_command import connect, running

THREADS = 8
# An hour of 50 execution environments whose connections live for 4 minutes is 750 of them.
WARM_UP, AN_HOUR, STATEMENTS = 250, 750, 5
ROUNDS = 6
GROWTH_LIMIT = 6 * 1024 * 1024  # bytes; 1,000 clients at once take ten times as much
CLIENTS = 1000


def test_nothing_of_a_client_stays_however_it_leaves(
    start_proxy: Callable[..., RunningProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    # It looks every 25 ms whether a client has been idle for too long; by this clock none ever is.
    proxy = start_proxy(idle_client_timeout=0.1, monotonic=lambda: 0.0)
    # pytest keeps what was logged, and with an exception all that it came through.
    monkeypatch.setattr(logging.getLogger("rds_proxy"), "disabled", True)

    def counts() -> Counter[str]:
        gc.collect()
        alive = (found for found in gc.get_objects() if isinstance(found, Connection | Session))
        return Counter(type(found).__name__ for found in alive if not isinstance(found, ServerConnection))

    def leave_in_every_way() -> None:
        proxy.connect().close()
        pinned = proxy.connect()
        pinned.execute("SET application_name = 'pinned'")
        pinned.close()
        with RawClient(proxy) as client:
            client.query("BEGIN")
            client.until_ready()
        with RawClient(proxy) as client:
            client.query("SELECT pg_sleep(0.01)")  # it leaves before the answer
        with RawClient(proxy, log_in=False) as client:
            client.greet({"user": "app", "database": "one"})  # it leaves before its password
        with suppress(psycopg.OperationalError):
            proxy.connect(password="wrong")

    leave_in_every_way()
    eventually(lambda: proxy.metrics()["ClientConnections"] == 0)
    before = counts()
    for _ in range(ROUNDS):
        leave_in_every_way()
    eventually(lambda: proxy.metrics()["ClientConnections"] == 0)
    eventually(lambda: counts() <= before)
    metrics = proxy.metrics()
    assert metrics["PinnedSessions"] == []
    assert metrics["DatabaseConnectionsCurrentlyBorrowed"] == 0


def test_memory_stays_flat_over_an_hour_of_churn(database: Database, tmp_path: Path) -> None:
    with running(database, tmp_path / "log") as (process, ready), ThreadPoolExecutor(THREADS) as threads:
        token = make_token(HOST, ready["port"], "app")

        def come_and_go(number: int) -> None:
            with connect(database, ready["port"], token) as client:
                for statement in range(STATEMENTS):
                    client.execute(f"SELECT {statement} AS column_{random.randrange(10**9)}")
                if number % 10 == 0:
                    client.execute(f"SET application_name = 'pinned {number}'")

        memory = psutil.Process(process.pid).memory_info
        list(threads.map(come_and_go, range(WARM_UP)))
        before = memory().rss
        list(threads.map(come_and_go, range(AN_HOUR)))
        assert memory().rss - before < GROWTH_LIMIT


def test_a_thousand_clients_share_the_server_connections(database: Database, tmp_path: Path) -> None:
    half = running(database, tmp_path / "log", max_connections_percent="50")
    with half as (_, ready), ThreadPoolExecutor(THREADS) as threads:
        token = make_token(HOST, ready["port"], "app")
        clients = list(threads.map(lambda _: connect(database, ready["port"], token), range(CLIENTS)))
        answers = list(threads.map(lambda client: client.execute("SELECT 1, pg_backend_pid()").fetchone(), clients))
        list(threads.map(lambda client: client.close(), clients))
    assert [one for one, _ in answers] == [1] * CLIENTS
    assert len({backend for _, backend in answers}) <= 15

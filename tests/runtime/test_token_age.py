"""A token is good for 15 minutes: an environment that lives longer must not notice."""

import asyncio
import json
import threading
import time

import pytest

from lambda_src.database import iam_token
from lambda_src.database.connection import Database
from lambda_src.database.settings import Settings
from lambda_src.database.unavailable import DatabaseUnavailable
from lambda_src.deadline import Deadline
from local.certificates import server_certificate
from local.rds_proxy.credentials import FileCredentials
from local.rds_proxy.iam import AccessKeys
from local.rds_proxy.server import Proxy
from local.rds_proxy.server_connection import Upstream
from local.rds_proxy.settings import Settings as ProxySettings
from tests.conftest import ACCESS_KEY, APPLICATION, DATABASE, PASSWORD

MINUTE = 60


class Clock:
    """The time of both ends, which a test may move."""

    def __init__(self):
        self.ahead = 0

    def __call__(self):
        return time.time() + self.ahead


@pytest.fixture
def clock(monkeypatch):
    moved = Clock()
    minted = iam_token.mint

    def mint(*arguments, **keywords):
        return minted(*arguments, **keywords, now=moved())

    monkeypatch.setattr(iam_token, "mint", mint)
    return moved


@pytest.fixture
def proxy(postgres, certificates, tmp_path, clock):
    """The stand-in in a thread of this process, since its clock is ours to move."""
    (tmp_path / "credentials.json").write_text(json.dumps({APPLICATION: PASSWORD}))
    key = {"secret_access_key": ACCESS_KEY["AWS_SECRET_ACCESS_KEY"], "session_token": None}
    (tmp_path / "keys.json").write_text(json.dumps({ACCESS_KEY["AWS_ACCESS_KEY_ID"]: key}))
    certificate, private_key = server_certificate(certificates, "127.0.0.1")
    settings = ProxySettings(
        address="127.0.0.1",
        port=0,
        upstream=Upstream(postgres.socket_directory / ".s.PGSQL.5432"),
        region=ACCESS_KEY["AWS_REGION"],
        certificate=certificate,
        key=private_key,
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running = Proxy(settings, FileCredentials(tmp_path / "credentials.json"), AccessKeys(tmp_path / "keys.json"), clock)
    asyncio.run_coroutine_threadsafe(running.start(), loop).result(10)
    yield running
    asyncio.run_coroutine_threadsafe(running.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def database(proxy, certificates, monkeypatch):
    for name, value in ACCESS_KEY.items():
        monkeypatch.setenv(name, value)
    settings = Settings(
        host="127.0.0.1",
        port=proxy.port,
        database=DATABASE,
        user=APPLICATION,
        region=ACCESS_KEY["AWS_REGION"],
        connect_timeout=2,
        deadline=3,
        connection_max_age=240,
        root_bundle=str(certificates / "ca.pem"),
    )
    opened = Database(settings)
    yield opened
    opened.close()


def ask(database):
    with database.session(Deadline(3)) as session:
        return session.one("SELECT 1", {}, idempotent=True)


def test_a_reconnect_after_16_minutes_costs_no_request(database, clock):
    assert ask(database) == (1,)
    clock.ahead = 16 * MINUTE
    database.close()
    assert ask(database) == (1,)
    assert (database.figures.connects, database.figures.retries) == (2, 0)


def test_a_token_of_16_minutes_ago_would_have_been_refused(database, clock, proxy, monkeypatch):
    """Or the test above would prove nothing."""
    old = iam_token.mint("127.0.0.1", proxy.port, APPLICATION, ACCESS_KEY["AWS_REGION"])
    monkeypatch.setattr(iam_token, "mint", lambda *_arguments, **_keywords: old)
    assert ask(database) == (1,)
    database.close()
    clock.ahead = 16 * MINUTE
    with pytest.raises(DatabaseUnavailable, match="at attempt 4"):
        ask(database)
    assert proxy.metrics.counts["ClientConnectionsSetupFailedAuth"] > 0

"""A function that reaches PostgreSQL itself, with nothing before it: what the server says arrives as it is."""

import json
import subprocess
import sys
import threading

import psycopg
import pytest

from lambda_src.database.connection import Database
from lambda_src.database.settings import Settings
from lambda_src.database.unavailable import DatabaseUnavailable
from lambda_src.deadline import Deadline
from local.postgres.server import SUPERUSER
from tests.conftest import ACCESS_KEY, APPLICATION, DATABASE, PASSWORD, ROOT, free_port

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def instance(certificates, tmp_path_factory):
    """A database instance whose application role needs no password: no IAM here, the tests are of what comes after."""
    directory, port = tmp_path_factory.mktemp("instance"), free_port()
    description = {
        "directory": str(directory),
        "address": HOST,
        "port": port,
        "certificates": str(certificates),
        "database": DATABASE,
        "master_user": "master",
        "master_password": PASSWORD,
    }
    with (
        (directory / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "local.postgres"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        process.stdin.write(json.dumps(description).encode())
        process.stdin.close()
        socket = json.loads(process.stdout.readline())["socket_directory"]
        access = directory / "data" / "pg_hba.conf"
        access.write_text(f"local all {APPLICATION} trust\n{access.read_text()}")
        with psycopg.connect(host=socket, user=SUPERUSER, dbname=DATABASE, autocommit=True) as superuser:
            superuser.execute(f"CREATE ROLE {APPLICATION} LOGIN")
            superuser.execute("SELECT pg_reload_conf()")
            yield port, superuser
        process.terminate()


@pytest.fixture
def superuser(instance):
    return instance[1]


@pytest.fixture
def database(instance, certificates, monkeypatch):
    for name, value in ACCESS_KEY.items():
        monkeypatch.setenv(name, value)
    settings = Settings(
        host=HOST,
        port=instance[0],
        database=DATABASE,
        user=APPLICATION,
        region="us-east-1",
        connect_timeout=2,
        deadline=3,
        connection_max_age=240,
        root_bundle=str(certificates / "ca.pem"),
    )
    opened = Database(settings)
    yield opened
    opened.close()


def ask(database, query, *, idempotent=False):
    with database.session(Deadline(3)) as session:
        return session.all(query, {}, idempotent=idempotent)


def terminate(superuser):
    sessions = "FROM pg_stat_activity WHERE usename = 'application'"
    superuser.execute(f"SELECT pg_terminate_backend(pid, 5000) {sessions}")


def test_a_session_ended_by_a_fatal_error_between_requests_costs_no_attempt(database, superuser):
    assert ask(database, "SELECT 1") == [(1,)]
    terminate(superuser)
    assert ask(database, "SELECT 1") == [(1,)]
    assert (database.figures.attempts, database.figures.retries, database.figures.reconnects) == (2, 0, 1)


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_statement_whose_session_is_ended_is_repeated_only_if_it_may_be(database, superuser, idempotent):
    answers = []

    def run():
        try:
            answers.append(ask(database, "SELECT 7 FROM pg_sleep(0.3)", idempotent=idempotent))
        except DatabaseUnavailable as error:
            answers.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    while superuser.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").fetchone() == (0,):
        pass
    terminate(superuser)
    thread.join()
    assert database.figures.sqlstate == "57P01"
    if idempotent:
        assert answers == [[(7,)]]
    else:
        assert answers[0].startswith("AdminShutdown 57P01 at attempt 1")


def test_a_server_that_takes_no_more_connections_is_tried_again_until_the_deadline(database, superuser):
    superuser.execute(f"ALTER ROLE {APPLICATION} CONNECTION LIMIT 0")
    try:
        with pytest.raises(DatabaseUnavailable, match="OperationalError at attempt 4"):
            ask(database, "SELECT 1")
    finally:
        superuser.execute(f"ALTER ROLE {APPLICATION} CONNECTION LIMIT -1")
    assert ask(database, "SELECT 1") == [(1,)]


def test_a_certificate_of_another_authority_is_refused(database, tmp_path):
    from local.certificates import root_bundle

    database._settings = Settings(**{**database._settings.__dict__, "root_bundle": str(root_bundle(tmp_path))})
    with pytest.raises(DatabaseUnavailable):
        ask(database, "SELECT 1")


def test_a_certificate_of_another_host_is_refused(database):
    database._settings = Settings(**{**database._settings.__dict__, "host": "localhost"})
    with pytest.raises(DatabaseUnavailable):
        ask(database, "SELECT 1")

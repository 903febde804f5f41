"""Whatever happens to a database outside the account, or on the way to it: by connection, and by SQL over HTTP."""

import contextlib
import json
import select
import socket
import threading

import pytest

from benchmarks.forwarder import Forwarder
from lambda_src.database import connection
from lambda_src.database.unavailable import DatabaseUnavailable
from lambda_src.deadline import Deadline
from lambda_src.neon import http
from lambda_src.neon.settings import Settings
from local.certificates import root_bundle, server_certificate
from local.neon.front import Front
from local.neon.scram import PLAIN
from local.neon.servers import Neon
from tests.conftest import APPLICATION, CONFIDENTIAL, DATABASE, PASSWORD, as_superuser, migrated_server
from tests.debian import program
from tests.neon.fixtures import ByUrl
from tests.service import Service, environment

UPDATE = "UPDATE project SET name = %(name)s WHERE tenant = %(tenant)s RETURNING name"
ROTATED = f"{PASSWORD}, and another one"


@pytest.fixture(scope="module")
def neon(certificates, tmp_path_factory):
    """A PostgreSQL of this module's own, whose roles it may change, and Neon's endpoints before it."""
    program("pgbouncer", package="pgbouncer")
    directory = tmp_path_factory.mktemp("neon")
    with (
        migrated_server(directory / "postgres", statement_timeout=1) as server,
        Neon(server, certificates, directory) as running,
    ):
        yield running


@pytest.fixture(params=["connection", "http"])
def mode(request):
    return request.param


@pytest.fixture
def network(neon, mode):
    """What can fail on the way."""
    with Forwarder(("127.0.0.1", neon.pooled_port if mode == "connection" else neon.sql.port)) as forwarder:
        yield forwarder


@pytest.fixture
def way(neon, network, mode, local_aws, certificates):
    """A function's way, with a secret of this test's own."""
    port = network.address[1]
    url = neon.url(APPLICATION, PASSWORD, DATABASE, port=port)
    return ByUrl(neon, local_aws, certificates, mode, url, f"https://localhost:{port}/sql")


@pytest.fixture
def database(way, monkeypatch):
    opened = open_database(way, monkeypatch)
    yield opened
    opened.close()


@pytest.fixture
def other(neon):
    """Another session, outside the pool, with two projects of the tenant `acme` to quarrel about."""
    with as_superuser(neon.server) as opened:
        opened.execute("DELETE FROM project")
        opened.execute(
            "INSERT INTO project (tenant, id, name, version, created_at, updated_at)"
            " SELECT tenant, gen_random_uuid(), 'old', 1, now(), now() FROM unnest(ARRAY['acme', 'brick']) tenant"
        )
        yield opened


def open_database(way, monkeypatch, **changed):
    for name, value in {**way.variables, **changed}.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environment()
    return http.Database(settings) if way.mode == "http" else connection.Database(settings)


def ask(database, query="SELECT 1", parameters=None, *, seconds=3, idempotent=True):
    with database.session(Deadline(seconds)) as session:
        return session.all(query, parameters or {}, idempotent=idempotent)


def end_sessions(neon):
    with as_superuser(neon.server) as administrator:
        sessions = "FROM pg_stat_activity WHERE usename = %s"
        administrator.execute(f"SELECT pg_terminate_backend(pid, 5000) {sessions}", [APPLICATION])


@contextlib.contextmanager
def role(neon, clause, back):
    """The application's role is changed, and its sessions are ended before and after."""
    try:
        with as_superuser(neon.server) as administrator:
            administrator.execute(f"ALTER ROLE {APPLICATION} {clause}")
        end_sessions(neon)
        yield
    finally:
        with as_superuser(neon.server) as administrator:
            administrator.execute(f"ALTER ROLE {APPLICATION} {back}")
        end_sessions(neon)


def test_a_connection_that_was_reset_costs_no_request(database, network):
    assert ask(database) == [(1,)]
    network.reset_all()
    assert ask(database) == [(1,)]
    assert (database.figures.attempts, database.figures.reconnects) == (2, 1)


def test_a_connection_that_was_closed_costs_no_request(database, network):
    assert ask(database) == [(1,)]
    network.close_all()
    assert ask(database) == [(1,)]
    assert (database.figures.attempts, database.figures.reconnects) == (2, 1)


def test_sessions_that_the_database_ended_cost_no_request(database, neon):
    assert ask(database) == [(1,)]
    end_sessions(neon)
    assert ask(database) == [(1,)]


def test_an_answer_that_is_lost_is_asked_for_again_where_that_is_safe(database, network):
    assert ask(database) == [(1,)]
    network.cut_next_answer()
    with database.session(Deadline(3)) as session:
        assert session.one("SELECT 2", {}, idempotent=True) == (2,)
        assert session.uncertain
    network.cut_next_answer()
    with pytest.raises(DatabaseUnavailable, match="at attempt 1"):
        ask(database, idempotent=False)


def test_an_endpoint_that_refuses_is_unavailable_until_it_is_back(database, network):
    network.refuse()
    with pytest.raises(DatabaseUnavailable):
        ask(database, seconds=0.5)
    network.heal()
    assert ask(database) == [(1,)]


def test_an_endpoint_that_says_nothing_is_unavailable_in_time_and_until_it_is_back(database, network):
    assert ask(database) == [(1,)]
    network.black_hole()
    with pytest.raises(DatabaseUnavailable, match=r"0\.0 s left"):
        ask(database, seconds=0.4)
    assert database.figures.deadline_exceeded == 1
    network.heal()
    assert ask(database) == [(1,)]


def test_a_rotated_password_costs_no_request(database, neon, way):
    assert ask(database) == [(1,)]
    with role(neon, f"PASSWORD '{ROTATED}'", f"PASSWORD '{PASSWORD}'"):
        database.close()
        way.put(way.url.replace(PASSWORD.replace(" ", "%20").replace(":", "%3A"), ROTATED.replace(" ", "%20")
                                .replace(":", "%3A").replace(",", "%2C")))  # fmt: skip
        assert ask(database, idempotent=False) == [(1,)]
    assert database.figures.retries <= 1


def test_a_password_that_is_wrong_is_unavailable_and_asks_for_the_secret_once_a_second(database, neon, caplog):
    with role(neon, f"PASSWORD '{ROTATED}'", f"PASSWORD '{PASSWORD}'"):
        caplog.set_level("INFO", "lambda_src")
        with pytest.raises(DatabaseUnavailable):
            ask(database, seconds=0.8)
        assert 2 <= caplog.messages.count("reading the secret") <= 3
    assert not CONFIDENTIAL.search("\n".join(f"{record.__dict__}" for record in caplog.records))
    assert ask(database) == [(1,)]


@pytest.mark.timeout(20)  # were it not for the deadline, an hour
def test_a_secrets_manager_that_falls_silent_does_not_outlast_the_deadline(way, neon, monkeypatch):
    database = open_database(way, monkeypatch, DB_CONNECT_TIMEOUT_SECONDS="3600")
    assert ask(database) == [(1,)]
    database.close()
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        role(neon, f"PASSWORD '{ROTATED}'", f"PASSWORD '{PASSWORD}'"),
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(DatabaseUnavailable):
            ask(database, seconds=0.4)
    assert ask(database) == [(1,)]
    database.close()


def test_too_many_connections_are_unavailable_until_there_are_fewer(database, neon):
    with role(neon, "CONNECTION LIMIT 0", "CONNECTION LIMIT -1"), pytest.raises(DatabaseUnavailable):
        ask(database, seconds=0.6)
    assert ask(database) == [(1,)]


def test_a_deadlock_is_tried_again(database, neon, other):
    in_order = "SELECT id FROM project ORDER BY tenant FOR UPDATE"
    both = f"UPDATE project SET name = 'ours' WHERE id IN ({in_order}) RETURNING name"
    answers = []
    with as_superuser(neon.server) as observer:
        # Ours looks for the deadlock first, as it waited first.
        observer.execute("ALTER SYSTEM SET deadlock_timeout = '200ms'")
        observer.execute("SELECT pg_reload_conf()")
        with other.transaction():
            other.execute("UPDATE project SET name = 'theirs' WHERE tenant = 'brick'")
            thread = threading.Thread(target=lambda: answers.append(ask(database, both, idempotent=False)))
            thread.start()
            while observer.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
                assert thread.is_alive(), answers
            other.execute("SET LOCAL deadlock_timeout = '10s'")
            other.execute("UPDATE project SET name = 'theirs' WHERE tenant = 'acme'")
        thread.join()
    assert answers == [[("ours",), ("ours",)]]
    assert (database.figures.retries, database.figures.sqlstate) == (1, "40P01")


def test_a_statement_that_is_cancelled_by_its_timeout_is_not_tried_again(database):
    with pytest.raises(DatabaseUnavailable, match="57014 at attempt 1"):
        ask(database, "SELECT pg_sleep(30)")
    assert ask(database) == [(1,)]


def test_a_statement_that_is_wrong_is_raised_with_its_sqlstate(database):
    with pytest.raises(Exception, match="nonsense") as caught:
        ask(database, "SELECT nonsense")
    assert caught.value.sqlstate == "42703"
    assert database.figures.attempts == 1


def test_a_connection_older_than_its_age_is_replaced(way, monkeypatch):
    database = open_database(way, monkeypatch, DB_CONNECTION_MAX_AGE_SECONDS="0.000001")
    assert ask(database) == ask(database) == [(1,)]
    assert (database.figures.connects, database.figures.reconnects) == (2, 1)
    database.close()


def test_a_certificate_that_the_root_bundle_does_not_vouch_for_is_refused(way, monkeypatch, tmp_path):
    database = open_database(way, monkeypatch, SSL_CERT_FILE=str(root_bundle(tmp_path)))
    before = way.neon.sql.requests
    with pytest.raises(DatabaseUnavailable):
        ask(database, seconds=0.3)
    assert way.neon.sql.requests == before


def test_a_certificate_of_another_host_is_refused(neon, way, certificates, monkeypatch):
    """All else is as it should be: the authority, the server's name in the handshake, the password."""
    certificate, key = server_certificate(certificates, "elsewhere.example")
    front, handler = neon.fronts[neon.pgbouncer.socket], neon.sql.handler
    elsewhere = Front(neon.pgbouncer.socket, certificate, key, front._verifier)
    monkeypatch.setattr(front, "_tls", elsewhere._tls)
    monkeypatch.setattr(front, "_binding", elsewhere._binding)
    monkeypatch.setattr(handler, "context", elsewhere._tls)
    database = open_database(way, monkeypatch)
    before = neon.sql.requests
    with pytest.raises(DatabaseUnavailable):
        ask(database, seconds=0.3)
    assert database.figures.connects == 0
    assert neon.sql.requests == before


@pytest.mark.parametrize("mode", ["http"])  # libpq reads them itself
def test_tickets_of_tls_are_no_goodbye(way, monkeypatch):
    """TLS 1.3 sends them after the handshake: an idle connection can be read, and is as good as before."""
    database = open_database(way, monkeypatch)
    database.warm_up()
    assert select.select([database._kept.sock], [], [], 5)[0], "no ticket came"
    assert ask(database) == [(1,)]
    assert database.figures.connects == 1
    database.close()


def test_a_server_without_channel_binding_is_refused_unless_the_url_says_otherwise(
    neon, local_aws, certificates, monkeypatch
):
    front = neon.fronts[neon.pgbouncer.socket]
    way = ByUrl(neon, local_aws, certificates, "connection")
    monkeypatch.setattr(front, "offer", (PLAIN,))
    database = open_database(way, monkeypatch)
    with pytest.raises(DatabaseUnavailable):
        ask(database, seconds=0.3)
    way.put(way.url.replace("channel_binding=require", "channel_binding=prefer"))
    database = open_database(way, monkeypatch)
    assert ask(database) == [(1,)]
    database.close()


def test_the_function_answers_and_recovers_and_logs_nothing_of_the_url(way, network, tmp_path):
    network.refuse()
    with environment(way, tmp_path, DB_DEADLINE_SECONDS="1") as running:
        running.wait_until_ready()
        service = Service(running)
        assert service.request("GET", "/health").status == 503
        network.heal()
        assert service.request("GET", "/health").status == 200
        way.put("postgresql://nobody:confidential@nowhere.invalid/none?options=x")
        network.close_all()
        assert service.request("GET", "/health").status == 200  # nothing was refused: the secret is not asked for
    log = (tmp_path / "function.log").read_text()
    assert log.count('"reading the secret"') == 1 or log.count("reading the secret") == 1
    assert not [word for word in (PASSWORD, way.url, "postgresql://", "confidential") if word in log]
    assert [json.loads(line) for line in log.splitlines() if line.startswith("{")]

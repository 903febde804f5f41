"""Whatever the database or the proxy does, the function on Prisma answers in time and recovers, as Python's does."""

import json
import random
import re
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.forwarder import Forwarder
from lambda_src.database import retry
from local.certificates import root_bundle
from local.prisma.node import node
from tests.conftest import APPLICATION, PASSWORD, ROOT, as_superuser, migrated_server, stand_in_before
from tests.prisma.fixtures import QUICK, OnPrisma, started, wait_until

HOST = "127.0.0.19"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A PostgreSQL of this module's own, which it may stop."""
    # Its sessions may hold a transaction open for longer than a request waits.
    with migrated_server(tmp_path_factory.mktemp("faults"), statement_timeout=30) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(server, certificates, tmp_path_factory):
    """A stand-in with a pool of 2, behind a network that can fail."""
    running = stand_in_before(server, certificates, tmp_path_factory.mktemp("stand-in"), percent=2, host=HOST)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def network(proxy):
    with Forwarder(("127.0.0.1", proxy.port), listen=(HOST, proxy.port)) as forwarder:
        yield forwarder


@pytest.fixture(scope="module")
def function(proxy):
    return OnPrisma({**proxy.variables, **QUICK})


@pytest.fixture(scope="module")
def service(function, network, tmp_path_factory):
    with started(function, tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(autouse=True)
def is_well_before_and_after(service):
    assert service.health() == (200, None)
    yield
    assert service.health() == (200, None)


def test_a_database_that_is_down_is_a_503_until_it_is_back(service, server):
    assert service.health() == (200, None)
    server.stop()
    try:
        assert service.health() == (503, "1")
    finally:
        server.start()
    assert service.health() == (200, None)


def test_a_proxy_that_refuses_is_a_503_until_it_is_back(service, network):
    assert service.health() == (200, None)
    network.refuse()
    network.reset_all()
    assert service.health() == (503, "1")
    network.heal()
    assert service.health() == (200, None)
    assert [line["sqlstate"] for line in service.last(3)] == [None, "P1001", None]


def test_a_function_that_starts_while_the_proxy_refuses_answers_and_recovers(function, network, tmp_path):
    network.refuse()
    with started(function, tmp_path) as cold:
        assert cold.health() == (503, "1")
        network.heal()
        assert cold.health() == (200, None)


def test_killed_server_connections_cost_no_request(service, server):
    assert service.health() == (200, None)
    with as_superuser(server) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [APPLICATION])
    assert service.health() == (200, None)


@pytest.mark.parametrize("end", ["reset_all", "close_all"])
def test_a_connection_killed_while_the_environment_is_frozen_is_replaced_without_a_retry(
    function, network, end, tmp_path
):
    thaw, script = tmp_path / "thaw", Path(__file__).with_name("frozen.mjs")
    command = [node(), str(script), str(function.task_root / "index.mjs"), str(thaw)]
    with subprocess.Popen(command, env=function.variables, stdout=subprocess.PIPE, text=True) as process:
        first = json.loads(process.stdout.readline())
        getattr(network, end)()
        thaw.touch()
        second = json.loads(process.stdout.readline())
    assert (first["status"], second["status"]) == (200, 200)
    assert (second["Reconnects"], second["Retries"]) == (1, 0)


def test_a_network_that_swallows_everything_is_a_503_in_time_and_recovers(service, network):
    assert service.health() == (200, None)
    network.black_hole()
    assert service.health() == (503, "1")  # on the connection that was open
    assert service.health() == (503, "1")  # on new ones: connect timeouts, which have no code
    network.heal()
    assert service.health() == (200, None)
    assert [line["DeadlineExceeded"] for line in service.last(4)] == [0, 1, 1, 0]
    assert "connection timeout" not in service.log()


def test_the_deadline_is_cut_to_what_the_invocation_has_left(service):
    assert service.health() == (200, None)
    # What Lambda gives is less than what the function keeps to answer in: there is no time to ask anybody.
    assert service.health(seconds=0.2) == (503, "1")


def test_a_route_is_none_because_every_object_has_its_name(service):
    event = {"routeKey": "constructor", "requestContext": {"http": {"method": "GET", "path": "/"}}}
    answer = service.environment.invoke(event, 5)
    assert (answer["statusCode"], json.loads(answer["body"])["type"]) == (404, "/problems/unknown-route")


def test_a_create_whose_answer_was_lost_is_stored_once_and_answered_201(service, network, server):
    tenant = f"lost-{uuid.uuid4().hex[:8]}"
    network.cut_next_answer()
    answer = service.request("POST", f"/tenants/{tenant}/projects", {"name": "once"})
    assert answer.status == 201
    with as_superuser(server) as connection:
        rows = connection.execute("SELECT id::text FROM project WHERE tenant = %s", [tenant]).fetchall()
    assert rows == [(answer.body["id"],)]
    assert service.last()[0]["Retries"] == 1


def test_a_patch_whose_answer_was_lost_counts_one_version(service, network):
    project = service.request("POST", "/tenants/acme/projects", {"name": "a"}).body
    path = f"/tenants/acme/projects/{project['id']}"
    network.cut_next_answer()
    answer = service.request("PATCH", path, {"name": "b", "version": 1})
    assert (answer.status, answer.body["version"]) == (200, 2)
    network.cut_next_answer()
    answer = service.request("PATCH", path, {"name": "c"})
    assert (answer.status, answer.body["version"]) == (200, 3)


def test_a_delete_whose_answer_was_lost_is_answered_204(service, network):
    project = service.request("POST", "/tenants/acme/projects", {"name": "a"}).body
    network.cut_next_answer()
    assert service.request("DELETE", f"/tenants/acme/projects/{project['id']}").status == 204


def test_a_pool_that_is_exhausted_is_a_503_until_it_is_not(service, server):
    assert service.health() == (200, None)
    with as_superuser(server) as connection:
        connection.execute(f"ALTER ROLE {APPLICATION} CONNECTION LIMIT 0")
        connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'application'")
        try:
            assert service.health() == (503, "1")
        finally:
            connection.execute(f"ALTER ROLE {APPLICATION} CONNECTION LIMIT -1")
    assert service.health() == (200, None)


def test_a_slow_statement_ends_with_the_deadline_and_holds_nothing(service, server):
    project = service.request("POST", "/tenants/slow/projects", {"name": "a"}).body
    path = f"/tenants/slow/projects/{project['id']}"
    with as_superuser(server) as connection, connection.transaction():
        connection.execute("SELECT FROM project WHERE tenant = 'slow' FOR UPDATE")
        assert service.request("PATCH", path, {"name": "waits"}).status == 503
        assert service.health() == (200, None)  # on a connection that does not wait
    assert service.request("PATCH", path, {"name": "does not wait"}).status == 200


def test_a_database_without_room_or_with_a_broken_disk_is_a_503_at_once(service, server):
    states = ["53000", "53100", "53200", "53400", "58000", "58030"]
    with as_superuser(server) as connection:
        connection.execute("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'")
        connection.execute("CREATE TRIGGER fail BEFORE INSERT ON project FOR EACH ROW EXECUTE FUNCTION fail()")
        for state in states:
            body = f"BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END"
            connection.execute(f"CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
            assert service.request("POST", "/tenants/acme/projects", {"name": "a"}).status == 503
        connection.execute("DROP FUNCTION fail CASCADE")
    assert [(line["sqlstate"], line["attempts"]) for line in service.last(6)] == [(state, 1) for state in states]


def test_a_database_that_is_not_there_is_a_503(function, network, tmp_path):
    with started(function, tmp_path, DB_NAME="nowhere") as cold:
        assert cold.health() == (503, "1")


@pytest.mark.parametrize("version", [{}, {"version": 1}])
def test_a_change_that_waited_for_a_deletion_finds_nothing(service, server, version):
    project = service.request("POST", "/tenants/acme/projects", {"name": "a"}).body
    path = f"/tenants/acme/projects/{project['id']}"
    with ThreadPoolExecutor(1) as background, as_superuser(server) as connection, as_superuser(server) as observer:
        with connection.transaction():
            connection.execute("DELETE FROM project WHERE id = %s", [project["id"]])
            answer = background.submit(service.request, "PATCH", path, {"name": "b", **version})
            wait_until(lambda: observer.execute("SELECT FROM pg_locks WHERE NOT granted").fetchone() is not None)
        assert answer.result().status == 404


def test_an_authority_that_is_not_trusted_is_a_503_at_once(function, network, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with started(function, tmp_path, SSL_CERT_FILE=str(root_bundle(other))) as cold:
        assert cold.health() == (503, "1")
        (line,) = cold.last()
    assert (line["sqlstate"], line["Retries"], line["DeadlineExceeded"]) == ("P1011", 0, 0)


def test_an_invocation_leaves_nothing_in_a_transaction(service, server):
    assert service.request("POST", "/tenants/acme/projects", {"name": "a"}).status == 201
    with as_superuser(server) as connection:
        states = "SELECT state FROM pg_stat_activity WHERE usename = %s"
        assert set(connection.execute(states, [APPLICATION]).fetchall()) == {("idle",)}


def test_a_failure_is_logged_without_what_was_sent(service, network, server):
    network.refuse()
    network.reset_all()
    assert service.request("POST", "/tenants/acme/projects", {"name": "confidential"}).status == 503
    network.heal()
    with as_superuser(server) as connection:
        connection.execute("ALTER TABLE project ADD CONSTRAINT unforeseen CHECK (name <> 'confidential')")
        answer = service.request("POST", "/tenants/acme/projects", {"name": "confidential"})
        connection.execute("ALTER TABLE project DROP CONSTRAINT unforeseen")
    assert (answer.status, answer.body["type"]) == (500, "/problems/internal-error")
    log = service.log()
    assert "database unavailable" in log
    assert '"exception":"PrismaClientKnownRequestError","sqlstate":"23514"' in log
    assert not re.search(f"confidential|X-Amz-|{re.escape(PASSWORD)}", log)


def test_the_attempts_and_pauses_are_those_of_the_python_service(monkeypatch):
    source = ROOT / "lambda_src" / "prisma" / "src" / "retry.ts"
    cases = [(number, left) for number in (1, 2, 3) for left in (60, 3, 0.1)]
    script = f"""
        const {{ ATTEMPTS, pause }} = await import({json.dumps(source.as_uri())});
        const all = (found) => {json.dumps(cases)}.map(([number, left]) => pause(number, found, 1000 * left) / 1000);
        const found = [ATTEMPTS];
        for (const random of [0, 1]) {{
          Math.random = () => random;
          found.push(...all("reconnect"), ...all("retry"));
        }}
        console.log(JSON.stringify(found));"""
    flags = ["--no-warnings", "--experimental-strip-types", "--input-type=module"]
    found = json.loads(subprocess.check_output([node(), *flags, "--eval", script]))
    expected = [retry.ATTEMPTS]
    for which in (min, max):
        monkeypatch.setattr(random, "uniform", which)
        for verdict in (retry.Verdict.RECONNECT, retry.Verdict.RETRY):
            expected += [retry.pause(number, verdict, left) for number, left in cases]
    assert found == pytest.approx(expected)

"""The function on Prisma by the URL in its secret: over WebSocket, through Accelerate, over TCP, with real faults."""

import asyncio
import threading
from urllib.parse import quote

import pytest

from benchmarks.forwarder import Forwarder
from local.certificates import root_bundle, server_certificate
from local.execution_environment import FunctionError
from local.postgres.endpoint import Endpoint
from local.prisma.node import counterpart
from stacks.options.prisma.build import installed
from tests.conftest import APPLICATION, DATABASE, PASSWORD, as_superuser
from tests.prisma.fixtures import API_KEY, QUICK, OnPrisma, executor_before, of_secret, started, websocket_role
from tests.service import environment

PROJECTS = "/tenants/urls/projects"


@pytest.fixture(scope="module")
def relay(postgres, certificates, tmp_path_factory):
    """The port of a relay for WebSockets, which a network before it makes fail."""
    certificate, key = server_certificate(certificates, "127.0.0.1")
    upstream = postgres.socket_directory / ".s.PGSQL.5432"
    log = tmp_path_factory.mktemp("relay") / "log"
    with counterpart("relay", log, packages=installed(), certificate=certificate, key=key, upstream=upstream) as port:
        yield port


@pytest.fixture(scope="module")
def executor(postgres, certificates, tmp_path_factory):
    with executor_before(postgres, certificates, tmp_path_factory.mktemp("executor")) as port:
        yield port


@pytest.fixture(scope="module")
def endpoint(postgres, certificates):
    """The port of a PostgreSQL that takes a password over TLS."""
    certificate, key = server_certificate(certificates, "127.0.0.1")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listening = Endpoint(postgres.socket_directory, certificate, key).listen("127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(listening, loop).result(10)
    yield server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="module", params=["websocket", "accelerate", "tcp"])
def way(request):
    return request.param


@pytest.fixture(scope="module")
def network(way, request):
    """What stands before the way's counterpart."""
    fixture = {"websocket": "relay", "accelerate": "executor", "tcp": "endpoint"}[way]
    with Forwarder(("127.0.0.1", request.getfixturevalue(fixture))) as forwarder:
        yield forwarder


@pytest.fixture(scope="module")
def function(way, network, postgres, local_aws, certificates):
    port, password = network.address[1], quote(PASSWORD)
    role = websocket_role(postgres)
    url = {
        "websocket": f"postgresql://{role}:{password}@database.example.org/{DATABASE}?sslmode=require&channel_binding=require",
        "accelerate": f"prisma://127.0.0.1:{port}/?api_key={quote(API_KEY)}",
        "tcp": f"postgresql://{role}:{password}@127.0.0.1:{port}/{DATABASE}?sslmode=require&channel_binding=require",
    }[way]
    neon = {"NEON_MODE": "connection", "NEON_WEBSOCKET_PROXY": f"127.0.0.1:{port}/v2"} if way == "websocket" else {}
    return OnPrisma({**of_secret(local_aws, certificates, url), **neon, **QUICK})


@pytest.fixture(scope="module")
def service(way, function, tmp_path_factory):
    with started(function, tmp_path_factory.mktemp(way)) as running:
        yield running


@pytest.fixture(autouse=True)
def is_well_before_and_after(service):
    assert service.health() == (200, None)
    yield
    assert service.health() == (200, None)


def test_a_project_is_kept_by_whichever_way(service, postgres):
    project = service.request("POST", PROJECTS, {"name": "kept"}).body
    assert service.request("GET", f"{PROJECTS}/{project['id']}").body == project
    with as_superuser(postgres) as connection:
        assert connection.execute("SELECT name FROM project WHERE id = %s", [project["id"]]).fetchone() == ("kept",)
        states = "SELECT state FROM pg_stat_activity WHERE usename = ANY(%s)"
        assert set(connection.execute(states, [[APPLICATION, "over_websocket"]]).fetchall()) <= {("idle",)}


def test_a_network_that_refuses_is_a_503_until_it_does_not(service, network):
    network.refuse()
    network.reset_all()
    assert service.health() == (503, "1")
    network.heal()


def test_a_network_that_swallows_everything_is_a_503_in_time_and_recovers(service, network):
    network.black_hole()
    assert service.health() == (503, "1")
    network.heal()


def test_a_connection_that_ends_between_requests_costs_no_request(service, network):
    network.reset_all()
    assert service.health() == (200, None)


def test_killed_server_connections_cost_no_request(service, postgres):
    assert service.health() == (200, None)
    with as_superuser(postgres) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ANY(%s)",
            [[APPLICATION, "over_websocket"]],
        )
    assert service.health() == (200, None)


def test_a_create_whose_answer_was_lost_is_stored_once_and_answered_201(service, network, postgres):
    network.cut_next_answer()
    answer = service.request("POST", PROJECTS, {"name": "lost"})
    assert answer.status == 201
    with as_superuser(postgres) as connection:
        found = connection.execute("SELECT count(*) FROM project WHERE name = 'lost' AND id = %s", [answer.body["id"]])
        assert found.fetchone() == (1,)
    assert service.last()[0]["Retries"] == 1


def test_an_authority_that_is_not_trusted_is_a_503(function, tmp_path):
    (tmp_path / "other").mkdir()
    bundle = str(root_bundle(tmp_path / "other"))
    with started(function, tmp_path, SSL_CERT_FILE=bundle) as cold:
        assert cold.health() == (503, "1")


def test_the_url_is_in_no_log(service, network):
    network.refuse()
    network.reset_all()
    assert service.health() == (503, "1")
    network.heal()
    log = service.log()
    assert not [secret for secret in (PASSWORD, quote(PASSWORD), API_KEY, quote(API_KEY)) if secret in log]


@pytest.mark.parametrize("way", ["websocket", "tcp"], indirect=True, scope="module")
def test_a_rotated_password_costs_no_request(service, function, postgres, local_aws):
    new = "rotated, and still not a secret"
    with as_superuser(postgres) as connection:
        connection.execute(f"ALTER ROLE over_websocket PASSWORD '{new}'")
        rewrite(function, local_aws, quote(PASSWORD), quote(new))
        kill = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'over_websocket'"
        connection.execute(kill)
        try:
            assert service.health() == (200, None)
        finally:
            connection.execute(f"ALTER ROLE over_websocket PASSWORD '{PASSWORD}'")
            rewrite(function, local_aws, quote(new), quote(PASSWORD))
            connection.execute(kill)


@pytest.mark.parametrize("way", ["accelerate"], indirect=True, scope="module")
def test_a_wrong_key_is_a_503_until_the_secret_has_the_right_one(function, local_aws, tmp_path):
    rewrite(function, local_aws, quote(API_KEY), "wrong")
    with started(function, tmp_path) as cold:
        assert cold.health() == (503, "1")
        rewrite(function, local_aws, "=wrong", f"={quote(API_KEY)}")
        assert cold.health() == (200, None)


@pytest.mark.parametrize("way", ["tcp"], indirect=True, scope="module")
def test_a_secret_that_is_not_there_is_a_503(function, tmp_path):
    with started(function, tmp_path, DB_SECRET_NAME="nowhere") as cold:
        assert cold.health() == (503, "1")


@pytest.mark.parametrize("way", ["tcp"], indirect=True, scope="module")
def test_a_secret_without_a_url_is_a_503_with_a_sentence_until_it_has_one(function, local_aws, tmp_path):
    client, name = local_aws.client("secretsmanager"), function.variables["DB_SECRET_NAME"]
    right = client.get_secret_value(SecretId=name)["SecretString"]
    wrong = ["confidential", '{"url": "postgresql://confidential:1e5"}', '{"url": "postgresql://a:%confidential@b/c"}']
    try:
        client.put_secret_value(SecretId=name, SecretString=wrong[0])
        with started(function, tmp_path, DB_DEADLINE_SECONDS="1") as cold:
            for text in wrong:
                client.put_secret_value(SecretId=name, SecretString=text)
                assert cold.health() == (503, "1")
            client.put_secret_value(SecretId=name, SecretString=right)
            assert cold.health() == (200, None)
    finally:
        client.put_secret_value(SecretId=name, SecretString=right)
    assert f"the secret {name} holds no URL of a database" in cold.log()
    assert "confidential" not in cold.log()


@pytest.mark.parametrize("way", ["tcp"], indirect=True, scope="module")
def test_a_database_with_another_time_zone_is_refused_with_a_sentence(function, postgres, tmp_path):
    with as_superuser(postgres) as connection:
        connection.execute("ALTER ROLE over_websocket SET timezone = 'Asia/Tokyo'")
        try:
            with (
                environment(function, tmp_path) as running,
                pytest.raises(FunctionError, match="TimeZone is Asia/Tokyo"),
            ):
                running.wait_until_ready()
        finally:
            connection.execute("ALTER ROLE over_websocket RESET timezone")


def rewrite(function, local_aws, before, after):
    """Change the URL in the function's secret."""
    client, name = local_aws.client("secretsmanager"), function.variables["DB_SECRET_NAME"]
    text = client.get_secret_value(SecretId=name)["SecretString"]
    assert before in text
    client.put_secret_value(SecretId=name, SecretString=text.replace(before, after))

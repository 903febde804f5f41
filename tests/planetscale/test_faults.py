"""Whatever MySQL or the network before it does, the caller gets an answer in time, and the function recovers."""

import contextlib
import json
import time
import uuid

import pytest
from pymysql.err import OperationalError

from benchmarks.forwarder import Forwarder
from tests.planetscale.fixtures import APPLICATION, PASSWORD, LocalPlanetScale, as_user, ask, migrated_mariadb, url
from tests.service import Service, environment

TIMEOUT = 6  # seconds: twice the deadline, for a machine that has other work
PROJECTS = "/tenants/acme/projects"
MOST = 10  # MariaDB allows no fewer


@pytest.fixture(scope="module")
def server(certificates, tmp_path_factory):
    """A MariaDB of this module's own, which it may stop."""
    settings = {"max-connections": str(MOST)}
    with migrated_mariadb(tmp_path_factory.mktemp("faults"), certificates, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def network(server):
    with Forwarder((server.instance.address, server.instance.port)) as forwarder:
        yield forwarder


@pytest.fixture
def database(server, network, local_aws):
    """A secret of the test's own, whose URL leads through `network`."""
    found = LocalPlanetScale(server, local_aws)
    found.put_secret(url(*network.address))
    yield found
    network.heal()


@pytest.fixture(scope="module")
def shared(server, network, local_aws, tmp_path_factory):
    """One function for all faults that it is to recover from, with its secret and its log."""
    found = LocalPlanetScale(server, local_aws)
    found.put_secret(url(*network.address))
    directory = tmp_path_factory.mktemp("function")
    with environment(found, directory) as running:
        running.wait_until_ready()
        yield Service(running), found, directory


@pytest.fixture
def service(shared, network):
    yield shared[0]
    network.heal()
    vars(network).pop("take_cut", None)  # see cut_answer


def get(service):
    event = {"routeKey": "GET /health", "requestContext": {"http": {"method": "GET", "path": "/health"}}}
    answer = service.environment.invoke(event, TIMEOUT)
    return answer["statusCode"], answer["headers"].get("retry-after")


def logged(tmp_path):
    """The lines that requests logged."""
    lines = (json.loads(line) for line in (tmp_path / "function.log").read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line.get("message") == "request"]


def kill_applications_connections(server):
    """End them, and return when the server has closed them."""
    running = "SELECT id FROM information_schema.processlist WHERE user = %s"
    for (id,) in ask(server, running, APPLICATION):
        ask(server, f"KILL {id}")
    deadline = time.monotonic() + 10
    while ask(server, running, APPLICATION):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_secret_is_read_once_while_the_function_initialises(service, shared):
    assert get(service) == (200, None)
    assert sum(line["secret_reads"] for line in logged(shared[2])) == 1


def test_a_database_that_is_down_is_a_503_until_it_is_back(service, server):
    assert get(service) == (200, None)
    server.stop()
    try:
        assert get(service) == (503, "1")
    finally:
        server.start()
    assert get(service) == (200, None)


def test_a_refusing_network_is_a_503_until_it_is_back(service, network):
    assert get(service) == (200, None)
    network.refuse()
    network.reset_all()
    assert get(service) == (503, "1")
    network.heal()
    assert get(service) == (200, None)


def test_a_network_that_swallows_everything_is_a_503_in_time_and_recovers(database, network, tmp_path):
    with environment(database, tmp_path, DB_DEADLINE_SECONDS="1.5") as running:
        service = Service(running)
        assert get(service) == (200, None)
        network.black_hole()
        assert get(service) == (503, "1")  # on the connection that was open
        assert get(service) == (503, "1")  # on new ones
        network.heal()
        assert get(service) == (200, None)
    assert [line["DeadlineExceeded"] for line in logged(tmp_path)] == [0, 1, 1, 0]


def test_a_function_that_starts_in_a_refusing_network_answers_and_recovers(database, network, tmp_path):
    network.refuse()
    with environment(database, tmp_path) as cold:
        cold.wait_until_ready()
        assert get(Service(cold)) == (503, "1")
        network.heal()
        assert get(Service(cold)) == (200, None)


def test_a_restarted_database_costs_no_request(service, server):
    assert get(service) == (200, None)
    server.stop()
    server.start()
    assert get(service) == (200, None)


@pytest.mark.parametrize("end", ["reset_all", "close_all", "kill"])
def test_a_connection_killed_between_requests_costs_no_request_and_no_second_try(service, server, network, end, shared):
    assert get(service) == (200, None)
    kill_applications_connections(server) if end == "kill" else getattr(network, end)()
    assert get(service) == (200, None)
    line = logged(shared[2])[-1]
    assert (line["Reconnects"], line["Retries"], line["secret_reads"]) == (1, 0, 0)


def test_a_create_whose_answer_was_lost_is_stored_once_and_answered_201(service, server, network, shared):
    tenant = f"lost-{uuid.uuid4().hex[:8]}"
    network.cut_next_answer()
    answer = service.request("POST", f"/tenants/{tenant}/projects", {"name": "once"})
    assert answer.status == 201
    assert ask(server, "SELECT id, name FROM project WHERE tenant = %s", tenant) == [(answer.body["id"], "once")]
    assert service.request("GET", f"/tenants/{tenant}/projects/{answer.body['id']}").body == answer.body
    assert logged(shared[2])[-2]["Retries"] == 1


def test_an_id_that_another_has_is_a_409_also_after_a_lost_answer(service, network):
    id = service.request("POST", PROJECTS, {"name": "theirs"}).body["id"]
    network.cut_next_answer()
    assert service.request("POST", PROJECTS, {"name": "ours", "id": id}).status == 409


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("version", [1, None])
def test_a_patch_counts_one_version_whichever_of_its_two_answers_was_lost(service, network, server, lost, version):
    project = service.request("POST", PROJECTS, {"name": "a"}).body
    cut_answer(network, lost)
    change = {"name": "b"} if version is None else {"name": "b", "version": version}
    answer = service.request("PATCH", f"{PROJECTS}/{project['id']}", change)
    assert (answer.status, answer.body["version"]) == (200, 2)
    assert ask(server, "SELECT name, version FROM project WHERE id = %s", project["id"]) == [("b", 2)]


def cut_answer(network, number):
    """Lose the answer to the `number`-th thing that the client says from now on."""
    said = []

    def take_cut():
        said.append(1)
        return len(said) == number

    network.take_cut = take_cut


def test_a_delete_whose_answer_was_lost_is_answered_204(service, network):
    project = service.request("POST", PROJECTS, {"name": "a"}).body
    network.cut_next_answer()
    assert service.request("DELETE", f"{PROJECTS}/{project['id']}").status == 204


def test_a_database_with_no_connection_left_is_a_503_until_it_has_one(server, database, tmp_path):
    with contextlib.ExitStack() as holding:
        with contextlib.suppress(OperationalError):  # 1040
            while True:
                holding.enter_context(as_user(server, APPLICATION))
        with environment(database, tmp_path) as cold:
            cold.wait_until_ready()
            assert get(Service(cold)) == (503, "1")
            assert logged(tmp_path)[-1]["error"] == 1040
            holding.close()
            assert get(Service(cold)) == (200, None)


def set_password(server, password):
    ask(server, f"ALTER USER '{APPLICATION}'@'%%' IDENTIFIED BY %s", password)


def test_a_rotated_password_costs_no_request_and_one_reading_of_the_secret(service, server, shared, network):
    _, database, directory = shared
    assert get(service) == (200, None)
    rotated = "rotated, and still not a secret"
    try:
        set_password(server, rotated)
        database.put_secret(url(*network.address, password=rotated))
        kill_applications_connections(server)
        assert [get(service), get(service)] == [(200, None)] * 2
        assert [line["secret_reads"] for line in logged(directory)[-3:]] == [0, 1, 0]
    finally:
        set_password(server, PASSWORD)
        database.put_secret(url(*network.address))


def test_a_password_that_is_refused_is_a_503_after_one_more_reading_and_is_in_no_log(database, network, tmp_path):
    database.put_secret(url(*network.address, password="confidential-and-wrong", user="confidential-user"))
    with environment(database, tmp_path) as cold:
        cold.wait_until_ready()
        assert get(Service(cold)) == (503, "1")
        assert logged(tmp_path)[-1]["secret_reads"] == 2  # the initialisation's, and this
        database.put_secret(url(*network.address))
        assert get(Service(cold)) == (200, None)
    log = (tmp_path / "function.log").read_text()
    assert "is refused" in log
    assert "confidential" not in log
    assert "mysql://" not in log


def test_a_secret_that_is_absent_or_of_no_use_is_a_503_until_it_is_mended(database, network, tmp_path):
    database.secret_name = f"planetscale/later/{uuid.uuid4()}"
    bad = {
        "postgresql://user:confidential@127.0.0.1/projects": "mysql://user:password@host/database is needed",
        "mysql://user:confidential@127.0.0.1": "no database",
        '{"username": "application", "password": "confidential"}': "no URL",
    }
    with environment(database, tmp_path, DB_DEADLINE_SECONDS="1.5") as cold:
        cold.wait_until_ready()
        assert get(Service(cold)) == (503, "1")
        for value in bad:
            database.put_secret(value)
            assert get(Service(cold)) == (503, "1")
        database.put_secret(json.dumps({"url": url(*network.address)}))
        assert get(Service(cold)) == (200, None)
    log = (tmp_path / "function.log").read_text()
    assert [reason for reason in ("ResourceNotFoundException", *bad.values()) if reason not in log] == []
    assert "confidential" not in log


def test_a_read_only_database_is_connected_to_anew_and_a_503_for_writes_until_it_is_writable(service, server, shared):
    """What was the primary before a failover says so to those who are still connected to it."""
    assert get(service) == (200, None)
    ask(server, "SET GLOBAL read_only = 1")
    try:
        assert service.request("POST", PROJECTS, {"name": "a"}).status == 503
        line = logged(shared[2])[-1]
        assert (line["error"], line["Reconnects"]) == (1290, line["Retries"])
    finally:
        ask(server, "SET GLOBAL read_only = 0")
    assert service.request("POST", PROJECTS, {"name": "a"}).status == 201


def test_n_environments_open_n_connections_over_any_number_of_requests(database, network, tmp_path):
    before = network.connections
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        with environment(database, tmp_path / str(number)) as running:
            assert {Service(running).request("GET", PROJECTS).status for _ in range(10)} == {200}
    assert network.connections - before == 2

"""What a request costs in round trips and connections, and what faults of the network cost it.

Round trips are counted where the bytes pass: each time the client speaks after the server did.
"""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from benchmarks.forwarder import Forwarder
from lambda_src.database.connection import Database
from lambda_src.database.settings import Settings
from lambda_src.deadline import Deadline
from lambda_src.routes import ROUTE_KEYS
from local import resource
from tests.conftest import as_superuser, stand_in_before
from tests.service import Service, environment

DELAY = 40  # milliseconds a round trip: bytes that belong together arrive together
HOST = "127.0.0.9"
TIMEOUT = 6  # seconds: twice the deadline, for a machine that has other work
PATH, ONE = resource.path("acme"), resource.path("acme", "{id}")
CAN_BE_DELETED = f"DELETE {resource.path('{tenant}', '{id}')}" in ROUTE_KEYS
TCP_HANDSHAKE = 1


@pytest.fixture(scope="module")
def proxy(postgres, certificates, tmp_path_factory):
    running = stand_in_before(postgres, certificates, tmp_path_factory.mktemp("proxy"), percent=20, host=HOST)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def network(proxy):
    with Forwarder(("127.0.0.1", proxy.port), delay_ms=DELAY, listen=(HOST, proxy.port)) as forwarder:
        yield forwarder


@pytest.fixture
def service(proxy, network, tmp_path):
    with environment(proxy, tmp_path) as running:
        running.wait_until_ready()
        yield Service(running)


def logged(tmp_path):
    """The lines that requests logged."""
    lines = (json.loads(line) for line in (tmp_path / "function.log").read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line.get("message") == "request"]


def test_the_first_request_of_an_environment_takes_six_round_trips(proxy, network, tmp_path):
    with environment(proxy, tmp_path) as cold:
        assert Service(cold).request("GET", "/health").status == 200
    assert (network.connections, TCP_HANDSHAKE + network.turns) == (1, 6)


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("GET", "/health", None, 200),
        ("POST", PATH, resource.body("a"), 201),
        ("GET", PATH, None, 200),
        ("GET", ONE, None, 200),
        *([(resource.CHANGE, ONE, resource.body("b"), 200)] if resource.CHANGE else []),
        *([("DELETE", ONE, None, 204)] if CAN_BE_DELETED else []),
    ],
)
def test_a_warm_request_takes_one_round_trip(service, network, method, target, body, status):
    id = service.request("POST", PATH, resource.body("a")).body["id"]
    answers = []
    counts = network.count(lambda: answers.append(service.request(method, target.format(id=id), body)))
    assert answers[0].status == status
    assert (counts.connections, counts.turns) == (0, 1)


def test_a_write_to_several_tables_takes_one_round_trip_and_is_atomic(proxy, network, postgres, monkeypatch):
    """What a fork does whose request writes more than one row: one statement, with WITH."""
    with as_superuser(postgres) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS entry (made uuid, what text); GRANT ALL ON entry TO application")
    for name, value in proxy.variables.items():
        monkeypatch.setenv(name, value)
    both = f"WITH entered AS (INSERT INTO entry VALUES (%(id)s, %(what)s)) {resource.ADD} RETURNING id::text"
    database, id = Database(Settings.from_environment()), str(uuid.uuid4())
    row = {"tenant": "acme", "id": id, "text": "a"}
    with database.session(Deadline(3)) as session:
        session.one("SELECT 1", {}, idempotent=True)
        counts = network.count(lambda: session.one(both, {**row, "what": "made"}, idempotent=False))
        with pytest.raises(psycopg.errors.UniqueViolation):
            session.one(both, {**row, "what": "made again"}, idempotent=False)
    database.close()
    assert counts.turns == 1
    with as_superuser(postgres) as connection:
        assert connection.execute("SELECT what FROM entry WHERE made = %s", [id]).fetchall() == [("made",)]
        connection.execute("DROP TABLE entry")


def test_a_request_that_is_refused_costs_no_round_trip(service, network):
    counts = network.count(lambda: service.request("POST", PATH, resource.body(5)))
    assert counts.turns == 0


def test_n_environments_open_n_connections_over_any_number_of_requests(proxy, network, tmp_path):
    network.delay_ms = 0

    def twenty_requests(number):
        (tmp_path / str(number)).mkdir()
        with environment(proxy, tmp_path / str(number)) as running:
            return {Service(running).request("GET", PATH).status for _ in range(20)}

    with ThreadPoolExecutor(5) as together:
        assert list(together.map(twenty_requests, range(5))) == [{200}] * 5
    assert network.connections == 5


@pytest.mark.parametrize("end", ["reset_all", "close_all"])
def test_a_connection_killed_between_requests_costs_no_request_and_no_extra_round_trip(service, network, end, tmp_path):
    assert service.request("GET", "/health").status == 200
    getattr(network, end)()
    answers = []
    counts = network.count(lambda: answers.append(service.request("GET", "/health")))
    assert answers[0].status == 200
    assert (counts.connections, TCP_HANDSHAKE + counts.turns) == (1, 6)  # what a new connection takes, nothing wasted
    line = logged(tmp_path)[-1]
    assert (line["Reconnects"], line["Retries"]) == (1, 0)


def test_a_create_whose_answer_was_lost_is_stored_once_and_answered_201(service, network, postgres, tmp_path):
    tenant = f"lost-{uuid.uuid4().hex[:8]}"
    network.cut_next_answer()
    answer = service.request("POST", resource.path(tenant), resource.body("once"))
    assert answer.status == 201
    with as_superuser(postgres) as connection:
        rows = connection.execute(f"SELECT id::text FROM {resource.TABLE} WHERE tenant = %s", [tenant]).fetchall()
    assert rows == [(answer.body["id"],)]
    assert logged(tmp_path)[-1]["Retries"] == 1


@pytest.mark.skipif(not CAN_BE_DELETED, reason="nothing deletes one")
def test_a_delete_whose_answer_was_lost_is_answered_204(service, network):
    id = service.request("POST", PATH, resource.body("a")).body["id"]
    network.cut_next_answer()
    assert service.request("DELETE", resource.path("acme", id)).status == 204


def ask(service):
    event = {"routeKey": "GET /health", "requestContext": {"http": {"method": "GET", "path": "/health"}}}
    answer = service.environment.invoke(event, TIMEOUT)
    return answer["statusCode"], answer["headers"].get("retry-after")


def test_a_network_that_swallows_everything_is_a_503_in_time_and_recovers(service, network, tmp_path):
    assert ask(service) == (200, None)
    network.black_hole()
    assert ask(service) == (503, "1")  # on the connection that was open
    assert ask(service) == (503, "1")  # on new ones
    network.heal()
    assert ask(service) == (200, None)
    assert [line["DeadlineExceeded"] for line in logged(tmp_path)] == [0, 1, 1, 0]


def test_a_function_that_starts_in_a_black_hole_answers_in_time_and_recovers(proxy, network, tmp_path):
    network.black_hole()
    with environment(proxy, tmp_path) as cold:
        cold.wait_until_ready()
        assert ask(Service(cold)) == (503, "1")
        network.heal()
        assert ask(Service(cold)) == (200, None)


def test_the_deadline_is_cut_to_what_the_invocation_has_left(service, network):
    assert ask(service) == (200, None)
    network.black_hole()
    event = {"routeKey": "GET /health", "requestContext": {"http": {"method": "GET", "path": "/health"}}}
    # One second is all that Lambda gives; a deadline of three would be a timeout without an answer.
    assert service.environment.invoke(event, 1)["statusCode"] == 503
    network.heal()


def test_a_refusing_network_is_a_503_and_recovers(service, network):
    assert ask(service) == (200, None)
    network.refuse()
    network.reset_all()
    assert ask(service) == (503, "1")
    network.heal()
    assert ask(service) == (200, None)

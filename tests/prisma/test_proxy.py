"""The function on Prisma keeps the rules that RDS Proxy needs, and shares tables and cursors with Python's."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.forwarder import Forwarder
from tests.conftest import as_superuser, stand_in_before
from tests.prisma.fixtures import QUICK, OnPrisma, started
from tests.service import Service, environment

HOST = "127.0.0.18"
DELAY = 40  # milliseconds a round trip: bytes that belong together arrive together


@pytest.fixture(scope="module")
def proxy(postgres, certificates, tmp_path_factory):
    """A stand-in of this module's own, whose log nobody else writes; it is strict about what pins."""
    running = stand_in_before(postgres, certificates, tmp_path_factory.mktemp("proxy"), percent=20, host=HOST)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def network(proxy):
    with Forwarder(("127.0.0.1", proxy.port), listen=(HOST, proxy.port)) as forwarder:
        yield forwarder


@pytest.fixture
def service(proxy, network, tmp_path):
    with environment(OnPrisma(proxy.variables), tmp_path) as running:
        running.wait_until_ready()
        yield Service(running)


@pytest.fixture
def tenant():
    return f"tenant-{uuid.uuid4().hex[:8]}"


def every_request(service, tenant):
    """Each operation, and each way that it ends."""
    projects = f"/tenants/{tenant}/projects"
    first, second = (service.request("POST", projects, {"name": name}).body for name in ("first", "second"))
    path = f"{projects}/{first['id']}"
    return [
        service.request("POST", projects, {"name": "again", "id": first["id"]}).status,
        service.request("GET", path).status,
        service.request("GET", f"{projects}?limit=1").status,
        service.request("PATCH", path, {"name": "changed", "version": 1}).status,
        service.request("PATCH", path, {"name": "changed", "version": 1}).status,
        service.request("DELETE", path).status,
        service.request("DELETE", path).status,
        service.request("GET", path).status,
        service.request("PATCH", path, {"name": "gone"}).status,
        service.request("DELETE", f"{projects}/{second['id']}").status,
        service.request("GET", "/health").status,
    ]


ANSWERS = [409, 200, 200, 200, 409, 204, 404, 404, 404, 204, 200]


def test_nothing_that_the_function_sends_pins_a_connection(service, proxy, tenant):
    assert every_request(service, tenant) == ANSWERS
    assert "pinned" not in proxy.log.read_text()


def test_a_refused_request_does_not_cost_the_connection(service, network, tenant):
    """adapter-pg gives up its connection after every error of PostgreSQL, so nothing that is refused may be one."""
    assert service.request("GET", "/health").status == 200
    counts = network.count(lambda: every_request(service, tenant))
    assert counts.connections == 0


def test_n_environments_open_n_connections_over_any_number_of_requests(proxy, network, tmp_path):
    def twenty_requests(number):
        (tmp_path / str(number)).mkdir()
        with environment(OnPrisma(proxy.variables), tmp_path / str(number)) as running:
            return {Service(running).request("GET", "/tenants/acme/projects").status for _ in range(20)}

    with ThreadPoolExecutor(3) as together:
        assert list(together.map(twenty_requests, range(3))) == [{200}] * 3
    assert network.connections == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "round_trips"),
    [
        ("GET", "/health", None, 1),
        ("GET", "/tenants/acme/projects", None, 1),
        ("POST", "/tenants/acme/projects", {"name": "a"}, 1),
        ("PATCH", "/tenants/acme/projects/{id}", {"name": "b", "version": 1}, 1),
        ("PATCH", "/tenants/acme/projects/{id}", {"name": "b", "version": 9}, 2),  # the second asks for the version
        ("DELETE", "/tenants/acme/projects/{id}", None, 1),
    ],
)
def test_a_warm_request_is_one_round_trip_unless_it_is_refused(service, network, method, path, body, round_trips):
    id = service.request("POST", "/tenants/acme/projects", {"name": "a"}).body["id"]
    network.delay_ms = DELAY
    counts = network.count(lambda: service.request(method, path.format(id=id), body))
    assert (counts.connections, counts.turns) == (0, round_trips)


def test_an_environments_first_request_takes_seven_round_trips(proxy, network, tmp_path):
    network.delay_ms = DELAY
    with started(OnPrisma(proxy.variables), tmp_path) as running:
        assert running.health() == (200, None)
    assert network.connections + network.turns == 7  # docs/options/prisma.md says so


def test_a_connection_older_than_allowed_is_replaced(proxy, network, tmp_path):
    with environment(OnPrisma(proxy.variables), tmp_path, DB_CONNECTION_MAX_AGE_SECONDS="0.001") as running:
        running.wait_until_ready()
        counts = network.count(lambda: Service(running).request("GET", "/health"))
        assert counts.connections == 1
    line = json.loads((tmp_path / "function.log").read_text().splitlines()[-1])
    assert (line["Reconnects"], line["Retries"]) == (1, 0)


CLOCK = """
import {{ readFileSync }} from "node:fs";
const Real = Date, now = () => Real.now() + Number(readFileSync("{file}", "utf8"));
globalThis.Date = class extends Real {{
  constructor(...words) {{ super(...(words.length ? words : [now()])); }}
  static now() {{ return now(); }}
}};
"""


def test_each_connection_has_a_token_of_its_own(proxy, network, tmp_path):
    """By a clock that is late: a token that it dates has expired when it is made."""
    late, clock = tmp_path / "late", tmp_path / "clock.mjs"
    clock.write_text(CLOCK.format(file=late))

    def is_right_by(minutes):
        late.write_text(str(-60_000 * minutes))

    is_right_by(0)
    store = OnPrisma({**proxy.variables, **QUICK, "NODE_OPTIONS": f"--import {clock.as_uri()}"})
    with started(store, tmp_path) as running:
        assert running.health() == (200, None)
        is_right_by(20)
        assert running.health() == (200, None)  # on the connection that was open
        network.reset_all()
        assert running.health() == (503, "1")
        is_right_by(0)
        assert running.health() == (200, None)
    assert "X-Amz-" not in (tmp_path / "function.log").read_text()


def test_of_two_changes_in_one_millisecond_none_is_lost(service, proxy, tmp_path, tenant):
    """By a clock that stands still: each environment gives its n-th change the same time as the others theirs."""
    clock, when = tmp_path / "clock.mjs", int(time.time() * 1000)
    clock.write_text(f"Date.now = () => {when};")
    store, path = (
        OnPrisma({**proxy.variables, "NODE_OPTIONS": f"--import {clock.as_uri()}"}),
        f"/tenants/{tenant}/projects",
    )
    project = service.request("POST", path, {"name": "new"}).body
    path += f"/{project['id']}"
    with environment(store, tmp_path) as first, environment(store, tmp_path) as second:
        one, other = Service(first), Service(second)
        assert one.request("PATCH", path, {"name": "one", "version": 1}).status == 200
        assert other.request("PATCH", path, {"name": "other", "version": 1}).status == 409
        assert one.request("PATCH", path, {"name": "one"}).body["version"] == 3
        answer = other.request("PATCH", path, {"name": "other"})
    assert (answer.body["name"], answer.body["version"]) == ("other", 4)


def test_a_list_that_began_in_one_language_goes_on_in_the_other(service, proxy, tmp_path, tenant):
    """One table, one kind of cursor: a fork can move from one to the other under load."""
    (tmp_path / "python").mkdir()
    with environment(proxy, tmp_path / "python") as running:
        python, projects = Service(running), f"/tenants/{tenant}/projects"
        made = [
            writer.request("POST", projects, {"name": str(number)}).body["id"]
            for number, writer in enumerate((python, service, python, python, service))
        ]
        for first, second in ((python, service), (service, python)):
            page = first.request("GET", f"{projects}?limit=3").body
            rest = second.request("GET", f"{projects}?limit=3&cursor={page['next_cursor']}").body
            assert [each["id"] for each in page["items"] + rest["items"]] == made
            assert "next_cursor" not in rest


def test_projects_that_differ_by_a_microsecond_are_each_listed_once(service, postgres, tenant):
    """Prisma's times have milliseconds; the list's order, and its cursors, have all that PostgreSQL keeps."""
    with as_superuser(postgres) as connection:
        connection.execute(
            "INSERT INTO project SELECT %s, gen_random_uuid(), n::text, 1, t, t FROM generate_series(1, 7) n, "
            "LATERAL (SELECT '2026-11-22 12:00:00Z'::timestamptz + n * interval '1 microsecond' AS t)",
            [tenant],
        )
    names, cursor = [], ""
    while cursor is not None:
        page = service.request("GET", f"/tenants/{tenant}/projects?limit=2{cursor and f'&cursor={cursor}'}").body
        names += [each["name"] for each in page["items"]]
        assert len(names) <= 7, names
        cursor = page.get("next_cursor")
    assert names == [str(number) for number in range(1, 8)]


def test_a_function_without_its_variables_is_told_all_that_is_missing(proxy, tmp_path):
    variables = {name: value for name, value in proxy.variables.items() if name not in ("DB_HOST", "DB_PORT")}
    with environment(OnPrisma(variables), tmp_path) as running:
        running.process.wait(20)
    assert (
        "missing environment variables: DB_HOST, DB_PORT; set them on the function"
        in (tmp_path / "function.log").read_text()
    )


def test_a_function_with_wrong_variables_is_told_all_that_is_wrong(proxy, tmp_path):
    wrong = {"DB_PORT": "many", "DB_DEADLINE_SECONDS": "-1"}
    with environment(OnPrisma(proxy.variables), tmp_path, **wrong) as running:
        running.process.wait(20)
    log = (tmp_path / "function.log").read_text()
    assert 'DB_DEADLINE_SECONDS is "-1"' in log
    assert 'DB_PORT is "many"' in log

"""docs/options/planetscale.md says what each request costs in round trips: counted here, where the bytes pass."""

import re
import uuid

import pytest

from benchmarks.forwarder import Forwarder
from tests.conftest import ROOT
from tests.planetscale.fixtures import LocalPlanetScale, url
from tests.service import Service, environment

DELAY = 40  # milliseconds a round trip: bytes that belong together arrive together
# The TCP handshake, and the server's greeting, which comes unasked and which the client waits for.
BEFORE_THE_CLIENT_SPEAKS = 2
HEADER = ("request", "round trips")


@pytest.fixture
def network(mariadb):
    with Forwarder((mariadb.instance.address, mariadb.instance.port), delay_ms=DELAY) as forwarder:
        yield forwarder


@pytest.fixture
def service(mariadb, local_aws, network, tmp_path):
    planetscale = LocalPlanetScale(mariadb, local_aws)
    planetscale.put_secret(url(*network.address))
    with environment(planetscale, tmp_path) as running:
        running.wait_until_ready()
        yield Service(running)


def rows(service, network):
    connecting = network.turns
    projects = f"/tenants/{uuid.uuid4().hex[:12]}/projects"
    ids = [service.request("POST", projects, {"name": "a"}).body["id"] for _ in range(3)]
    requests = {
        "create": ("POST", projects, {"name": "b"}),
        "list, a page with a cursor": ("GET", f"{projects}?limit=2", None),
        "get": ("GET", f"{projects}/{ids[0]}", None),
        "patch": ("PATCH", f"{projects}/{ids[0]}", {"name": "c"}),
        "delete": ("DELETE", f"{projects}/{ids[0]}", None),
        "a request that is refused (400, by its form)": ("POST", projects, {"name": 5}),
        "health": ("GET", "/health", None),
    }
    for name, request in requests.items():
        counts = network.count(lambda request=request: service.request(*request))
        assert counts.connections == 0
        yield name, str(counts.turns)
    assert network.connections == 1
    yield "to connect, before the first request", str(BEFORE_THE_CLIENT_SPEAKS + connecting)


def test_the_documents_table_of_costs_is_what_was_counted(service, network):
    lines = [f"| {' | '.join(row)} |" for row in (HEADER, ["---"] * len(HEADER), *rows(service, network))]
    expected = "\n".join(lines)
    text = (ROOT / "docs" / "options" / "planetscale.md").read_text()
    found = re.search(r"<!-- costs -->\n\n?(.*?)\n?<!-- /costs -->", text, re.DOTALL)
    assert found, "docs/options/planetscale.md has lost the markers of its table of costs"
    assert found[1].strip() == expected, f"put this between the markers:\n\n{expected}\n"

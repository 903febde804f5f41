"""docs/options/neon.md says what the way to a database outside the account costs in round trips: counted here."""

import contextlib
import re
from urllib.parse import urlsplit

import pytest

from benchmarks.forwarder import Forwarder
from lambda_src.database import connection
from lambda_src.deadline import Deadline
from lambda_src.neon import http
from lambda_src.neon.settings import Settings
from tests.conftest import APPLICATION, DATABASE, PASSWORD, ROOT
from tests.neon.fixtures import ByUrl

DELAY = 40  # milliseconds a round trip: bytes that belong together arrive together
HEADER = ("round trips", "connection", "http")


@pytest.fixture
def counted(neon_servers, local_aws, certificates, monkeypatch):
    """The round trips of each step of an execution environment's life, handshakes included, by mode."""

    def count(mode):
        with contextlib.ExitStack() as stack:
            port = neon_servers.pooled_port if mode == "connection" else neon_servers.sql.port
            network = stack.enter_context(Forwarder(("127.0.0.1", port), delay_ms=DELAY))
            aws = urlsplit(local_aws.endpoint)
            secrets = stack.enter_context(Forwarder((aws.hostname, aws.port)))
            port = network.address[1]
            url = neon_servers.url(APPLICATION, PASSWORD, DATABASE, port=port)
            way = ByUrl(neon_servers, local_aws, certificates, mode, url, f"https://localhost:{port}/sql")
            for name, value in {**way.variables, "AWS_ENDPOINT_URL": "http://{}:{}".format(*secrets.address)}.items():
                monkeypatch.setenv(name, value)
            settings = Settings.from_environment()
            database = http.Database(settings) if mode == "http" else connection.Database(settings)
            stack.callback(database.close)

            def ask():
                with database.session(Deadline(5)) as session:
                    assert session.one("SELECT 1", {}, idempotent=True) == (1,)

            # Together: the end of TLS's handshake travels with whatever comes next.
            first, later = (network.count(ask).round_trips for _ in range(2))
            # The local AWS speaks without TLS, whose handshake is one more.
            return secrets.connections + secrets.turns + 1, first, later

    return {mode: count(mode) for mode in HEADER[1:]}


def test_the_documents_table_of_round_trips_is_what_was_counted(counted):
    steps = ("the secret, once", "connecting, and the first statement", "each statement after that")
    rows = [(step, *(str(counted[mode][number]) for mode in HEADER[1:])) for number, step in enumerate(steps)]
    expected = "\n".join(f"| {' | '.join(row)} |" for row in (HEADER, ["---"] * len(HEADER), *rows))
    text = (ROOT / "docs" / "options" / "neon.md").read_text()
    found = re.search(r"<!-- round trips -->\n\n?(.*?)\n?<!-- /round trips -->", text, re.DOTALL)
    assert found, "docs/options/neon.md has lost the markers of its table of round trips"
    assert found[1].strip() == expected, f"put this between the markers:\n\n{expected}\n"

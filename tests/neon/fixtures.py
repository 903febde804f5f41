"""A PostgreSQL outside the account: Neon's endpoints before a real one, and the URL in the local Secrets Manager."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.neon.servers import Neon
from local.postgres import Server
from tests.conftest import APPLICATION, DATABASE, PASSWORD
from tests.debian import program
from tests.local.aws_emulator import REGION, Emulator

CONTRACT = {"neon": "neon", "neon-http": "neon_http"}  # name -> the fixture that tests/contract asks for


@dataclass
class ByUrl:
    """The way of a function to `neon`, by a secret of its own."""

    neon: Neon
    emulator: Emulator
    certificates: Path
    mode: str
    url: str = ""
    sql_endpoint: str = ""
    secret: str = field(default_factory=lambda: f"headroom/{uuid.uuid4().hex}")

    def __post_init__(self) -> None:
        self.url = self.url or self.neon.url(APPLICATION, PASSWORD, DATABASE)
        self.sql_endpoint = self.sql_endpoint or self.neon.sql_endpoint
        text = json.dumps({"url": self.url, "sql_endpoint": self.sql_endpoint})
        self.emulator.client("secretsmanager").create_secret(Name=self.secret, SecretString=text)

    def put(self, url: str) -> None:
        """Give the secret another URL."""
        text = json.dumps({"url": url, "sql_endpoint": self.sql_endpoint})
        self.emulator.client("secretsmanager").put_secret_value(SecretId=self.secret, SecretString=text)

    @property
    def variables(self) -> dict[str, str]:
        """A function's environment variables, its platform's included."""
        return {
            "AWS_ENDPOINT_URL": self.emulator.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "STORE": "lambda_src.neon.store",
            "DB_SECRET_NAME": self.secret,
            "DB_CONNECT_TIMEOUT_SECONDS": "2",
            "DB_DEADLINE_SECONDS": "3",
            "DB_CONNECTION_MAX_AGE_SECONDS": "240",
            "NEON_MODE": self.mode,
            "SSL_CERT_FILE": str(self.certificates / "ca.pem"),
        }


@pytest.fixture(scope="session")
def neon_servers(postgres: Server, certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neon]:
    """What stands in for Neon before `postgres`."""
    program("pgbouncer", package="pgbouncer")
    with Neon(postgres, certificates, tmp_path_factory.mktemp("neon")) as running:
        yield running


@pytest.fixture(scope="session")
def neon(neon_servers: Neon, local_aws: Emulator, certificates: Path) -> ByUrl:
    """A function's way through the pooler."""
    return ByUrl(neon_servers, local_aws, certificates, "connection")


@pytest.fixture(scope="session")
def neon_http(neon_servers: Neon, local_aws: Emulator, certificates: Path) -> ByUrl:
    """A function's way by SQL over HTTP."""
    return ByUrl(neon_servers, local_aws, certificates, "http")

"""The function on Prisma, over each of its three ways to a database."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from local.certificates import server_certificate
from local.execution_environment import ExecutionEnvironment
from local.postgres import Server
from local.prisma.node import HANDLER, counterpart, runtime_client
from stacks.options.prisma.build import built, installed
from tests.conftest import DATABASE, PASSWORD, StandIn, as_superuser
from tests.local.aws_emulator import REGION, Emulator
from tests.service import Service, environment

# name -> the fixture that tests/contract asks for
CONTRACT = {
    "prisma-proxy": "prisma_proxy",
    "prisma-websocket": "prisma_websocket",
    "prisma-accelerate": "prisma_accelerate",
}
API_KEY = "not a secret either"
TIMEOUT = 5  # seconds; a request that takes longer fails its test: for a machine with other work
QUICK = {"DB_DEADLINE_SECONDS": "1.5", "DB_CONNECT_TIMEOUT_SECONDS": "1"}  # where it is waited for often


@dataclass
class OnPrisma:
    """A function, and how it is told of its database."""

    variables: dict[str, str]
    task_root: Path = field(default_factory=built)
    handler: str = HANDLER
    runtime_client: list[str] = field(default_factory=runtime_client)


@pytest.fixture(scope="session")
def prisma_proxy(stand_in: StandIn) -> OnPrisma:
    return OnPrisma(stand_in.variables)


class LoggedService(Service):
    """A service whose log can be read."""

    def __init__(self, running: ExecutionEnvironment, log: Path) -> None:
        super().__init__(running)
        self._log = log

    def health(self, seconds: float = TIMEOUT) -> tuple[int, str | None]:
        """The status, and the seconds after which to try again; FunctionError where it takes longer."""
        event = {"routeKey": "GET /health", "requestContext": {"http": {"method": "GET", "path": "/health"}}}
        answer = self.environment.invoke(event, seconds)
        return answer["statusCode"], answer["headers"].get("retry-after")

    def log(self) -> str:
        return self._log.read_text()

    def last(self, count: int = 1) -> list[dict[str, object]]:
        """The log's lines about the last requests."""
        lines = [json.loads(line) for line in self.log().splitlines()]
        return [line for line in lines if line["message"] == "request"][-count:]


@contextmanager
def started(store: OnPrisma, directory: Path, **changed: str) -> Iterator[LoggedService]:
    """A function that has initialised."""
    with environment(store, directory, **changed) as running:
        running.wait_until_ready()
        yield LoggedService(running, directory / "function.log")


def websocket_role(postgres: Server) -> str:
    """A user with the application's rights, who sends the password as it is: TLS is around it, as at Neon."""
    role = "over_websocket"
    access = postgres.directory / "data" / "pg_hba.conf"
    access.write_text(f"local all {role} password\n{access.read_text()}")  # the first line that fits is taken
    with as_superuser(postgres) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {role}")
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}' IN ROLE application")
        loaded = "SELECT pg_conf_load_time()"
        (before,) = connection.execute(loaded).fetchone()
        connection.execute("SELECT pg_reload_conf()")
        wait_until(lambda: connection.execute(loaded).fetchone() != (before,))
    return role


@pytest.fixture(scope="session")
def prisma_websocket(postgres: Server, local_aws: Emulator, certificates: Path, tmp_path_factory) -> Iterator[OnPrisma]:
    directory = tmp_path_factory.mktemp("relay")
    certificate, key = server_certificate(certificates, "127.0.0.1")
    upstream = postgres.socket_directory / ".s.PGSQL.5432"
    with counterpart(
        "relay", directory / "log", packages=installed(), certificate=certificate, key=key, upstream=upstream
    ) as port:
        url = f"postgresql://{websocket_role(postgres)}:{quote(PASSWORD)}@database.example.org/{DATABASE}?sslmode=require&channel_binding=require"
        relay = {"NEON_MODE": "connection", "NEON_WEBSOCKET_PROXY": f"127.0.0.1:{port}/v2"}
        yield OnPrisma({**of_secret(local_aws, certificates, url), **relay})


@pytest.fixture(scope="session")
def prisma_accelerate(
    postgres: Server, local_aws: Emulator, certificates: Path, tmp_path_factory
) -> Iterator[OnPrisma]:
    directory = tmp_path_factory.mktemp("executor")
    with executor_before(postgres, certificates, directory) as port:
        url = f"prisma://127.0.0.1:{port}/?api_key={quote(API_KEY)}"
        yield OnPrisma(of_secret(local_aws, certificates, url))


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def executor_before(server: Server, certificates: Path, directory: Path, **options: object):
    certificate, key = server_certificate(certificates, "127.0.0.1")
    where = f"host={quote(str(server.socket_directory))}"
    upstream = f"postgresql://application:{quote(PASSWORD)}@localhost/{DATABASE}?{where}"
    return counterpart(
        "executor",
        directory / "log",
        packages=installed(),
        certificate=certificate,
        key=key,
        upstream=upstream,
        apiKey=API_KEY,
        **options,
    )


def of_secret(local_aws: Emulator, certificates: Path, url: str) -> dict[str, str]:
    """The variables of a function whose database's URL is in a secret, its platform's included."""
    name = f"prisma-{uuid.uuid4().hex[:8]}"
    local_aws.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps({"url": url}))
    return {
        "AWS_ENDPOINT_URL": local_aws.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "DB_SECRET_NAME": name,
        "DB_CONNECT_TIMEOUT_SECONDS": "2",
        "DB_DEADLINE_SECONDS": "3",
        "DB_CONNECTION_MAX_AGE_SECONDS": "240",
        "SSL_CERT_FILE": str(certificates / "ca.pem"),
    }

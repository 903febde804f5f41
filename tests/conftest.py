"""What several folders of tests stand on: a real PostgreSQL with the real migrations, behind the real stand-in."""

import contextlib
import gc
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import psycopg
import pytest
from xdist.scheduler import LoadScopeScheduling

from lambda_src.migrations.handler import MIGRATIONS
from lambda_src.migrations.roles import ensure_roles
from lambda_src.migrations.runner import migrate, read
from lambda_src.routes import ROUTE_KEYS
from local import resource
from local.certificates import root_bundle, server_certificate
from local.postgres import Server
from local.postgres.__main__ import Instance, prepare
from local.postgres.server import SUPERUSER
from stacks import options
from stacks.config import RdsPostgres
from tests.local.aws_emulator import local_aws  # noqa: F401 (a fixture)

ROOT = Path(__file__).parents[1]
DATABASE, MASTER, APPLICATION = "service", "master", "application"
PASSWORD = "not a secret: made for tests"
ACCESS_KEY = {
    "AWS_ACCESS_KEY_ID": "AKIATESTS",
    "AWS_SECRET_ACCESS_KEY": "an access key that is none",
    "AWS_REGION": "us-east-1",
}


CONFIDENTIAL = re.compile(
    "|".join(
        [re.escape(PASSWORD), re.escape(ACCESS_KEY["AWS_SECRET_ACCESS_KEY"]), "X-Amz-Signature=", r"tenant-[0-9a-f]{8}"]
    )
)


# An option's tests are in a folder of its name, with its fixtures; those of a deployment may be asked for there too.
pytest_plugins = ["tests.rehearsal.fixtures", *options.parts("tests", "fixtures").values(), "tests.contract.fixtures"]

# A shell's background jobs ignore Ctrl-C, and so would every program that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Each session of boto3, and nearly each test makes one, reads and parses the models of its services anew: 80 ms of 90.
botocore.session.create_loader = cache(botocore.session.create_loader)

DEPLOYMENTS = ("shapes", "deployed")  # fixtures that several files share
FOLDERS = ("tests/contract", "tests/infrastructure")  # whose files share every kind of server, or every template


class ByDeployment(LoadScopeScheduling):
    """Several workers: a file stays on one, as do all files that share what takes long to make.

    Not `--dist loadgroup`: pytest-xdist 3.8 writes groups into an attribute that pytest 9.2 does not read, so that each
    test would go to any worker.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid.partition("::")[0])


@cache
def group(file: str) -> str:
    """The deployment that a rehearsal asks for, a file's folder, or the one whose servers it asks for, or the file."""
    folder = file.rpartition("/")[0]
    if folder in FOLDERS:
        return folder
    text = (ROOT / file).read_text()
    if "rehearsal" in file:
        return next((name for name in DEPLOYMENTS if asks(text, name)), file)
    return FOLDERS[0] if asks(text, "service") and "def service(" not in text else file


def asks(text: str, fixture: str) -> bool:
    """Whether a test or a fixture of a file has it as a parameter."""
    return re.search(rf"^def \w+\([^)]*\b{fixture}\b", text, re.MULTILINE) is not None


def pytest_configure() -> None:
    """One sentence instead of a hundred failures, where the resource that they ask has gone."""
    asked = [f"POST {resource.ROUTE}", f"GET {resource.ROUTE}", f"GET {resource.ROUTE}/{{id}}"]
    if missing := [route for route in asked if route not in ROUTE_KEYS]:
        raise pytest.UsageError(
            f"local/resource.py names what the tests ask, and lambda_src/routes.py has no {', no '.join(missing)}: "
            "name a resource that it has"
        )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByDeployment:
    return ByDeployment(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest go first."""

    def order(item: pytest.Item) -> tuple[bool, bool, bool]:
        file = item.nodeid.partition("::")[0]
        return group(file) not in DEPLOYMENTS, "rehearsal" not in file, group(file) not in FOLDERS

    items.sort(key=order)


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the garbage collector need not look through it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def nothing_confidential_in_any_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No password, token or key, and nothing of a request, in any log that this run of the tests has written.

    PostgreSQL's own log is left out: there the tests have every statement logged.
    """
    yield
    logs = [path for path in tmp_path_factory.getbasetemp().rglob("*") if path.name == "log" or path.suffix == ".log"]
    leaks = [
        f"{path}:{number}: {found[0]}"
        for path in logs
        if path.is_file() and path.name != "postgresql.log"
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if (found := CONFIDENTIAL.search(line))
    ]
    assert not leaks, "\n".join(leaks[:20])


@pytest.fixture(autouse=True)
def no_credentials_of_an_earlier_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 keeps a session for the whole process, with the credentials that it found first."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificate authority of this run."""
    directory = tmp_path_factory.mktemp("certificates")
    root_bundle(directory)
    return directory


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running PostgreSQL with the service's schema in its database."""
    with migrated_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@contextlib.contextmanager
def migrated_server(directory: Path, *, statement_timeout: float = 2) -> Iterator[Server]:
    instance = Instance(
        directory=str(directory),
        address="127.0.0.1",
        port=0,
        certificates="",
        database=DATABASE,
        master_user=MASTER,
        master_password=PASSWORD,
        parameters={"max_connections": "100", "log_statement": "all"},
    )
    with Server(directory, instance.parameters) as server:
        prepare(server, instance)
        # As on RDS: the master is no superuser.
        with as_master(server) as connection:
            ensure_roles(connection, application=APPLICATION, password=PASSWORD, statement_timeout=statement_timeout)
            migrate(connection, read(MIGRATIONS))
        yield server


def as_superuser(server: Server, database: str = DATABASE) -> psycopg.Connection:
    return psycopg.connect(host=str(server.socket_directory), user=SUPERUSER, dbname=database, autocommit=True)


def as_master(server: Server) -> psycopg.Connection:
    host = str(server.socket_directory)
    return psycopg.connect(host=host, user=MASTER, password=PASSWORD, dbname=DATABASE, autocommit=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@dataclass
class StandIn:
    """A running stand-in for RDS Proxy, and how a function is told of it."""

    command: list[str]
    host: str
    port: int
    certificates: Path
    log: Path
    process: subprocess.Popen[str] | None = None

    @property
    def variables(self) -> dict[str, str]:
        """A function's environment variables, its platform's included."""
        return {
            **ACCESS_KEY,
            "STORE": RdsPostgres.code,
            "DB_HOST": self.host,
            "DB_PORT": str(self.port),
            "DB_NAME": DATABASE,
            "DB_USER": APPLICATION,
            "DB_CONNECT_TIMEOUT_SECONDS": "2",
            "DB_DEADLINE_SECONDS": "3",
            "DB_CONNECTION_MAX_AGE_SECONDS": "240",
            "SSL_CERT_FILE": str(self.certificates / "ca.pem"),
        }

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if not line or not json.loads(line)["ready"]:
            raise RuntimeError(f"the stand-in did not start:\n{self.log.read_text()}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.process.stdout.close()


def stand_in_before(
    server: Server, certificates: Path, directory: Path, *, percent: int, host: str = "127.0.0.1"
) -> StandIn:
    """A stand-in that may use `percent` of the server's connections; not started yet.

    With a `host` of its own it listens on 127.0.0.1 all the same, and is known to clients as `host`: what forwards to
    it can stand there.
    """
    credentials, access_keys = directory / "credentials.json", directory / "access-keys.json"
    credentials.write_text(json.dumps({APPLICATION: PASSWORD}))
    key = {"secret_access_key": ACCESS_KEY["AWS_SECRET_ACCESS_KEY"], "session_token": None}
    access_keys.write_text(json.dumps({ACCESS_KEY["AWS_ACCESS_KEY_ID"]: key}))
    port = free_port()
    certificate, private_key = server_certificate(certificates, host)
    command = [
        *(
            sys.executable,
            "-m",
            "local.rds_proxy",
            "--listen",
            f"127.0.0.1:{port}",
            "--region",
            ACCESS_KEY["AWS_REGION"],
        ),
        *("--endpoint", host, "--tls-certificate", str(certificate), "--tls-key", str(private_key)),
        *("--credentials", str(credentials), "--access-keys", str(access_keys)),
        *("--upstream", str(server.socket_directory), "--connection-borrow-timeout", "1"),
        *("--max-connections-percent", str(percent), "--max-idle-connections-percent", str(percent)),
    ]
    return StandIn(command, host, port, certificates, directory / "log")


@pytest.fixture(scope="session")
def stand_in(postgres: Server, certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """The stand-in before `postgres`, with a pool of 20."""
    running = stand_in_before(postgres, certificates, tmp_path_factory.mktemp("stand-in"), percent=20)
    running.start()
    yield running
    running.stop()

"""A MariaDB with TLS where PlanetScale's MySQL is on the internet, and the secret with its URL in the local AWS."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from lambda_src.deadline import Deadline
from lambda_src.migrations.files import read
from lambda_src.planetscale.connection import Connection, tls_context
from lambda_src.planetscale.migrations import MIGRATIONS, migrate
from lambda_src.planetscale.settings import Login
from local.planetscale.mariadb import PACKAGE, PROGRAM, Instance, Server
from tests.debian import program
from tests.local.aws_emulator import REGION, Emulator

CONTRACT = {"planetscale": "planetscale"}  # name -> the fixture that tests/contract asks for
DATABASE, APPLICATION, MIGRATOR = "projects", "application", "migrator"
PASSWORD = "not a secret: made for tests @:/?#%"  # what a URL must quote


# Of another database than the service's.
MIGRATOR_MAY_CHANGE = "GRANT ALL PRIVILEGES ON {}.* TO 'migrator'@'%'"


def url(host: str, port: int, *, user: str = APPLICATION, password: str = PASSWORD, database: str = DATABASE) -> str:
    return f"mysql://{quote(user, safe='')}:{quote(password, safe='')}@{host}:{port}/{database}"


@dataclass
class LocalPlanetScale:
    """A running MariaDB with the service's schema, its URL in a secret, and how a function is told of it."""

    server: Server
    emulator: Emulator
    secret_name: str = field(default_factory=lambda: f"planetscale/{uuid.uuid4()}")

    def __post_init__(self) -> None:
        instance = self.server.instance
        self.host, self.port = instance.address, instance.port
        self.put_secret(url(self.host, self.port))

    def put_secret(self, value: str) -> None:
        client = self.emulator.client("secretsmanager")
        try:
            client.put_secret_value(SecretId=self.secret_name, SecretString=value)
        except client.exceptions.ResourceNotFoundException:
            client.create_secret(Name=self.secret_name, SecretString=value)

    def url(self, user: str, database: str) -> str:
        return url(self.host, self.port, user=user, database=database)

    @property
    def root_bundle(self) -> str:
        return str(Path(self.server.instance.certificates) / "ca.pem")

    @property
    def variables(self) -> dict[str, str]:
        """A function's environment variables, its platform's included."""
        return {
            "AWS_ENDPOINT_URL": self.emulator.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "DB_SECRET_NAME": self.secret_name,
            "STORE": "lambda_src.planetscale.store",
            "DB_CONNECT_TIMEOUT_SECONDS": "2",
            "DB_DEADLINE_SECONDS": "3",
            "DB_CONNECTION_MAX_AGE_SECONDS": "240",
            "SSL_CERT_FILE": self.root_bundle,
        }


@contextmanager
def migrated_mariadb(directory: Path, certificates: Path, **settings: str) -> Iterator[Server]:
    with mariadb_server(directory, certificates, **settings) as server:
        with as_user(server, MIGRATOR) as migrator:
            migrate(migrator, read(MIGRATIONS))
        yield server


def mariadb_server(directory: Path, certificates: Path, **settings: str) -> Server:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    instance = Instance(
        directory=str(directory),
        address="127.0.0.1",
        port=port,
        certificates=str(certificates),
        database=DATABASE,
        application=PASSWORD,
        migrator=PASSWORD,
        settings=settings,
    )
    return Server(instance, program(PROGRAM, package=PACKAGE))


def as_user(server: Server, user: str, *, database: str = DATABASE, kind: type[Connection] = Connection) -> Connection:
    """A connection as the service makes it."""
    instance = server.instance
    login = Login(host=instance.address, port=instance.port, database=database, user=user, password=PASSWORD)
    tls = tls_context(str(Path(instance.certificates) / "ca.pem"))
    connection = kind.to(login, instance.address, tls, Deadline(10))
    connection.deadline = Deadline(60)
    return connection


def ask(server: Server, statement: str, *parameters: object) -> list[tuple]:
    """What a statement returns to the administrator."""
    with server.administrator() as connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return list(cursor.fetchall())


@pytest.fixture(scope="session")
def mariadb(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with migrated_mariadb(tmp_path_factory.mktemp("mariadb"), certificates) as server:
        yield server


@pytest.fixture(scope="session")
def planetscale(mariadb: Server, local_aws: Emulator) -> LocalPlanetScale:
    """The service's schema, and a secret of its own."""
    return LocalPlanetScale(mariadb, local_aws)

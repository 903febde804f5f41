"""The environment variables that tell a function where its database is."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from lambda_src.database import iam_token
from lambda_src.explained import Explained

# What the template gives the function; a test compares the two. The platform adds AWS_REGION and the credentials.
VARIABLES = (
    "DB_HOST",
    "DB_PORT",
    "DB_NAME",
    "DB_USER",
    "DB_CONNECT_TIMEOUT_SECONDS",
    "DB_DEADLINE_SECONDS",
    "DB_CONNECTION_MAX_AGE_SECONDS",
)


class InvalidSettings(Explained):
    """The function's environment variables are not what the code needs; the message names every one of them."""

    heading = "function-settings"


class Login(NamedTuple):
    """Who logs in where. `channel_binding` is libpq's word: prefer, or require."""

    host: str
    port: int
    database: str
    user: str
    password: str
    channel_binding: str = "prefer"


class Way(Protocol):
    """A way to a PostgreSQL: how long to try (seconds), whom to trust, and as whom to log in."""

    @property
    def connect_timeout(self) -> float:
        """Of one attempt to connect."""

    @property
    def deadline(self) -> float:
        """Of all attempts of one request together."""

    @property
    def connection_max_age(self) -> float:
        """The life of a connection."""

    @property
    def root_bundle(self) -> str:
        """The path of the certificates that the server's certificate must lead to."""

    def login(self, timeout: float) -> Login:
        """The login for a connect that begins now; OSError where it is not to be had within `timeout` seconds."""

    def login_was_refused(self, timeout: float) -> bool:
        """The server refused the last login: whether there is another one, worth an attempt at once.

        To find out takes no longer than `timeout` seconds.
        """


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the database is and how long to try.

    `connect_timeout` bounds one attempt to connect, `deadline` all attempts of one request together, and
    `connection_max_age` the life of a connection; all in seconds. `root_bundle` is the path of the certificates
    that the server's certificate must lead to.
    """

    host: str
    port: int
    database: str
    user: str
    region: str
    connect_timeout: float
    deadline: float
    connection_max_age: float
    root_bundle: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises InvalidSettings that names every variable that is missing or malformed."""
        require((*VARIABLES, "AWS_REGION"), environment)
        problems: list[str] = []
        settings = cls(
            host=environment["DB_HOST"],
            port=int(number(environment, "DB_PORT", problems)),
            database=environment["DB_NAME"],
            user=environment["DB_USER"],
            region=environment["AWS_REGION"],
            connect_timeout=number(environment, "DB_CONNECT_TIMEOUT_SECONDS", problems),
            deadline=number(environment, "DB_DEADLINE_SECONDS", problems),
            connection_max_age=number(environment, "DB_CONNECTION_MAX_AGE_SECONDS", problems),
            root_bundle=root_bundle(environment),
        )
        if not settings.host.isascii():
            problems.append(f"DB_HOST is {settings.host!r}: an ASCII name or an address is needed")
        if problems:
            raise InvalidSettings("; ".join(problems))
        return settings

    def login(self, timeout: float) -> Login:  # noqa: ARG002 (nothing is asked of anybody)
        """With a token minted for each connect: it lives 15 minutes, and signing costs less than remembering."""
        token = iam_token.mint(self.host, self.port, self.user, self.region)
        return Login(self.host, self.port, self.database, self.user, token)

    def login_was_refused(self, timeout: float) -> bool:  # noqa: ARG002 (nothing is asked of anybody)
        """Another token would be refused as this one was."""
        return False


def require(names: tuple[str, ...], environment: Mapping[str, str] = os.environ) -> None:
    """Return when all these environment variables have a value; InvalidSettings names those that have none."""
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise InvalidSettings(f"missing environment variables: {', '.join(missing)}; set them on the function")


def root_bundle(environment: Mapping[str, str] = os.environ) -> str:
    """The path of the root certificates: the one SSL_CERT_FILE names, else certifi's.

    psycopg's wheel carries an OpenSSL of its own whose default path holds no certificate at all, so a path is always
    given. RDS Proxy's certificates lead to Amazon Trust Services, which are in every ordinary bundle.
    """
    if bundle := environment.get("SSL_CERT_FILE"):
        return bundle
    package = find_spec("certifi")  # found, not imported: its import reads package metadata at every cold start
    if package is None or package.origin is None:
        raise InvalidSettings("no root certificates: ship the package certifi, or set SSL_CERT_FILE to a bundle")
    return str(Path(package.origin).with_name("cacert.pem"))


def number(environment: Mapping[str, str], name: str, problems: list[str]) -> float:
    """A positive number; one that is not adds a sentence to `problems`."""
    try:
        number = float(environment[name])
    except ValueError:
        number = 0.0
    if not 0 < number < 86_400:
        problems.append(f"{name} is {environment[name]!r}: a number above 0 and below 86400 is needed")
        return 1.0
    return number

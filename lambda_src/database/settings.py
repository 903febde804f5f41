"""The environment variables that tell a function where its database is."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

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


class InvalidSettings(Exception):
    """The function's environment variables are not what the code needs; the message names every one of them."""


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
        missing = [name for name in (*VARIABLES, "AWS_REGION") if not environment.get(name)]
        if missing:
            raise InvalidSettings(f"missing environment variables: {', '.join(missing)}; set them on the function")
        problems: list[str] = []
        settings = cls(
            host=environment["DB_HOST"],
            port=int(_number(environment, "DB_PORT", problems)),
            database=environment["DB_NAME"],
            user=environment["DB_USER"],
            region=environment["AWS_REGION"],
            connect_timeout=_number(environment, "DB_CONNECT_TIMEOUT_SECONDS", problems),
            deadline=_number(environment, "DB_DEADLINE_SECONDS", problems),
            connection_max_age=_number(environment, "DB_CONNECTION_MAX_AGE_SECONDS", problems),
            root_bundle=root_bundle(environment),
        )
        if not settings.host.isascii():
            problems.append(f"DB_HOST is {settings.host!r}: an ASCII name or an address is needed")
        if problems:
            raise InvalidSettings("; ".join(problems))
        return settings


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


def _number(environment: Mapping[str, str], name: str, problems: list[str]) -> float:
    """A positive number; one that is not adds a sentence to `problems`."""
    try:
        number = float(environment[name])
    except ValueError:
        number = 0.0
    if not 0 < number < 86_400:
        problems.append(f"{name} is {environment[name]!r}: a number above 0 and below 86400 is needed")
        return 1.0
    return number

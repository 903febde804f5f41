"""What tells a function where its MySQL is: environment variables, and the URL in the secret that they name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from lambda_src.database.secret_url import SecretUnavailable, read_fields
from lambda_src.database.settings import InvalidSettings, number, require, root_bundle

# What the template gives the function; a test compares the two. The platform adds AWS_REGION and the credentials.
VARIABLES = (
    "DB_SECRET_NAME",
    "DB_CONNECT_TIMEOUT_SECONDS",
    "DB_DEADLINE_SECONDS",
    "DB_CONNECTION_MAX_AGE_SECONDS",
)
PORT = 3306
# What URLs say of TLS for other drivers. Here the certificate and the host's name are always verified.
SAYS_THE_SAME = {
    ("ssl", '{"rejectUnauthorized":true}'),
    ("ssl-mode", "VERIFY_IDENTITY"),
    ("sslaccept", "strict"),
    ("sslmode", "VERIFY_IDENTITY"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the URL is and how long to try.

    `connect_timeout` bounds one attempt to connect, `deadline` all attempts of one request together, and
    `connection_max_age` the life of a connection; all in seconds. `root_bundle` is the path of the certificates
    that the server's certificate must lead to.
    """

    secret_name: str
    connect_timeout: float
    deadline: float
    connection_max_age: float
    root_bundle: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises InvalidSettings that names every variable that is missing or malformed."""
        require(VARIABLES, environment)
        problems: list[str] = []
        settings = cls(
            secret_name=environment["DB_SECRET_NAME"],
            connect_timeout=number(environment, "DB_CONNECT_TIMEOUT_SECONDS", problems),
            deadline=number(environment, "DB_DEADLINE_SECONDS", problems),
            connection_max_age=number(environment, "DB_CONNECTION_MAX_AGE_SECONDS", problems),
            root_bundle=root_bundle(environment),
        )
        if problems:
            raise InvalidSettings("; ".join(problems))
        return settings


@dataclass(frozen=True, kw_only=True)
class Login:
    """What the URL says. None of it is for a log."""

    host: str
    port: int
    database: str
    user: str = field(repr=False)
    password: str = field(repr=False)

    @classmethod
    def read(cls, secret_name: str, timeout: float) -> Self:
        """What the secret holds now; raises SecretUnavailable, whose message never shows a part of the URL.

        `timeout` is in seconds, for connecting and for each wait after that.
        """
        try:
            return cls.of(read_fields(secret_name, timeout)["url"])
        except ValueError as error:
            raise SecretUnavailable(f"secret {secret_name}: {error}") from None

    @classmethod
    def of(cls, url: str) -> Self:
        """The parts of a URL such as mysql://user:password@host/database; ValueError names what is wrong with it."""
        parts = _split(url)
        missing = [
            name
            for name, value in {
                "user": parts.username,
                "password": parts.password,
                "host": parts.hostname,
                "database": parts.path.strip("/"),
            }.items()
            if not value
        ]
        if parts.scheme != "mysql" or missing:
            lack = f" and has no {', no '.join(missing)}" if missing else ""
            raise ValueError(
                f"the URL begins with {parts.scheme}://{lack}; mysql://user:password@host/database is needed"
            )
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            if (name, value.replace(" ", "")) not in SAYS_THE_SAME:
                raise ValueError(f"the URL's parameter {name} is not known here: leave it out, TLS is always verified")
        return cls(
            host=parts.hostname or "",
            port=parts.port or PORT,
            database=unquote(parts.path.strip("/")),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # its text may quote the URL
        raise ValueError("the URL's host or port is malformed") from None
    if not (parts.hostname or "").isascii():
        raise ValueError("the URL's host is no ASCII name or address")
    if not parts.scheme:
        raise ValueError("something stands before the URL: leave out quotes, a variable's name, a command")
    return parts

"""The environment variables that tell a function where its URL is, and the URL: read once, and again when refused."""

import logging
import os
import time
from collections.abc import Mapping
from typing import Self

from lambda_src.database.secret_url import SecretUnavailable, read_fields
from lambda_src.database.settings import InvalidSettings, Login, number, require, root_bundle
from lambda_src.neon.url import Url

logger = logging.getLogger(__name__)

# What the template gives the function; a test compares the two. The platform adds AWS_REGION and the credentials.
VARIABLES = (
    "DB_SECRET_NAME",
    "DB_CONNECT_TIMEOUT_SECONDS",
    "DB_DEADLINE_SECONDS",
    "DB_CONNECTION_MAX_AGE_SECONDS",
    "NEON_MODE",
)
MODES = ("connection", "http")
BETWEEN_READS = 1.0  # seconds: whoever is refused again and again does not ask for the secret each time


class Settings:
    """Where the database is and how long to try: a way to it, as lambda_src.database.settings.Way says.

    Its environment's secret is read at the first connect, kept, and read anew when the database refuses its password.
    """

    def __init__(
        self,
        *,
        secret_name: str,
        mode: str,
        connect_timeout: float,
        deadline: float,
        connection_max_age: float,
        root_bundle: str,
    ) -> None:
        self.mode = mode
        self.connect_timeout = connect_timeout
        self.deadline = deadline
        self.connection_max_age = connection_max_age
        self.root_bundle = root_bundle
        self._secret_name = secret_name
        self._fields: dict[str, str] | None = None
        self._read_anew_at = -BETWEEN_READS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises InvalidSettings that names every variable that is missing or malformed."""
        require((*VARIABLES, "AWS_REGION"), environment)
        problems: list[str] = []
        settings = cls(
            secret_name=environment["DB_SECRET_NAME"],
            mode=environment["NEON_MODE"],
            connect_timeout=number(environment, "DB_CONNECT_TIMEOUT_SECONDS", problems),
            deadline=number(environment, "DB_DEADLINE_SECONDS", problems),
            connection_max_age=number(environment, "DB_CONNECTION_MAX_AGE_SECONDS", problems),
            root_bundle=root_bundle(environment),
        )
        if settings.mode not in MODES:
            problems.append(f"NEON_MODE is {settings.mode!r}: {' or '.join(MODES)} is needed")
        if problems:
            raise InvalidSettings("; ".join(problems))
        return settings

    def login(self, timeout: float) -> Login:
        """The login that the secret holds; SecretUnavailable where it is not to be had within `timeout` seconds."""
        url = self.url(timeout)
        return Login(url.host, url.port, url.database, url.user, url.password, url.channel_binding)

    def login_was_refused(self, timeout: float) -> bool:
        """Read the secret anew, at most once a second; whether it holds something else now."""
        if time.monotonic() - self._read_anew_at < BETWEEN_READS:
            return False
        self._read_anew_at = time.monotonic()
        before = self._fields
        try:
            self._fields = self._read(min(self.connect_timeout, timeout))
        except SecretUnavailable as error:
            logger.warning("secret not read", extra={"error": str(error)})
        return before is not None and self._fields != before

    def url(self, timeout: float) -> Url:
        """The parts of the URL."""
        try:
            return Url.of(self.fields(timeout)["url"])
        except ValueError as error:
            raise SecretUnavailable(f"secret {self._secret_name}: {error}") from None

    def sql_endpoint(self, timeout: float) -> str:
        """Where SQL over HTTP goes: what the secret says under `sql_endpoint`, or what follows from the URL."""
        return self.fields(timeout).get("sql_endpoint") or self.url(timeout).sql_endpoint

    def fields(self, timeout: float) -> dict[str, str]:
        """What the secret holds, read if it was not yet."""
        if self._fields is None:
            self._fields = self._read(timeout)
        return self._fields

    def _read(self, timeout: float) -> dict[str, str]:
        logger.info("reading the secret", extra={"secret": self._secret_name})
        return read_fields(self._secret_name, timeout)

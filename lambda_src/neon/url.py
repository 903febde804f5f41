"""What the URL of a PostgreSQL says. No message here shows a part of it that is not named in the documentation."""

from typing import NamedTuple, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

PORT = 5432
PLANETSCALE_POOLER = 6432  # PlanetScale Postgres: PgBouncer is on the same host as the database, which is on PORT
PLANETSCALE_HOST = ".psdb.cloud"
# TLS is always verified, and what is about the driver is decided here.
OF_NO_CONSEQUENCE = {
    "application_name",
    "connect_timeout",
    "connection_limit",
    "pgbouncer",
    "pool_timeout",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
}
BINDINGS = ("require", "prefer")


class Url(NamedTuple):
    """The parts of postgresql://user:password@host:port/database?channel_binding=require."""

    host: str
    port: int
    database: str
    user: str
    password: str
    channel_binding: str

    @classmethod
    def of(cls, text: str) -> Self:
        """The parts of a URL; ValueError names what is wrong with it, without the URL."""
        parts = _split(text)
        wanted = {
            "user": parts.username,
            "password": parts.password,
            "host": parts.hostname,
            "database": parts.path.strip("/"),
        }
        missing = [name for name, value in wanted.items() if not value]
        if parts.scheme not in ("postgres", "postgresql") or missing:
            lack = f" and has no {', no '.join(missing)}" if missing else ""
            raise ValueError(
                f"the URL begins with {parts.scheme}://{lack}; postgresql://user:password@host/database is needed"
            )
        return cls(
            host=parts.hostname or "",
            port=parts.port or PORT,
            database=unquote(parts.path.strip("/")),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            channel_binding=_channel_binding(dict(parse_qsl(parts.query, keep_blank_values=True))),
        )

    @property
    def role(self) -> str:
        """The role in the database: PlanetScale's user is the role, a dot, and the branch that it leads to."""
        return self.user.partition(".")[0]

    @property
    def direct(self) -> Self:
        """Past the pooler, to the database: Neon's other host, PlanetScale's other port."""
        first, dot, rest = self.host.partition(".")
        return self._replace(
            host=f"{first.removesuffix('-pooler')}{dot}{rest}",
            port=PORT if self.port == PLANETSCALE_POOLER else self.port,
        )

    @property
    def sql_endpoint(self) -> str:
        """Where SQL over HTTP goes: to Neon's host `api` of the same region, or to PlanetScale's own host."""
        _, dot, rest = self.host.partition(".")
        own = not dot or self.host.endswith(PLANETSCALE_HOST)
        return f"https://{self.host}/sql" if own else f"https://api.{rest}/sql"


def _channel_binding(parameters: dict[str, str]) -> str:
    """Of the URL's parameters, the one that means something."""
    unknown = sorted(set(parameters) - OF_NO_CONSEQUENCE - {"channel_binding"})
    if unknown:
        raise ValueError(f"the URL has the parameter {', '.join(unknown)}, which poolers refuse: leave it out")
    binding = parameters.get("channel_binding", BINDINGS[0])
    if binding not in BINDINGS:
        raise ValueError(f"the URL's channel_binding is {binding!r}, allowed is {' or '.join(BINDINGS)}")
    return binding


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:  # its text may quote the URL
        raise ValueError("the URL's host or port is malformed") from None
    if not text.isascii():
        raise ValueError("the URL is not ASCII: percent-encode what is not")
    if "%00" in text:  # libpq reads no further, and so would not know that TLS is to be verified
        raise ValueError("the URL has a %00, which nothing of PostgreSQL's may hold")
    if not parts.scheme:
        raise ValueError("something stands before the URL: leave out quotes, a variable's name, a command")
    return parts

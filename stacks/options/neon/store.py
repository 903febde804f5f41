"""The store Neon in an environment: a PostgreSQL at neon.tech, and the pool that stands before it. No CDK here."""

from dataclasses import dataclass
from typing import ClassVar

from stacks.budget.plan import limited
from stacks.external.budget import ProviderPool
from stacks.refusal import like, one_of, refuse, whole

PAGE = "docs/options/neon.md"
MODES = ("connection", "http")
# Neon's documentation, "Connection pooling": max_client_conn, and default_pool_size as a share of max_connections.
POOLER_CLIENTS = 10_000
POOL_PERCENT = 90
SMALLEST_COMPUTE = 104  # max_connections of 0.25 CU; 1 CU has 419, 4 CU 1678, 9 CU and more 4000
NAME = r"[A-Za-z0-9/_+=.@-]{1,512}"


@dataclass(frozen=True, kw_only=True)
class Neon:
    """A PostgreSQL outside the account whose URL is in Secrets Manager: Neon, or PlanetScale Postgres.

    `secret_name` is the secret's name; docs/options/neon.md says what is in it and how to make it. Migrations take
    `migrations_secret_name` where it is given, and functions can't read that one.

    With `mode` "connection" an environment keeps one connection to the provider's pooler, which shares `pool_size`
    connections between at most `pooler_clients` clients; with "http" it keeps none, and sends each statement as a
    request. `max_connections` is the compute's (`SHOW max_connections`), of which Neon pools 90 % unless `pool_size`
    is given. Source: Neon's documentation, "Connection pooling".
    """

    stacks: ClassVar[str] = "stacks.external.stacks:STACKS"
    report: ClassVar[str] = "stacks.external.report:ExternalReport"
    code: ClassVar[str] = "lambda_src.neon.store"

    secret_name: str
    migrations_secret_name: str | None = None
    mode: str = "connection"
    max_connections: int = SMALLEST_COMPUTE
    pool_size: int | None = None
    pooler_clients: int = POOLER_CLIENTS

    def __post_init__(self) -> None:
        a_name = "the secret's name, not its ARN: 1 to 512 of letters, digits and /_+=.@-"
        own = self.migrations_secret_name
        refuse(
            "Neon",
            [
                like("secret_name", self.secret_name, NAME, a_name),
                None if own is None else like("migrations_secret_name", own, NAME, a_name),
                one_of("mode", self.mode, MODES),
                *limited(self, "max_connections"),
                None if self.pool_size is None else whole("pool_size", self.pool_size, 1, 10000),
                whole("pooler_clients", self.pooler_clients, 1, 1_000_000),
            ],
        )

    @property
    def pool(self) -> ProviderPool:
        """The pooler, or for requests over HTTP the pool of the endpoint that takes them."""
        size = self.max_connections * POOL_PERCENT // 100 if self.pool_size is None else self.pool_size
        reason = (
            f"{POOL_PERCENT} % of max_connections={self.max_connections}" if self.pool_size is None else "pool_size"
        )
        return ProviderPool(
            name="the pooler" if self.mode == "connection" else "the SQL endpoint",
            connections=size,
            reason=reason,
            connections_input="store.max_connections with a larger compute"
            if self.pool_size is None
            else "store.pool_size",
            clients=self.pooler_clients if self.mode == "connection" else None,
            clients_input="store.pooler_clients",
        )

    @property
    def variables(self) -> dict[str, str]:
        """How the function reaches it."""
        return {"NEON_MODE": self.mode}

    @property
    def migrations(self) -> str:
        """The handler of the migrations."""
        return "lambda_src.neon.migrations.handler"

    @property
    def page(self) -> str:
        """The option's document."""
        return PAGE

"""The store PlanetScale in an environment: a MySQL (Vitess) at planetscale.com. No CDK here."""

from dataclasses import dataclass
from typing import ClassVar

from stacks.external.budget import ProviderPool
from stacks.refusal import like, refuse, whole

PAGE = "docs/options/planetscale.md"
NAME = r"[A-Za-z0-9/_+=.@-]{1,512}"
A_NAME = "the secret's name, not its ARN: 1 to 512 of letters, digits and /_+=.@-"
# PlanetScale publishes no number of connections for a plan, so this is yours to look up and to raise: it is a cautious
# assumption, that of the smallest MySQL that one would run oneself.
MAX_CONNECTIONS = 100


@dataclass(frozen=True, kw_only=True)
class PlanetScale:
    """A MySQL outside the account whose URL is in Secrets Manager.

    `secret_name` is the secret's name; docs/options/planetscale.md says what is in it and how to make it. Migrations
    take `migrations_secret_name` where it is given, and functions can't read that one. Each execution environment keeps
    one connection, and `max_connections` must hold those of two versions while a deployment replaces one by another.
    """

    stacks: ClassVar[str] = "stacks.external.stacks:STACKS"
    report: ClassVar[str] = "stacks.external.report:ExternalReport"
    code: ClassVar[str] = "lambda_src.planetscale.store"
    requirements: ClassVar[str] = "planetscale/requirements.txt"  # of the zip, instead of the one with psycopg

    secret_name: str
    migrations_secret_name: str | None = None
    max_connections: int = MAX_CONNECTIONS

    def __post_init__(self) -> None:
        own = self.migrations_secret_name
        refuse(
            "PlanetScale",
            [
                like("secret_name", self.secret_name, NAME, A_NAME),
                None if own is None else like("migrations_secret_name", own, NAME, A_NAME),
                whole("max_connections", self.max_connections, 1, 1_000_000),
            ],
        )

    @property
    def pool(self) -> ProviderPool:
        """All of its connections: behind each of them PlanetScale pools those to MySQL by itself."""
        return ProviderPool(
            name="PlanetScale",
            connections=self.max_connections,
            reason="store.max_connections",
            connections_input="store.max_connections, if your database allows it",
            clients=self.max_connections,
            clients_input="store.max_connections, if your database allows it",
        )

    @property
    def variables(self) -> dict[str, str]:
        """Nothing: the URL says it all. PlanetScale has PostgreSQL too, which is the store Neon."""
        return {}

    @property
    def migrations(self) -> str:
        """The handler of the migrations."""
        return "lambda_src.planetscale.migrations.handler"

    @property
    def page(self) -> str:
        """The option's document."""
        return PAGE

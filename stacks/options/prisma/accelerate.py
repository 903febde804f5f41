"""The store Accelerate in an environment: before a database outside the account, for the function on Prisma. No CDK."""

from dataclasses import dataclass
from typing import ClassVar

from stacks.budget.plan import limited
from stacks.external.budget import ExternalStore, ProviderPool
from stacks.refusal import like, refuse

PAGE = "docs/options/prisma.md"
NAME = r"[A-Za-z0-9/_+=.@-]{1,512}"


@dataclass(frozen=True, kw_only=True)
class Accelerate:
    """Accelerate before `database`, a store that could also be used without it: migrations go there, around Accelerate.

    `secret_name` is the name of the secret with Accelerate's URL (prisma://…?api_key=…). `max_connections` is how many
    connections Accelerate may open to the database, which its console says.
    """

    stacks: ClassVar[str] = "stacks.options.prisma.stacks:STACKS"
    report: ClassVar[str] = "stacks.external.report:ExternalReport"
    code: ClassVar[str] = ""  # nothing in Python speaks with it

    secret_name: str
    database: ExternalStore
    max_connections: int = 10

    def __post_init__(self) -> None:
        allowed = "the secret's name, not its ARN: 1 to 512 of letters, digits and /_+=.@-"
        refuse(
            "Accelerate",
            [like("secret_name", self.secret_name, NAME, allowed), *limited(self, "max_connections")],
        )

    @property
    def migrations_secret_name(self) -> str | None:
        """None: migrations are the database's own."""
        return None

    @property
    def pool(self) -> ProviderPool:
        """Accelerate's, to which no client stays connected."""
        return ProviderPool(
            name="Accelerate",
            connections=self.max_connections,
            reason=f"max_connections={self.max_connections}",
            connections_input="store.max_connections with the limit in Accelerate's console",
        )

    @property
    def variables(self) -> dict[str, str]:
        """Nothing: the URL says that it is Accelerate's."""
        return {}

    @property
    def migrations(self) -> str:
        """The handler of the database's migrations."""
        return self.database.migrations

    @property
    def page(self) -> str:
        """The option's document."""
        return PAGE

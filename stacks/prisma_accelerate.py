"""Accelerate before a database outside the account. Only the function on Prisma can use it.

The hosted service ends on 1 December 2026: `cdk synth` says so, and what replaces it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aws_cdk import Annotations
from constructs import Construct

from stacks.budget.plan import limited
from stacks.config import Environment
from stacks.external_budget import ExternalStore, ProviderPool
from stacks.external_stacks import ExternalServiceStack, ExternalStack
from stacks.refusal import like, refuse

PAGE = "docs/options/prisma.md"
NAME = r"[A-Za-z0-9/_+=.@-]{1,512}"
END = (
    "Prisma ends hosted Accelerate, and its URLs at accelerate.prisma-data.net, on 1 December 2026, as announced: "
    "put the postgresql:// URL of the database's pooler into the secret instead (Prisma Postgres has one at "
    "pooled.db.prisma.io), and the function reaches it over TCP, with adapter-pg"
)


@dataclass(frozen=True, kw_only=True)
class Accelerate:
    """Accelerate before `database`, a store that could also be used without it: migrations go there, around Accelerate.

    `secret_name` is the name of the secret with Accelerate's URL (prisma://…?api_key=…). `max_connections` is how many
    connections Accelerate may open to the database, which its console says.
    """

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


def accelerate_stack(
    scope: Construct, id: str, *, environment: Environment[Any], options: Mapping[str, Any]
) -> ExternalStack:
    """The data stack: that of the database behind Accelerate."""
    database = replace(environment, store=environment.store.database)
    return ExternalStack(scope, id, environment=database, options=options)


class AccelerateServiceStack(ExternalServiceStack):
    """The service stack, with a warning."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment[Any], **more: Any) -> None:
        runtime = environment.api.runtime
        problem = (
            f"store is Accelerate and api.runtime is {runtime!r}, allowed is 'prisma': nothing else speaks with it"
        )
        refuse(environment.name, [None if runtime == "prisma" else problem])
        super().__init__(scope, id, environment=environment, **more)
        Annotations.of(self).add_warning_v2("headroom:prisma:accelerate-ends", END)

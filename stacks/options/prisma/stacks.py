"""The two stacks of an environment with Accelerate before its database. Only the function on Prisma can use it.

The hosted service ends on 1 December 2026: `cdk synth` says so, and what replaces it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aws_cdk import Annotations
from constructs import Construct

from stacks.config import Environment
from stacks.external.stacks import ExternalServiceStack, ExternalStack, acknowledge_external
from stacks.refusal import refuse
from stacks.stage import Stacks

END = (
    "Prisma ends hosted Accelerate, and its URLs at accelerate.prisma-data.net, on 1 December 2026, as announced: "
    "put the postgresql:// URL of the database's pooler into the secret instead (Prisma Postgres has one at "
    "pooled.db.prisma.io), and the function reaches it over TCP, with adapter-pg"
)


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


STACKS = Stacks(accelerate_stack, AccelerateServiceStack, acknowledge_external)

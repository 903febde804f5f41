"""The CDK app with the environment `local` on another store than its own: `python -m local.up.app <store>`."""

import sys
from dataclasses import replace
from typing import Any, cast

from app import build
from stacks.config import Environment
from stacks.dynamodb import DynamoDb
from stacks.environments import LOCAL
from stacks.neon import Neon
from stacks.planetscale import PlanetScale

# `local` itself is on PostgreSQL, and in the app that cdk.json names. A fork deletes the line of a store it has not.
STORES: dict[str, object] = {
    "dynamodb": DynamoDb(max_read_request_units=400, max_write_request_units=200),
    "neon": Neon(secret_name="local/neon"),
    "planetscale": PlanetScale(secret_name="local/planetscale", migrations_secret_name="local/planetscale/migrations"),
    "prisma": {"api": replace(LOCAL.api, runtime="prisma", connect_timeout_seconds=3, deadline_seconds=4)},
}


def local(store: str) -> Environment[Any]:
    """The environment `local` on this store, or with these other changes."""
    found = STORES[store]
    return replace(cast("Environment[Any]", LOCAL), **(found if isinstance(found, dict) else {"store": found}))


if __name__ == "__main__":
    build([local(sys.argv[1])]).synth()

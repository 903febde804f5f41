"""The CDK app with the environment `local` on another store than its own: `python -m local.up.app dynamodb`."""

import sys
from dataclasses import replace
from typing import Any, cast

from app import build
from stacks.config import Environment
from stacks.dynamodb import DynamoDb
from stacks.environments import LOCAL

# `local` itself is on PostgreSQL, and in the app that cdk.json names. A fork deletes the line of a store it has not.
STORES = {
    "dynamodb": DynamoDb(max_read_request_units=400, max_write_request_units=200),
}


def local(store: str) -> Environment[Any]:
    """The environment `local` on this store."""
    return replace(cast("Environment[Any]", LOCAL), store=STORES[store])


if __name__ == "__main__":
    build([local(sys.argv[1])]).synth()

"""What an option adds to `make up`: the files of its folder here, local/<option>.

`environment.py` says how the environment `local` is on it. Where `__main__.py` is, it stands in for the provider of a
database outside AWS. `ask.py` has the command that asks the database, where no such process says it.
"""

from dataclasses import replace
from importlib import import_module
from typing import Any

from local.up.aws import Account
from stacks import options
from stacks.config import Environment, Function, RdsPostgres, Throttle
from stacks.environments import LOCAL
from stacks.local import on_this_machine

POSTGRES = "postgres"
STORES = (POSTGRES, *options.parts("local", "environment"))
# What `local` is with another store than its own: small enough for one machine, whatever its environment reserves.
SMALL: dict[str, Any] = {
    "store": RdsPostgres(instance="t4g.micro"),
    "api": Function(reserved_concurrency=5),
    "throttle": Throttle(),
    "account_concurrency": None,
}


def own() -> str | None:
    """The one of these stores that the environment `local` is on; None where nothing here stands in for its store."""
    environment: Environment[Any] = LOCAL
    for store in STORES:
        found = SMALL | _changes(store)
        runs = found["api"].runtime == environment.api.runtime or not isinstance(environment.store, RdsPostgres)
        if type(found["store"]) is type(environment.store) and runs:
            return store
    return None


def local(store: str) -> Environment[Any]:
    """The environment `local` on a store: as it is, or, where it is on another, a small one."""
    environment: Environment[Any] = LOCAL
    return environment if store == own() else on_this_machine(replace(environment, **SMALL | _changes(store)))


def _changes(store: str) -> dict[str, Any]:
    module = options.parts("local", "environment").get(store)
    changes: dict[str, Any] = import_module(module).CHANGES if module else {}
    return changes


def counterpart(store: str) -> str | None:
    """The module that stands in for a store's provider.

    It reads one JSON object, that of local.up.counterpart, on its standard input, and says {"ready": true} when the
    secret is there.
    """
    return f"local.{store}" if store in options.parts("local", "__main__") else None


def ask(store: str, account: Account) -> str | None:
    """A command that shows what is in a store's database, if the option has one."""
    module = options.parts("local", "ask").get(store)
    found: str | None = import_module(module).command(account) if module else None
    return found

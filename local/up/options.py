"""What an option adds to `make up`: the files of its folder here, local/<option>.

`environment.py` says how the environment `local` is on it. Where `__main__.py` is, it stands in for the provider of a
database outside AWS. `ask.py` has the command that asks the database, where no such process says it.
"""

from dataclasses import replace
from importlib import import_module
from typing import Any, cast

from local.up.aws import Account
from stacks import options
from stacks.config import Environment
from stacks.environments import LOCAL

POSTGRES = "postgres"  # what `local` itself is on, in the app that cdk.json names; the others are of local.up.app
STORES = (POSTGRES, *options.parts("local", "environment"))


def local(store: str) -> Environment[Any]:
    """The environment `local`, with an option's changes."""
    module = options.parts("local", "environment")[store]
    return replace(cast("Environment[Any]", LOCAL), **import_module(module).CHANGES)


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

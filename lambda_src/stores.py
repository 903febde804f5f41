"""Which store the function runs on: the environment variable STORE names its module, which alone is imported."""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from lambda_src.api.backend import Backend
from lambda_src.explained import Explained

VARIABLES = ("STORE",)  # what the template gives the function besides what the store reads; tests compare the two


class NoSuchStore(Explained):
    """STORE names no store of this code; the message says what it is. The template sets it, from the same version."""

    heading = "function-settings"


def connect(environment: Mapping[str, str] = os.environ) -> Backend:
    """The backend that the store's module makes of the function's environment variables, or NoSuchStore."""
    name = environment.get("STORE", "")
    backend: Backend = _module(name).connect()
    return backend


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except (ValueError, ModuleNotFoundError) as error:
        # A package that a store needs and the zip has not is another mistake.
        if isinstance(error, ModuleNotFoundError) and not name.startswith(str(error.name)):
            raise
    raise NoSuchStore(
        f"the environment variable STORE is {name!r}: a module of this code is needed, such as "
        "lambda_src.database.store; set it on the function"
    )

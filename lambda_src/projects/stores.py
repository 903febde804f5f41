"""Which store the function runs on: its environment variables say. A fork deletes the line of a store it has not."""

import os
from collections.abc import Mapping
from importlib import import_module

from lambda_src.projects.model import Backend

# A variable that the template gives functions of this store only -> the store's module. Only one is ever imported.
STORES = {
    "DB_HOST": "lambda_src.projects.postgres_store",
    "TABLE_NAME": "lambda_src.projects.dynamodb_store",
    "NEON_MODE": "lambda_src.projects.neon_store",
    "DB_DIALECT": "lambda_src.projects.planetscale_store",
}


def connect(environment: Mapping[str, str] = os.environ) -> Backend:
    """The backend of the first store whose variable is set; where none is, the first store says what is missing."""
    of_this_function = [module for variable, module in STORES.items() if variable in environment]
    backend: Backend = import_module((of_this_function or [*STORES.values()])[0]).connect()
    return backend

"""The service over every store it has."""

from collections.abc import Iterator
from importlib import import_module

import pytest

from stacks import options
from tests.service import Service, environment

# name -> the fixture with a function's variables
STORES = {"postgres": "stand_in"}
for module in options.parts("tests", "fixtures").values():
    STORES |= import_module(module).CONTRACT


@pytest.fixture(scope="session", params=STORES)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = request.getfixturevalue(STORES[request.param])
    with environment(store, tmp_path_factory.mktemp(f"function-{request.param}")) as running:
        yield Service(running, request.param)

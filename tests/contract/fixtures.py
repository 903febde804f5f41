"""The service over every store it has: tests/contract, and a resource's own tests, ask for it."""

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
    store, directory = request.getfixturevalue(STORES[request.param]), tmp_path_factory.mktemp("function")
    with environment(store, directory) as running:
        yield Service(running, request.param)
    log = (directory / "function.log").read_text()
    assert "Traceback" not in log, log
    assert "stackTrace" not in log, log

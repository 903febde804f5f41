"""The service over every store it has."""

from collections.abc import Iterator

import pytest

from tests.prisma.fixtures import prisma_accelerate, prisma_proxy, prisma_websocket  # noqa: F401 (fixtures)
from tests.service import Service, environment

# name -> the fixture with a function's variables
STORES = {
    "postgres": "stand_in",
    "dynamodb": "table",
    "neon": "neon",
    "neon-http": "neon_http",
    "planetscale": "planetscale",
    "prisma-proxy": "prisma_proxy",
    "prisma-websocket": "prisma_websocket",
    "prisma-accelerate": "prisma_accelerate",
}


@pytest.fixture(scope="session", params=STORES)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = request.getfixturevalue(STORES[request.param])
    with environment(store, tmp_path_factory.mktemp(f"function-{request.param}")) as running:
        yield Service(running)

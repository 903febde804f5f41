"""The service over every store it has."""

from collections.abc import Iterator

import pytest

from tests.conftest import StandIn
from tests.service import Service, environment


@pytest.fixture(scope="session")
def service(stand_in: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with environment(stand_in, tmp_path_factory.mktemp("function")) as running:
        yield Service(running)

"""The contract about projects again, through the deployed HTTP API: PostgreSQL behind the stand-in."""

from contextlib import closing

import pytest

from tests.projects.test_contract import *  # noqa: F403
from tests.projects.test_cursors import *  # noqa: F403
from tests.rehearsal.deployed_service import DeployedService


@pytest.fixture(scope="session")
def service(deployed):
    with closing(DeployedService(deployed.account)) as running:
        yield running

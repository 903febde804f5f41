"""tests/contract again, through the deployed HTTP API: PostgreSQL behind the stand-in, as `make up` deploys it."""

from contextlib import closing

import pytest

from tests.contract.test_isolation import *  # noqa: F403
from tests.contract.test_openapi import *  # noqa: F403
from tests.contract.test_requests import *  # noqa: F403
from tests.rehearsal.deployed_service import DeployedService


@pytest.fixture(scope="session")
def service(deployed):
    with closing(DeployedService(deployed.account)) as running:
        yield running

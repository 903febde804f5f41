"""Tests on several workers: what shares a deployment stays together."""

import pytest

from tests.conftest import DEPLOYMENTS, ROOT, ByDeployment, group


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_every_file_that_asks_for_a_shared_deployment_is_in_its_group(deployment):
    files = [path for path in (ROOT / "tests" / "rehearsal").glob("test_*.py") if f"({deployment}" in path.read_text()]
    assert len(files) > 1
    assert {group(str(path.relative_to(ROOT))) for path in files} == {deployment}


def test_every_other_file_is_a_group_of_its_own_or_in_that_of_its_folder():
    assert group("tests/ci/test_update.py") == "tests/ci/test_update.py"
    assert group("tests/infrastructure/test_distribution.py") == "tests/infrastructure"


def test_the_workers_are_given_groups():
    assert ByDeployment._split_scope(None, "tests/rehearsal/test_deployed_contract.py::test_x[a]") == "deployed"

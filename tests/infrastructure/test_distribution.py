"""Tests on several workers: what shares a deployment, or a folder's dear fixtures, stays together."""

import pytest

from tests.conftest import DEPLOYMENTS, FOLDERS, ROOT, ByDeployment, group


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_every_file_that_asks_for_a_shared_deployment_is_in_its_group(deployment):
    files = [path for path in (ROOT / "tests" / "rehearsal").glob("test_*.py") if f"({deployment}" in path.read_text()]
    assert len(files) > 1
    assert {group(str(path.relative_to(ROOT))) for path in files} == {deployment}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_whose_fixtures_are_shared_is_one_group(folder):
    files = list((ROOT / folder).glob("test_*.py"))
    assert len(files) > 1
    assert {group(str(path.relative_to(ROOT))) for path in files} == {folder}


def test_every_other_file_is_a_group_of_its_own():
    assert group("tests/runtime/test_faults.py") == "tests/runtime/test_faults.py"
    # its fixture `shapes` is no deployment
    assert group("tests/checks/test_boundaries.py") == "tests/checks/test_boundaries.py"


def test_the_workers_are_given_groups():
    assert ByDeployment._split_scope(None, "tests/rehearsal/test_deployed_contract.py::test_x[a]") == "deployed"

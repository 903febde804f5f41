"""`make up STORE=dynamodb` serves the same API from a table, as `make up` does from PostgreSQL."""

import re
import shlex
import subprocess
from contextlib import closing

import pytest

# The whole contract again, through the deployed HTTP API.
from tests.contract.test_isolation import *  # noqa: F403
from tests.contract.test_openapi import *  # noqa: F403
from tests.contract.test_requests import *  # noqa: F403
from tests.projects.test_contract import *  # noqa: F403
from tests.projects.test_cursors import *  # noqa: F403
from tests.rehearsal.deployed_service import DeployedService
from tests.rehearsal.fixtures import UNVALIDATED, LocalRun


@pytest.fixture(scope="session")
def on_a_table(tmp_path_factory):
    """The environment `local` on DynamoDB, deployed."""
    run = LocalRun(tmp_path_factory.mktemp("local-dynamodb"))
    code, output = run("up", "--store", "dynamodb", **UNVALIDATED)
    assert code == 0, output
    run.output = output
    yield run
    code, output = run("down")
    assert code == 0, output
    assert run.processes() == []


@pytest.fixture(scope="session")
def service(on_a_table):
    with closing(DeployedService(on_a_table.account, "dynamodb")) as running:
        yield running


def test_a_project_lives_in_the_deployed_table(on_a_table):
    projects = "/tenants/acme/projects"
    status, project = on_a_table.request("POST", projects, {"name": "first"})
    assert status == 201
    assert on_a_table.request("GET", f"{projects}/{project['id']}") == (200, project)
    assert on_a_table.request("GET", f"{projects}?limit=1") == (200, {"items": [project]})
    status, renamed = on_a_table.request("PATCH", f"{projects}/{project['id']}", {"name": "second", "version": 1})
    assert (status, renamed["version"]) == (200, 2)
    assert on_a_table.request("POST", projects, {"name": "again", "id": project["id"]})[0] == 409
    assert on_a_table.request("DELETE", f"{projects}/{project['id']}") == (204, None)
    assert on_a_table.request("GET", f"{projects}/{project['id']}")[0] == 404


def test_the_deployed_roles_grants_are_enough_for_pages_and_cursors(on_a_table):
    """The local AWS checks the policy of the function's role at every request."""
    projects = "/tenants/pages/projects"
    made = [on_a_table.request("POST", projects, {"name": f"{number}"}) for number in range(3)]
    assert [status for status, _ in made] == [201] * 3, made
    status, page = on_a_table.request("GET", f"{projects}?limit=2")
    assert status == 200, page
    status, rest = on_a_table.request("GET", f"{projects}?limit=2&cursor={page['next_cursor']}")
    assert status == 200, rest
    assert page["items"] + rest["items"] == [project for _, project in made]
    assert on_a_table.request("GET", f"/tenants/other/projects?cursor={page['next_cursor']}")[0] == 400


def test_nothing_of_postgresql_runs(on_a_table):
    assert not [line for line in on_a_table.processes() if "postgres" in line or "rds_proxy" in line]


def test_every_printed_curl_line_works(on_a_table):
    create, read, scan = [line for line in on_a_table.output.splitlines() if line.startswith("  curl")]
    answers = [
        subprocess.run(shlex.split(line), capture_output=True, text=True, check=True).stdout
        for line in (create, read, scan)
    ]
    assert all(re.search(r'"first"', answer) for answer in answers), answers


def test_a_second_run_keeps_the_projects(on_a_table):
    projects = "/tenants/kept/projects"
    assert on_a_table.request("POST", projects, {"name": "kept"})[0] == 201
    code, output = on_a_table("up", "--store", "dynamodb", **UNVALIDATED)
    assert code == 0, output
    assert [each["name"] for each in on_a_table.request("GET", projects)[1]["items"]] == ["kept"]


def test_another_database_is_not_deployed_over_this_one(on_a_table):
    code, output = on_a_table("up", "--store", "postgres")
    assert code == 1
    assert "the database here is dynamodb: `make down` first, then `make up STORE=postgres`" in output
    assert "Traceback" not in output


def test_there_is_no_token_without_a_proxy(on_a_table):
    code, output = on_a_table("token")
    assert code == 1
    assert output.startswith("\nthere is no proxy to log in to: this environment's database has none\n")

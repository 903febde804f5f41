"""`make up STORE=planetscale` serves the same API from a MariaDB outside the local AWS."""

import re
import shlex
import subprocess

import pytest

from local.planetscale.mariadb import PACKAGE, PROGRAM
from local.up.options import local
from tests.debian import program
from tests.rehearsal.fixtures import UNVALIDATED, LocalRun

PROJECTS = "/tenants/acme/projects"


@pytest.fixture(scope="module")
def on_planetscale(tmp_path_factory):
    """The environment `local` on PlanetScale, deployed."""
    program(PROGRAM, package=PACKAGE)  # `make up` fetches nothing
    run = LocalRun(tmp_path_factory.mktemp("local-planetscale"))
    code, output = run("up", "--store", "planetscale", **UNVALIDATED)
    assert code == 0, output
    run.output = output
    yield run
    code, output = run("down")
    assert code == 0, output
    assert run.processes() == []


def test_a_project_lives_in_the_database_outside(on_planetscale):
    """The local AWS checks the policy of the function's role when it reads the secret."""
    made = [on_planetscale.request("POST", PROJECTS, {"name": f"{number}"}) for number in range(3)]
    assert [status for status, _ in made] == [201] * 3, made
    first, second, third = (project for _, project in made)
    assert on_planetscale.request("GET", f"{PROJECTS}/{first['id']}") == (200, first)
    status, page = on_planetscale.request("GET", f"{PROJECTS}?limit=2")
    assert (status, page["items"]) == (200, [first, second])
    assert on_planetscale.request("GET", f"{PROJECTS}?cursor={page['next_cursor']}") == (200, {"items": [third]})
    status, renamed = on_planetscale.request("PATCH", f"{PROJECTS}/{first['id']}", {"name": "renamed", "version": 1})
    assert (status, renamed["version"]) == (200, 2)
    assert on_planetscale.request("DELETE", f"{PROJECTS}/{second['id']}") == (204, None)


def test_every_printed_command_works(on_planetscale):
    lines = [line for line in on_planetscale.output.splitlines() if re.match(r"  (curl|/)", line)]
    answers = [subprocess.run(shlex.split(line), capture_output=True, text=True, check=True).stdout for line in lines]
    assert len(answers) == 3
    assert all("first" in answer for answer in answers), answers


def test_the_url_is_in_no_template_variable_or_log(on_planetscale):
    secrets = on_planetscale.account.client("secretsmanager")
    url = secrets.get_secret_value(SecretId=local("planetscale").store.secret_name)["SecretString"]
    password = url.split(":")[2].split("@")[0]
    state = on_planetscale.state
    paths = [
        *(state / "logs").rglob("*.log"),
        *(state / "cdk.out").rglob("*.json"),
        state / "planetscale" / "mariadb.log",
    ]
    assert [path for path in paths if password in path.read_text(errors="replace")] == []
    assert password not in str(on_planetscale.account.client("lambda").list_functions())
    assert password not in on_planetscale.output

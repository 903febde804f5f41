"""A deployed environment moves from Python to TypeScript on Prisma, and back: same proxy, same tables, same API."""

import pytest

from stacks.options.prisma.build import BUILD, ROOT, built
from stacks.service import FUNCTION
from tests.environments import SERVICE

ON_PRISMA = 'api=replace(environments.DEV.api, runtime="prisma", connect_timeout_seconds=3, deadline_seconds=4)'
PROJECTS = "/tenants/prisma/projects"


@pytest.fixture
def on_prisma(shapes):
    """dev, which Python has served, with the function on Prisma."""
    made = [shapes.request("dev", "POST", PROJECTS, {"name": f"by Python {number}"})[1] for number in range(2)]
    built()
    here = shapes.sources / BUILD.relative_to(ROOT)
    here.parent.mkdir(exist_ok=True)
    here.symlink_to(BUILD)  # what the registries gave need not come a second time
    shapes.deploy("dev", change=ON_PRISMA)
    yield made
    shapes.deploy("dev")
    assert shapes.request("dev", "GET", PROJECTS)[0] == 200
    assert function(shapes)["Runtime"].startswith("python")


def function(shapes):
    functions = shapes.client("lambda").list_functions()["Functions"]
    (found,) = [each for each in functions if each["FunctionName"].startswith(f"{SERVICE}-dev-service-{FUNCTION}")]
    return found


def test_an_environment_that_moves_to_prisma_serves_what_it_had(shapes, on_prisma):
    assert (function(shapes)["Runtime"], function(shapes)["Handler"]) == ("nodejs24.x", "index.handler")
    assert shapes.request("dev", "GET", "/health") == (200, {"status": "ok"})
    status, page = shapes.request("dev", "GET", f"{PROJECTS}?limit=1")
    assert (status, page["items"][0]["id"]) == (200, on_prisma[0]["id"])
    status, rest = shapes.request("dev", "GET", f"{PROJECTS}?cursor={page['next_cursor']}")
    assert (status, [each["id"] for each in rest["items"]]) == (200, [on_prisma[1]["id"]])
    status, project = shapes.request("dev", "POST", PROJECTS, {"name": "by Prisma"})
    assert status == 201
    path = f"{PROJECTS}/{project['id']}"
    assert shapes.request("dev", "PATCH", path, {"name": "renamed", "version": 1})[1]["version"] == 2
    assert shapes.request("dev", "DELETE", path)[0] == 204
    assert shapes.request("dev", "GET", path)[0] == 404
    log = (shapes.account.state / "logs").glob(f"rds-proxy-{SERVICE}-dev-*.log")
    assert not [line for each in log for line in each.read_text().splitlines() if "was pinned" in line]

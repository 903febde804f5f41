"""A fork that has only tables deletes the function's side of PostgreSQL, and nothing notices."""

import shutil

from local.execution_environment import ExecutionEnvironment
from tests.conftest import ROOT
from tests.service import HANDLER, Service

# docs/options/dynamodb.md says the same.
OF_POSTGRESQL = ["postgres_store.py", "database", "migrations", "rotation", "neon", "planetscale"]


def test_the_service_runs_without_the_files_of_postgresql(table, tmp_path):
    source = tmp_path / "lambda_src"
    shutil.copytree(ROOT / "lambda_src", source, ignore=shutil.ignore_patterns("__pycache__", *OF_POSTGRESQL))
    with ExecutionEnvironment(HANDLER, tmp_path, table.variables, tmp_path / "function.log") as running:
        running.wait_until_ready()
        service = Service(running)
        project = service.request("POST", "/tenants/alone/projects", {"name": "on a table"}).body
        assert service.request("GET", f"/tenants/alone/projects/{project['id']}").body == project
        assert project in service.request("GET", "/tenants/alone/projects").body["items"]
        assert service.request("GET", "/tenants/alone/projects?cursor=forged").status == 400

"""A fork deletes the store that it has no use for: its files and one line, and nothing else notices."""

import shutil

import pytest

from local.execution_environment import ExecutionEnvironment, FunctionError
from tests.conftest import ROOT
from tests.service import HANDLER, Service

# docs/options/dynamodb.md says the same. Of each store: what is deleted, and its module in the one line.
FILES = {
    "dynamodb": ["projects/dynamodb_*.py"],
    "postgres": ["projects/postgres_store.py", "database", "migrations", "rotation"],
}


@pytest.mark.parametrize(
    ("deleted", "kept", "fixture"), [("dynamodb", "postgres", "stand_in"), ("postgres", "dynamodb", "table")]
)
def test_the_service_runs_without_the_files_of_the_other_store(deleted, kept, fixture, request, tmp_path):
    source = tmp_path / "lambda_src"
    shutil.copytree(ROOT / "lambda_src", source, ignore=shutil.ignore_patterns("__pycache__"))
    for pattern in FILES[deleted]:
        found = list(source.glob(pattern))
        assert found, pattern
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    stores = source / "projects" / "stores.py"
    lines = stores.read_text().splitlines(keepends=True)
    (line,) = [each for each in lines if f"{deleted}_store" in each]
    stores.write_text("".join(each for each in lines if each != line))
    variables = request.getfixturevalue(fixture).variables
    with ExecutionEnvironment(HANDLER, tmp_path, variables, tmp_path / "function.log") as running:
        running.wait_until_ready()
        service = Service(running)
        project = service.request("POST", "/tenants/alone/projects", {"name": kept}).body
        assert service.request("GET", f"/tenants/alone/projects/{project['id']}").body == project
        listed = service.request("GET", "/tenants/alone/projects").body["items"]
        assert project in listed
        assert service.request("GET", "/tenants/alone/projects?cursor=forged").status == 400


def test_a_function_without_any_stores_variables_is_told_what_the_first_needs(tmp_path):
    variables = {"AWS_REGION": "eu-west-1"}
    with (
        ExecutionEnvironment(HANDLER, ROOT, variables, tmp_path / "function.log") as running,
        pytest.raises(FunctionError, match="missing environment variables: DB_HOST"),
    ):
        running.wait_until_ready()

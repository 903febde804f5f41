"""What `runtime="prisma"` makes of an environment, and what is refused."""

import re
from dataclasses import dataclass, field, replace

import pytest
from aws_cdk import App, Stack

from stacks.external.budget import ProviderPool
from stacks.options.prisma import Accelerate, build
from stacks.options.prisma.runtime import shipped
from stacks.service import FUNCTION
from stacks.stage import EnvironmentStage
from tests.environments import DEV
from tests.infrastructure.synthesis import acknowledged, of_type, only, synthesize, templates

ON_PRISMA = replace(DEV.api, runtime="prisma", connect_timeout_seconds=3, deadline_seconds=4)
PYTHON = {"lambda_src.migrations.handler.handler", "lambda_src.rotation.handler.handler"}


POOL = ProviderPool(name="its pooler", connections=90, reason="its own", connections_input="it")


@dataclass(frozen=True)
class Elsewhere:
    """A PostgreSQL outside the account."""

    secret_name: str = "dev/database"
    migrations_secret_name: None = None
    pool: ProviderPool = POOL
    variables: dict[str, str] = field(default_factory=dict)
    migrations: str = "lambda_src.migrations.handler.handler"
    page: str = "docs/options/prisma.md"


ENVIRONMENTS = (
    replace(DEV, name="prisma", api=ON_PRISMA),
    replace(DEV, name="accelerate", api=ON_PRISMA, store=Accelerate(secret_name="dev/url", database=Elsewhere())),
)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return synthesize(tmp_path_factory.mktemp("cdk.out"), ENVIRONMENTS)


@pytest.fixture(scope="module")
def synthesized(app):
    return templates(app)


def variables(template):
    return set(only(template, "AWS::Lambda::Function")["Environment"]["Variables"])


def read_by_the_function(name):
    """The names in a constant of settings.ts."""
    source = (build.SOURCE / "src" / "settings.ts").read_text()
    return set(re.findall(r'"(\w+)"', re.search(rf"const {name} = \[(.*?)\]", source, re.DOTALL)[1]))


def test_the_function_runs_on_node_and_every_other_on_python(synthesized):
    function = only(synthesized["prisma", "service"], "AWS::Lambda::Function")
    assert (function["Runtime"], function["Handler"]) == ("nodejs24.x", "index.handler")
    others = [each["Properties"] for each in of_type(synthesized["prisma", "data"], "AWS::Lambda::Function").values()]
    ours = {each["Handler"]: each["Runtime"] for each in others if each["Handler"].startswith("lambda_src.")}
    assert ours == dict.fromkeys(PYTHON, "python3.13")


def test_a_function_behind_the_proxy_is_given_what_it_reads(synthesized):
    read = read_by_the_function("OF_PROXY") | read_by_the_function("PATIENCE")
    assert variables(synthesized["prisma", "service"]) == read - {"AWS_REGION"}


def test_a_function_with_a_url_is_given_what_it_reads(synthesized):
    read = read_by_the_function("OF_SECRET") | read_by_the_function("PATIENCE")
    assert variables(synthesized["accelerate", "service"]) == read


def test_prisma_is_the_only_difference_to_the_environment_in_python(synthesized, tmp_path):
    python = templates(synthesize(tmp_path, (replace(DEV, name="prisma", api=replace(ON_PRISMA, runtime="python")),)))
    assert python["prisma", "data"] == synthesized["prisma", "data"]
    before, after = (only(each["prisma", "service"], "AWS::Lambda::Function") for each in (python, synthesized))
    del before["Environment"]["Variables"]["STORE"]  # a module of the function in Python
    assert {name for name in before | after if before.get(name) != after.get(name)} == {"Code", "Handler", "Runtime"}


def test_a_function_on_node_acknowledges_nothing_about_a_version_of_python(app):
    at_functions = {rule for path, rule in acknowledged(app) if path.endswith(f"Service/{FUNCTION}/Function")}
    assert at_functions == {"Serverless::Serverless-LambdaDLQ"}


def test_accelerate_warns_of_its_end_and_says_what_replaces_it(app):
    stage = next(each for each in app.node.children if each.node.id == "accelerate")
    warnings = [entry.data for entry in stage.service.node.metadata if entry.type == "aws:cdk:warning"]
    (warning,) = [each for each in warnings if "Accelerate" in each]
    assert "1 December 2026" in warning
    assert "pooled.db.prisma.io" in warning
    assert "adapter-pg" in warning


def test_the_database_behind_accelerate_has_its_own_migrations(synthesized):
    functions = of_type(synthesized["accelerate", "data"], "AWS::Lambda::Function").values()
    (migrate,) = [each["Properties"] for each in functions if each["Properties"]["Handler"] == Elsewhere.migrations]
    assert migrate["Environment"]["Variables"]["DB_SECRET_NAME"] == Elsewhere.secret_name
    function = only(synthesized["accelerate", "service"], "AWS::Lambda::Function")
    assert function["Environment"]["Variables"]["DB_SECRET_NAME"] == "dev/url"


def test_less_time_to_connect_than_node_needs_is_refused():
    environment = replace(ENVIRONMENTS[0], api=replace(ON_PRISMA, connect_timeout_seconds=2))
    with pytest.raises(ValueError, match=r"api.connect_timeout_seconds is 2, allowed is 3 to 5.*deadline_seconds to 4"):
        EnvironmentStage(App(), environment=environment)


def test_nothing_but_prisma_speaks_with_accelerate():
    environment = replace(ENVIRONMENTS[1], api=DEV.api)
    with pytest.raises(ValueError, match=r"store is Accelerate and api.runtime is 'python', allowed is 'prisma'"):
        EnvironmentStage(App(), environment=environment)


@dataclass(frozen=True)
class Table:
    """A store that is no PostgreSQL."""


@dataclass(frozen=True)
class Neon:
    """The store of this name, as it is asked."""

    mode: str = "http"


@pytest.mark.parametrize(
    ("store", "message"),
    [
        (Table(), "store is Table, allowed is RdsPostgres or Neon or Accelerate"),
        (Neon(), "store.mode is 'http', allowed is 'connection'"),
    ],
)
def test_a_store_that_prisma_does_not_reach_is_refused(store, message):
    with pytest.raises(ValueError, match=message):
        shipped(Stack(), replace(DEV, api=ON_PRISMA, store=store), "")


def test_an_unknown_runtime_is_refused():
    with pytest.raises(ValueError, match="runtime is 'ruby', allowed is python, prisma"):
        replace(DEV.api, runtime="ruby")


def test_a_build_without_a_registry_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "BUILD", tmp_path)
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_replace_registry_host", "always")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(build.BuildFailed, match=r"install .*is the npm registry reachable from here"):
        build.built()

"""The stacks of an environment on PlanetScale: what the function may read, what is nowhere, and what fits."""

import json
import subprocess
from dataclasses import replace

import pytest

from lambda_src import stores
from lambda_src.planetscale import migrations, settings
from stacks.bundling import REQUIREMENTS, SOURCE, bundle, interpreter_for
from stacks.config import Function
from stacks.external.budget import ExternalBudget
from stacks.options.planetscale import PlanetScale
from stacks.runtime import this_machine
from tests.environments import DEV
from tests.infrastructure.synthesis import of_type, synthesize, templates
from tests.planetscale.example import EXAMPLE as OPTION

API = "lambda_src.handler.handler"
OWN = "database/planetscale/migrations"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The environment as the option's page has it, and one whose migrations have a secret of their own."""
    store = replace(OPTION.store, migrations_secret_name=OWN)
    return synthesize(tmp_path_factory.mktemp("cdk.out"), [OPTION, replace(OPTION, name="own", store=store)])


@pytest.fixture(scope="module")
def synthesized(app):
    return templates(app)


def function(template, handler):
    (found,) = [
        each["Properties"]
        for each in of_type(template, "AWS::Lambda::Function").values()
        if each["Properties"]["Handler"] == handler
    ]
    return found


def secrets_of(template, found):
    """The resources that a function's role may read as secrets, and the actions."""
    role = found["Role"]["Fn::GetAtt"][0]
    return [
        (statement["Action"], json.dumps(statement["Resource"]))
        for policy in of_type(template, "AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "secretsmanager" in json.dumps(statement["Action"])
    ]


def test_every_validator_accepts_it(app):
    app.synth()


def test_functions_get_the_variables_that_they_read(synthesized):
    projects = function(synthesized["own", "service"], API)["Environment"]["Variables"]
    assert sorted(projects) == sorted((*stores.VARIABLES, *settings.VARIABLES))
    migrate = function(synthesized["own", "data"], OPTION.store.migrations)["Environment"]["Variables"]
    assert migrate.keys() >= {*migrations.VARIABLES, "DB_MIGRATIONS_SECRET_NAME"}


def test_the_migrations_handler_is_there():
    module, _, name = OPTION.store.migrations.rpartition(".")
    assert (module, name) == (migrations.__name__, migrations.handler.__name__)


def test_the_api_reads_exactly_its_secret_and_not_that_of_the_migrations(synthesized):
    template = synthesized["own", "service"]
    ((action, resource),) = secrets_of(template, function(template, API))
    assert action == "secretsmanager:GetSecretValue"
    assert f"secret:{OPTION.store.secret_name}-??????" in resource
    assert OWN not in json.dumps(template)


def test_nothing_of_the_url_is_in_a_template_and_nothing_is_in_a_vpc(synthesized):
    for template in synthesized.values():
        text = json.dumps(template)
        assert "mysql://" not in text
        assert "resolve:secretsmanager" not in text
        assert "VpcConfig" not in text
        assert "AWS::EC2::" not in text


def test_reserved_connections_of_two_versions_must_fit_into_the_databases():
    function = Function(reserved_concurrency=50)
    with pytest.raises(ValueError, match=r"50 reserved are 100 clients .* lets in 60: .* to 30\n"):
        ExternalBudget.of(replace(OPTION, api=function, store=replace(OPTION.store, max_connections=60)))
    assert ExternalBudget.of(replace(OPTION, api=function, store=replace(OPTION.store, max_connections=100)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"secret_name": "arn:aws:secretsmanager:eu-west-1:1:secret:a"}, "allowed is the secret's name, not its ARN"),
        ({"migrations_secret_name": ""}, "migrations_secret_name is ''"),
        ({"max_connections": 0}, "max_connections is 0, allowed is a whole number from 1"),
    ],
)
def test_an_impossible_value_is_refused_when_it_is_built(changed, message):
    with pytest.raises(ValueError, match=message):
        PlanetScale(**{"secret_name": "planetscale", **changed})


def test_the_zip_has_pymysql_instead_of_psycopg_and_runs_with_nothing_else(tmp_path):
    bundle(this_machine(), tmp_path, PlanetScale.requirements)
    top = {path.name.partition("-")[0] for path in tmp_path.iterdir()} - {"__pycache__", "contents.txt"}
    assert top == {"certifi", "lambda_src", "pymysql"}
    program = (
        "import sys; sys.path.insert(0, '.'); "
        "import lambda_src.planetscale.store, lambda_src.planetscale.migrations, lambda_src.routes; "
        "print('psycopg' in sys.modules, 'boto3' in sys.modules)"
    )
    result = subprocess.run(
        [interpreter_for(this_machine().python), "-I", "-S", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (result.stdout.strip(), result.stderr) == ("False False", "")


def test_the_stores_on_postgresql_ship_no_pymysql():
    lock = (SOURCE / REQUIREMENTS).read_text()
    assert "psycopg==" in lock
    assert "pymysql" not in lock.lower()
    assert not hasattr(DEV.store, "requirements")

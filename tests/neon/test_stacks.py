"""The stacks of an environment on a PostgreSQL outside the account: what is nowhere, who reads what, and what fits."""

import json
from dataclasses import replace

import pytest

from lambda_src import stores
from lambda_src.neon import migrations, settings
from stacks.config import Function, Throttle
from stacks.documents import report
from stacks.external.budget import ExternalBudget, external_alarm_plans
from stacks.options.neon.store import MODES, Neon
from tests.conftest import ROOT
from tests.infrastructure.synthesis import FIXED, of_type, synthesize, templates
from tests.neon.example import EXAMPLE as OPTION

(PROD,) = [each for each in FIXED if each.name == "prod"]
OWN, HANDLER = "database/prod/migrations", "lambda_src.handler.handler"
NOWHERE = ("AWS::EC2::", "AWS::RDS::", "AWS::SecretsManager::")


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The environment as the option's page has it, and prod over HTTP, whose migrations have a secret of their own."""
    store = Neon(secret_name="database/prod", migrations_secret_name=OWN, mode="http", max_connections=419)
    return synthesize(tmp_path_factory.mktemp("cdk.out"), [OPTION, replace(PROD, store=store)])


@pytest.fixture(scope="module")
def synthesized(app):
    return templates(app)


def function(template, handler):
    found = of_type(template, "AWS::Lambda::Function").values()
    (properties,) = [each["Properties"] for each in found if each["Properties"]["Handler"] == handler]
    return properties


def secrets_of(template, found):
    """What a function's role may do with secrets: actions, and resources as text."""
    role = {"Ref": found["Role"]["Fn::GetAtt"][0]}
    return [
        (statement["Action"], json.dumps(statement["Resource"]))
        for policy in of_type(template, "AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if role in policy["Properties"]["Roles"] and "secretsmanager" in json.dumps(statement["Action"])
    ]


def test_every_validator_accepts_it(app):
    app.synth()


def test_there_is_no_network_no_database_no_secret_and_no_url(synthesized):
    for template in synthesized.values():
        assert not [each for each in template["Resources"].values() if each["Type"].startswith(NOWHERE)]
        text = json.dumps(template)
        assert not [word for word in ("VpcConfig", "postgresql://", "{{resolve:") if word in text]


def test_functions_get_exactly_the_variables_that_they_read(synthesized):
    for name, mode in (("neon", "connection"), ("prod", "http")):
        variables = function(synthesized[name, "service"], HANDLER)["Environment"]["Variables"]
        assert sorted(variables) == sorted((*stores.VARIABLES, *settings.VARIABLES))
        assert variables["NEON_MODE"] == mode
    migrate = function(synthesized["neon", "data"], OPTION.store.migrations)["Environment"]["Variables"]
    assert sorted(migrate) == sorted(migrations.VARIABLES)
    migrate = function(synthesized["prod", "data"], OPTION.store.migrations)["Environment"]["Variables"]
    assert sorted(migrate) == sorted((*migrations.VARIABLES, "DB_MIGRATIONS_SECRET_NAME"))


def test_the_migrations_handler_and_the_modes_are_those_of_the_code():
    assert f"{migrations.__name__}.{migrations.handler.__name__}" == OPTION.store.migrations
    assert MODES == settings.MODES


def test_the_api_reads_one_secret_and_not_that_of_the_migrations(synthesized):
    template = synthesized["prod", "service"]
    ((action, resource),) = secrets_of(template, function(template, HANDLER))
    assert action == "secretsmanager:GetSecretValue"
    assert ":secret:database/prod-??????" in resource
    assert OWN not in json.dumps(template)
    template = synthesized["prod", "data"]
    ((action, resource),) = secrets_of(template, function(template, OPTION.store.migrations))
    assert action == "secretsmanager:GetSecretValue"
    assert f":secret:{OWN}-??????" in resource


def test_concurrency_is_reserved_and_the_api_is_throttled_below_what_it_serves(synthesized):
    assert function(synthesized["neon", "service"], HANDLER)["ReservedConcurrentExecutions"] == 5
    (stage,) = of_type(synthesized["neon", "service"], "AWS::ApiGatewayV2::Stage").values()
    assert stage["Properties"]["DefaultRouteSettings"] == {"ThrottlingBurstLimit": 10, "ThrottlingRateLimit": 40}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"api": Function(reserved_concurrency=400, seconds=0.05, seconds_in_database=0.03)},
            r"400 reserved need 342 pooled connections \(99 % busy 263 × 1.3\) but the pooler opens 93 \(90 % of "
            r"max_connections=104\): raise store.max_connections with a larger compute, or lower "
            r"api.reserved_concurrency to 100",
        ),
        (
            {"api": Function(reserved_concurrency=60), "store": Neon(secret_name="a", pooler_clients=100)},
            r"60 reserved are 120 clients while a deployment .* lets in 100: raise store.pooler_clients, or lower "
            r"api.reserved_concurrency to 50",
        ),
        ({"name": "prod", "alarm_address": None}, r"^prod: alarm_address is not given: no alarm is sent to anybody"),
        (
            {"api": Function(reserved_concurrency=950)},
            r"951 reserved are more than the 900 that an account of 1000 can reserve, since Lambda keeps 100: lower "
            r"api.reserved_concurrency to 899, or raise account_concurrency to 1051",
        ),
        (
            {"account_concurrency": 10},
            r"the 0 that an account of 10 can reserve, since Lambda keeps 100: raise account_",
        ),
        (
            {"api": Function(reserved_concurrency=5, keeps_session_state=True)},
            r"keeps_session_state is True, and the pooler",
        ),
    ],
)
def test_an_environment_that_does_not_fit_is_refused_with_numbers(changed, message):
    with pytest.raises(ValueError, match=message):
        ExternalBudget.of(replace(OPTION, **changed))


def test_rates_that_the_function_cannot_serve_are_warned_of():
    served = replace(
        OPTION, api=Function(reserved_concurrency=20, requests_per_second=200), throttle=Throttle(rate=200)
    )
    assert not {"B07", "B08"} & {each.id for each in report(served).findings()}
    busy = replace(served, api=replace(served.api, requests_per_second=201), throttle=Throttle(rate=201))
    found = {each.id: each for each in report(busy).findings()}
    assert "201 requests a second are expected, and 20 reserved serve 200" in found["B07"].sentence
    assert found["B08"].repairs[0].changes == {"throttle_rate": 200}


def test_the_repairs_that_a_refusal_names_are_right():
    busy = Function(reserved_concurrency=400, seconds=0.05, seconds_in_database=0.03)
    assert ExternalBudget.of(replace(OPTION, api=replace(busy, reserved_concurrency=100))).demand.needed <= 93
    with pytest.raises(ValueError, match="pooled connections"):
        ExternalBudget.of(replace(OPTION, api=replace(busy, reserved_concurrency=101)))


def test_the_same_demand_as_before_rds_proxy():
    ours, proxys = ExternalBudget.of(OPTION), replace(OPTION, store=PROD.store).budget
    assert (ours.demand.needed, ours.demand.busy_99) == (proxys.needed, proxys.busy_99)
    assert (ours.throttle_rate, ours.throttle_burst) == (proxys.throttle_rate, proxys.throttle_burst)
    assert ours.statement_timeout == proxys.statement_timeout
    throttled = ExternalBudget.of(replace(OPTION, throttle=Throttle(rate=3, burst=4)))
    assert (throttled.throttle_rate, throttled.throttle_burst) == (3, 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"secret_name": "arn:aws:secretsmanager:eu-west-1:1:secret:a"}, "allowed is the secret's name, not its ARN"),
        ({"migrations_secret_name": ""}, "migrations_secret_name is ''"),
        ({"mode": "websocket"}, "mode is 'websocket', allowed is connection, http"),
        ({"max_connections": 5}, "max_connections is 5, allowed is a whole number from 6"),
        ({"pool_size": 0}, "pool_size is 0, allowed is a whole number from 1"),
        ({"pooler_clients": 0}, "pooler_clients is 0, allowed is a whole number from 1"),
    ],
)
def test_an_impossible_value_is_refused_when_it_is_built(changed, message):
    with pytest.raises(ValueError, match=message):
        Neon(**{"secret_name": "database", **changed})


def test_planetscales_pooler_is_another_size():
    assert Neon(secret_name="database", pool_size=20).pool.connections == 20
    assert "pool_size=20" in (ROOT / OPTION.store.page).read_text()


def test_every_alarm_leads_to_the_page():
    page = (ROOT / OPTION.store.page).read_text()
    for plan in external_alarm_plans(ExternalBudget.of(OPTION), OPTION):
        assert f"\n## {plan.page.replace('-', ' ').capitalize()}\n" in page

"""An environment whose store is DynamoDb: one table, no network, and a function that may do five things."""

import copy
import json
import re
from dataclasses import replace

import pytest

from lambda_src import stores
from lambda_src.dynamodb import table as function_side
from stacks.budget.__main__ import text
from stacks.config import Throttle
from stacks.documents import report
from stacks.options.dynamodb import DynamoDb, budget
from stacks.options.dynamodb.budget import PARTITION_SAFE, REFUSED, SPREAD_DEPENDENT, Throughput, refuse_throughput
from stacks.options.dynamodb.runbook import CHAPTER
from stacks.postgres.runbook import CHAPTER as POSTGRES_CHAPTER
from stacks.runbook.pages import slug
from tests.conftest import ROOT
from tests.dynamodb import fixtures as local
from tests.dynamodb.example import EXAMPLE as OPTION
from tests.infrastructure import snapshots
from tests.infrastructure.synthesis import FIXED, function_and_role, of_type, only, synthesize, templates
from tests.infrastructure.table_changes import refused_changes
from tests.infrastructure.test_database import policy_of

TABLE, ALARM = "AWS::DynamoDB::GlobalTable", "AWS::CloudWatch::Alarm"
STORE = DynamoDb(max_read_request_units=2000, max_write_request_units=1900)
NOWHERE = ("AWS::EC2::", "AWS::RDS::", "AWS::SecretsManager::", "AWS::CloudFormation::CustomResource", "Custom::")


@pytest.fixture(scope="session")
def option_app(tmp_path_factory):
    return synthesize(tmp_path_factory.mktemp("cdk.out"), [OPTION])


@pytest.fixture(scope="session")
def options(option_app):
    return templates(option_app)


@pytest.fixture(scope="session")
def data(options):
    return options["dynamodb", "data"]


@pytest.fixture(scope="session")
def service(options):
    return options["dynamodb", "service"]


def of_prod(tmp_path, **changed):
    """The app with prod on a table."""
    (prod,) = [each for each in FIXED if each.name == "prod"]
    return synthesize(tmp_path, [replace(prod, store=replace(STORE, **changed))])


def test_every_validator_accepts_it(option_app):
    option_app.synth()


def test_every_validator_accepts_it_in_production(tmp_path):
    of_prod(tmp_path).synth()


def test_a_production_table_that_cannot_be_restored_is_refused(tmp_path):
    with pytest.raises(ValueError, match="prod: F04 recovery_days is 0, less than a week: raise recovery_days to 7"):
        of_prod(tmp_path, recovery_days=0)


def test_there_is_no_network_no_database_and_no_secret(data, service):
    kinds = {each["Type"] for template in (data, service) for each in template["Resources"].values()}
    assert not [kind for kind in kinds if kind.startswith(NOWHERE)]
    assert "VpcConfig" not in only(service, "AWS::Lambda::Function")


def test_the_table_has_the_keys_and_indexes_that_the_tests_of_the_store_use(data):
    table = only(data, TABLE)
    for part in ("KeySchema", "LocalSecondaryIndexes"):
        assert table[part] == local.DEFINITION[part]
    shapes = [{key: index[key] for key in ("IndexName", "KeySchema", "Projection")} for index in index_of(table)]
    assert shapes == local.DEFINITION["GlobalSecondaryIndexes"]
    names = {each["AttributeName"] for each in table["AttributeDefinitions"]}
    assert names == {each["AttributeName"] for each in local.DEFINITION["AttributeDefinitions"]}


def index_of(table):
    return table["GlobalSecondaryIndexes"]


def test_the_table_is_as_the_environment_says(data, tmp_path):
    for table, store, retain in (
        (only(data, TABLE), OPTION.store, False),
        (only(templates(of_prod(tmp_path))["prod", "data"], TABLE), STORE, True),
    ):
        (replica,) = table["Replicas"]
        (index,) = index_of(table)
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["WriteOnDemandThroughputSettings"]["MaxWriteRequestUnits"] == store.max_write_request_units
        assert replica["ReadOnDemandThroughputSettings"]["MaxReadRequestUnits"] == store.max_read_request_units
        assert index["WriteOnDemandThroughputSettings"] == table["WriteOnDemandThroughputSettings"]
        assert replica["PointInTimeRecoverySpecification"] == {
            "PointInTimeRecoveryEnabled": True,
            "RecoveryPeriodInDays": store.recovery_days,
        }
        assert replica["DeletionProtectionEnabled"] is retain
        assert replica["ContributorInsightsSpecification"] == {"Enabled": True}
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
        assert "TableName" not in table  # a named table could never be replaced


def test_the_table_outlives_its_stack_where_data_is_kept(data, tmp_path):
    (deleted,) = of_type(data, TABLE).values()
    (kept,) = of_type(templates(of_prod(tmp_path))["prod", "data"], TABLE).values()
    assert (deleted["DeletionPolicy"], kept["DeletionPolicy"]) == ("Delete", "RetainExceptOnCreate")
    assert kept["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize(("encryption", "enabled"), [("aws_owned", False), ("aws_managed", True)])
def test_the_table_is_encrypted_with_the_key_that_is_asked_for(tmp_path, encryption, enabled):
    """Without SSEEnabled it is a key of DynamoDB's own: nothing in DynamoDB is ever stored in the clear."""
    table = only(templates(of_prod(tmp_path, encryption=encryption))["prod", "data"], TABLE)
    assert table["SSESpecification"]["SSEEnabled"] is enabled


def test_the_function_may_do_five_things_with_the_table_and_query_its_indexes(service):
    statements = [each for each in policy_of(service, function_and_role(service)[1]) if "dynamodb:" in json.dumps(each)]
    table, indexes = sorted(
        statements, key=lambda each: -len(each["Action"]) if isinstance(each["Action"], list) else 0
    )
    assert table["Action"] == [f"dynamodb:{verb}Item" for verb in ("Delete", "Get", "Put")] + [
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    ]
    assert "index" not in json.dumps(table["Resource"])
    assert indexes["Action"] == "dynamodb:Query"
    assert [each["Fn::Join"][1][1] for each in indexes["Resource"]] == ["/index/ByCreation", "/index/GSI1"]


def test_the_function_is_given_exactly_the_variables_that_it_reads(service):
    variables = only(service, "AWS::Lambda::Function")["Environment"]["Variables"]
    assert sorted(variables) == sorted((*stores.VARIABLES, *function_side.VARIABLES))


def test_an_attempt_takes_as_long_as_the_functions_own():
    assert budget.SHORTEST_DEADLINE == function_side.CONNECT_SECONDS + function_side.READ_SECONDS
    assert budget.LATE_SECONDS == budget.SHORTEST_DEADLINE - function_side.LEAST_SECONDS


def test_the_api_lets_through_what_the_function_can_serve(service):
    stage = only(service, "AWS::ApiGatewayV2::Stage")["DefaultRouteSettings"]
    assert (stage["ThrottlingRateLimit"], stage["ThrottlingBurstLimit"]) == (40, 10)  # as dev's on PostgreSQL


def refusal(environment):
    with pytest.raises(ValueError, match=f"^{environment.name}: ") as caught:
        refuse_throughput(Throughput.of(environment))
    return str(caught.value)


def test_a_table_that_cannot_serve_what_the_api_lets_through_is_refused(tmp_path):
    small = replace(OPTION, store=DynamoDb(max_read_request_units=60, max_write_request_units=119))
    assert refusal(small).splitlines()[:3] == [
        "dynamodb: the throughput does not hold:",
        "  T01 40 requests a second that the API lets through × 3 units (a list of 25) need 120 units but "
        "max_read_request_units is 60: raise max_read_request_units to 120, or lower throttle_rate to 20",
        "  T02 40 requests a second that the API lets through × 3 units (a creation) need 120 units but "
        "max_write_request_units is 119: raise max_write_request_units to 120, or lower throttle_rate to 39",
    ]
    with pytest.raises(ValueError, match="T01 40 requests a second"):
        synthesize(tmp_path, [small])
    held = Throughput.of(replace(small, throttle=Throttle(rate=20)))
    assert (held.throttle_rate, held.verdict) == (20, PARTITION_SAFE)


@pytest.mark.parametrize(
    ("changes", "id"),
    [
        ({"api": {"deadline_seconds": 2}}, "T03"),
        ({"api": {"deadline_seconds": 23}}, "T05"),
        ({"api": {"deadline_seconds": 28, "timeout_seconds": 29}}, "T05"),
        ({"api": {"timeout_seconds": 5}}, "T05"),
        ({"account_concurrency": 104}, "B01"),
        ({"name": "prod", "alarm_address": "a@b.test"}, "F02"),
        ({"name": "prod", "alarm_address": "a@b.test", "retain": True, "store": {"recovery_days": 6}}, "F04"),
        ({"name": "prod", "retain": True}, "J06"),
    ],
)
def test_what_does_not_hold_is_refused_with_what_repairs_it(changes, id):
    parts = {name: replace(getattr(OPTION, name), **changes[name]) for name in ("api", "store") if name in changes}
    environment = replace(OPTION, **{**changes, **parts})
    assert refusal(environment).startswith(f"{environment.name}: {id} ")
    (error,) = [each for each in Throughput.of(environment).findings() if each.severity == "error"]
    for repair in error.repairs:
        owner = next((name for name in ("api", "store") if hasattr(getattr(environment, name), repair.name)), None)
        changed = {repair.name: repair.value}
        repaired = {owner: replace(getattr(environment, owner), **changed)} if owner else changed
        refuse_throughput(Throughput.of(replace(environment, **repaired)))


def test_a_verdict_says_whether_one_tenant_alone_may_make_all_requests():
    large = replace(OPTION, store=DynamoDb(max_read_request_units=40_000, max_write_request_units=40_000))
    rates = {333: PARTITION_SAFE, 334: SPREAD_DEPENDENT, 9999: SPREAD_DEPENDENT}
    large = replace(large, api=replace(OPTION.api, reserved_concurrency=50))  # which serves 500
    found = {rate: Throughput.of(replace(large, throttle=Throttle(rate=rate))) for rate in rates}
    assert {rate: each.verdict for rate, each in found.items()} == rates
    assert [each.id for each in found[334].findings()] == ["F02", "J06"]
    assert [each.id for each in found[9999].findings()] == ["T04", "B08", "F02", "J06"]  # more than a new table gives
    assert Throughput.of(replace(OPTION, throttle=Throttle(rate=67))).verdict == REFUSED


def region(name):
    """What stands between two comments of the option's page."""
    text = (ROOT / "docs" / "options" / "dynamodb.md").read_text()
    return re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL)[1].strip()


def test_the_throughput_is_counted_with_the_units_that_requests_were_measured_to_take():
    units = {cells[0]: cells[2] for line in region("costs").splitlines() for cells in [line.strip("| ").split(" | ")]}
    assert int(units["list, a page of 25"]) == budget.READ_UNITS
    assert int(units["create"]) == budget.WRITE_UNITS


def test_the_options_page_shows_the_budget_of_its_example():
    expected = f"```text\n{text(report(OPTION), []).strip()}\n```"
    assert region("budget") == expected, f"put this between the markers of docs/options/dynamodb.md:\n\n{expected}\n"


def test_every_impossible_value_is_named():
    with pytest.raises(ValueError, match="DynamoDb: max_read_request_units is 0") as caught:
        DynamoDb(max_read_request_units=0, max_write_request_units=-1, recovery_days=36, encryption="none")
    assert all(each in str(caught.value) for each in ("max_write_request_units", "recovery_days", "encryption"))


def test_there_are_no_connections_to_count():
    with pytest.raises(ValueError, match="dynamodb has no connection budget: its store is DynamoDb"):
        _ = OPTION.budget


# What watches it


def alarms(service):
    return {each["Properties"]["MetricName"]: each["Properties"] for each in of_type(service, ALARM).values()}


def test_the_table_is_watched_by_its_throughput_and_nothing_of_a_database(service):
    found = alarms(service)
    assert {each["Namespace"] for each in found.values()} == {"AWS/ApiGateway", "AWS/Lambda", "AWS/DynamoDB"}
    assert found["ConsumedReadCapacityUnits"]["Threshold"] == 60 * 400 * 0.8
    assert found["ConsumedWriteCapacityUnits"]["Threshold"] == 60 * 200 * 0.8
    assert found["ConcurrentExecutions"]["Threshold"] == 4  # 90 % of 5, as dev's on PostgreSQL
    for name in ("ReadThrottleEvents", "WriteThrottleEvents", "SystemErrors"):
        (dimension,) = found[name]["Dimensions"]
        assert (dimension["Name"], found[name]["Threshold"]) == ("TableName", 0)


def test_every_alarm_leads_to_a_page_of_the_runbook(service):
    found = {re.search(r"docs/runbook\.md#(\S+)$", each["AlarmDescription"])[1] for each in alarms(service).values()}
    assert {"table-throttling", "table-failure"} < found
    assert found <= {slug(title) for title in (*POSTGRES_CHAPTER.pages, *CHAPTER.pages)}


def widgets(service):
    """The dashboard's, with what only CloudFormation knows left out."""
    body = only(service, "AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
    return json.loads("".join(part if isinstance(part, str) else "…" for part in body))["widgets"]


def test_the_dashboard_follows_the_path_of_a_request_to_the_table_and_draws_the_plan(service):
    found = {each["properties"]["title"]: each["properties"] for each in widgets(service) if each["type"] == "metric"}
    assert list(found) == [
        "Requests a minute",
        "Latency, ms",
        "Function: environments in use",
        "Function: duration, ms",
        "Table: read units a minute",
        "Table: reads throttled",
        "Table: write units a minute",
        "Table: writes throttled",
        "Table, as functions see it: attempts",
        "Table, as functions see it: ms",
        "API: share of 5xx and 4xx",
        "Errors of the function and of DynamoDB, throttles, requests without an answer",
    ]
    lines = {
        title: {line["label"]: line["value"] for line in each.get("annotations", {}).get("horizontal", [])}
        for title, each in found.items()
    }
    assert lines["Requests a minute"]["the API's throttle"] == 60 * 40
    assert lines["Function: environments in use"] == {"reserved": 5}
    assert lines["Table: read units a minute"] == {
        "needed at the throttle": 60 * 120,
        "alarm": 60 * 320,
        "maximum throughput": 60 * 400,
        "one tenant's partition": 60 * 3000,
    }
    assert lines["Table: write units a minute"]["maximum throughput"] == 60 * 200


def test_the_dashboard_shows_the_state_of_every_alarm_and_nothing_of_a_database(service):
    (states,) = [each for each in widgets(service) if each["type"] == "alarm"]
    assert len(states["properties"]["alarms"]) == len(alarms(service))
    shown = {
        (namespace, name)
        for each in widgets(service)
        if each["type"] == "metric"
        for namespace, name, *_ in each["properties"]["metrics"]
    }
    assert {namespace for namespace, _ in shown} == {"AWS/ApiGateway", "AWS/Lambda", "AWS/DynamoDB", "DatabaseClient"}
    logged = {name for namespace, name in shown if namespace == "DatabaseClient"}
    assert logged == {*function_side.METRICS} - {"CapacityUnits"}  # DynamoDB counts those itself


def test_the_address_is_told_of_every_alarm(tmp_path):
    made = templates(of_prod(tmp_path))
    (topic,) = of_type(made["prod", "data"], "AWS::SNS::Topic")
    told = [each["Properties"]["AlarmActions"] for each in of_type(made["prod", "service"], ALARM).values()]
    assert told
    assert all(topic in json.dumps(each) for each in told)


# What an update cannot do


def changed(template, change):
    copied = copy.deepcopy(template)
    change(only(copied, TABLE))
    return copied


def index(name, projection="ALL"):
    keys = [{"AttributeName": "GSI1PK", "KeyType": "HASH"}]
    return {"IndexName": name, "KeySchema": keys, "Projection": {"ProjectionType": projection}}


def test_one_index_more_or_less_is_an_update(data):
    assert refused_changes(data, data) == []
    assert refused_changes(data, changed(data, lambda table: index_of(table).append(index("GSI2")))) == []
    assert refused_changes(data, changed(data, lambda table: index_of(table).pop())) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda table: index_of(table).extend([index("GSI2"), index("GSI3")]), r"\+GSI2 \+GSI3 are 2 changes"),
        (lambda table: table.update(GlobalSecondaryIndexes=[index("GSI2")]), r"\+GSI2 -GSI1 are 2 changes"),
        (lambda table: index_of(table)[0].update(index("GSI1")), "index GSI1 can't be changed"),
        (lambda table: table.pop("LocalSecondaryIndexes"), "another LocalSecondaryIndexes is another table"),
        (lambda table: table["KeySchema"].pop(), "another KeySchema is another table"),
    ],
)
def test_a_change_that_an_update_cannot_make_is_refused_before_a_snapshot_is_written(
    data, tmp_path, change, sentence, monkeypatch
):
    (problem,) = refused_changes(data, changed(data, change))
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(problem)
    (tmp_path / "dynamodb-data.json").write_text(snapshots.render(data))
    monkeypatch.setattr(snapshots, "texts", lambda _: {"dynamodb-data.json": snapshots.render(changed(data, change))})
    with pytest.raises(SystemExit, match=sentence):
        snapshots.write(tmp_path, [OPTION])
    assert (tmp_path / "dynamodb-data.json").read_text() == snapshots.render(data)

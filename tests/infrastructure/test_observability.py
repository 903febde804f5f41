"""What is alarmed, at which threshold, who is told, and what the dashboard shows: from the budget."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from lambda_src import embedded_metrics
from stacks.alarm_plan import CLIENT, api_alarms
from stacks.capacity import Budget
from stacks.documents import report
from stacks.metrics import NAMESPACES
from stacks.postgres.alarm_plan import alarm_plans
from tests.environments import PROD

from .synthesis import FIXED, of_type, only, synthesize, templates

RDS = "AWS/RDS"


@pytest.fixture
def alarms(service):
    """The alarms by the name of their construct."""
    found = of_type(service, "AWS::CloudWatch::Alarm")
    return {re.fullmatch(r"Alarms(\w+?)[0-9A-F]{8}", name)[1]: each["Properties"] for name, each in found.items()}


@pytest.fixture
def plans(environment):
    return {each.id: each for each in alarm_plans(environment.budget, environment.store.allocated_storage_gib)}


@pytest.fixture
def widgets(service):
    """The dashboard's widgets; what only a deployment knows is written as its logical id."""
    body = only(service, "AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
    text = "".join(each if isinstance(each, str) else str(each.get("Ref") or each["Fn::GetAtt"][0]) for each in body)
    return json.loads(text)["widgets"]


def test_there_is_an_alarm_for_each_plan(alarms, plans):
    assert alarms.keys() == plans.keys()


def test_every_alarm_of_both_stacks_is_in_the_documents(data, service, environment):
    made = [name for stack in (data, service) for name in of_type(stack, "AWS::CloudWatch::Alarm")]
    told = [each.id for each in report(environment).alarms()]
    assert sorted(re.fullmatch(r"(?:Alarms)?(\w+?)[0-9A-F]{8}", name)[1] for name in made) == sorted(told)


def test_every_alarm_has_the_threshold_of_the_plan(alarms, plans):
    for id, plan in plans.items():
        alarm = alarms[id]
        assert (alarm["MetricName"], alarm["Threshold"]) == (plan.metric, plan.threshold)
        assert alarm["ComparisonOperator"] == ("LessThanThreshold" if plan.below else "GreaterThanThreshold")
        assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"], alarm["Period"]) == (plan.minutes, plan.of, 60)
        assert alarm.get("Statistic", alarm.get("ExtendedStatistic")) == plan.statistic
        assert alarm["TreatMissingData"] == "notBreaching"


def test_thresholds_follow_the_budget(alarms, environment):
    budget = environment.budget
    assert alarms["ProxyPinnedSessions"]["Threshold"] == max(3, min(budget.pool, budget.clients) // 10)
    assert alarms["ProxyBusy"]["Threshold"] == budget.needed
    assert alarms["ProxyConnections"]["Threshold"] == budget.pool * 8 // 10
    assert alarms["ProxyAllowed"]["Threshold"] == budget.needed
    assert alarms["ProxyClients"]["Threshold"] == budget.clients
    assert alarms["ProxyBorrowLatency"]["Threshold"] == 100_000  # microseconds
    assert alarms["FunctionConcurrency"]["Threshold"] == budget.concurrency * 9 // 10
    assert alarms["FunctionDuration"]["Threshold"] == 700 * budget.deadline
    assert alarms["DatabaseConnections"]["Threshold"] == budget.max_connections * 9 // 10
    assert alarms["DatabaseLoad"]["Threshold"] == budget.instance_class.vcpus


def test_an_alarm_goes_off_before_what_it_warns_of(environment):
    budget = environment.budget
    found = {each.id: each.threshold for each in alarm_plans(budget, environment.store.allocated_storage_gib)}
    assert budget.needed < found["ProxyConnections"] < budget.pool
    assert found["ProxyPinnedSessions"] < budget.clients
    assert found["FunctionConcurrency"] < budget.concurrency
    assert found["FunctionDuration"] < 1000 * budget.deadline
    assert found["ProxyBorrowLatency"] < 1_000_000 * budget.connection_borrow_timeout
    assert found["DatabaseConnections"] < budget.max_connections


@pytest.mark.parametrize(("deadline", "milliseconds"), [(3, 2500), (10, 8000)])
def test_callers_may_wait_as_long_as_the_deadline_lets_them(deadline, milliseconds):
    (latency,) = [each for each in api_alarms(deadline) if each.id == "ApiLatency"]
    assert latency.threshold == milliseconds


def test_counts_of_the_proxy_are_summed_over_its_nodes(alarms, widgets):
    proxied = [each for each in alarms.values() if dimensions(each).keys() == {"ProxyName"}]
    assert len(proxied) == 9
    assert {each["MetricName"] for each in proxied if each["Statistic"] != "Sum"} == {
        "DatabaseConnectionsBorrowLatency"
    }
    drawn = [
        metric for widget in widgets for metric in widget["properties"].get("metrics", []) if "ProxyName" in metric
    ]
    assert drawn
    assert {metric[1] for metric in drawn if metric[-1].get("stat") != "Sum"} == {"DatabaseConnectionsBorrowLatency"}


def test_every_metric_is_of_this_environments_own(alarms, data, service, environment):
    (proxy,) = of_type(data, "AWS::RDS::DBProxy").values()
    (instance,) = of_type(data, "AWS::RDS::DBInstance").values()
    (function,) = of_type(service, "AWS::Lambda::Function")
    (api,) = of_type(service, "AWS::ApiGatewayV2::Api")
    allowed = {
        "ProxyName": proxy["Properties"]["DBProxyName"],
        "DBInstanceIdentifier": instance["Properties"]["DBInstanceIdentifier"],
        "FunctionName": {"Ref": function},
        "ApiId": {"Ref": api},
        "TargetGroup": "default",
        "TargetRole": "READ_WRITE",
    }
    for id, alarm in alarms.items():
        assert id == "AccountConcurrency" or dimensions(alarm)
        for name, value in dimensions(alarm).items():
            assert value == allowed[name]


def dimensions(alarm):
    return {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}


def test_a_burstable_instance_has_an_alarm_on_its_credits_and_no_other_has(alarms, environment):
    assert ("DatabaseCredits" in alarms) == environment.store.instance.startswith("t")


def test_no_alarm_is_about_an_account_that_nobody_knows(environment):
    unknown = Budget.of(replace(environment.budget.plan, account_concurrency=None))
    assert "AccountConcurrency" not in [each.id for each in alarm_plans(unknown, 20)]


def test_every_alarm_says_why_and_which_page_of_the_runbook_helps(alarms, environment):
    for alarm in alarms.values():
        assert re.fullmatch(r".{20,}\. Runbook: docs/runbook\.md#[a-z-]+", alarm["AlarmDescription"])


def test_every_page_that_an_alarm_refers_to_is_in_the_runbook(plans):
    text = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", text, re.MULTILINE)}
    assert {each.page for each in plans.values()} <= anchors


def test_prods_alarms_send_a_message_when_they_go_off_and_when_they_are_over(synthesized):
    data, service = synthesized["prod", "data"], synthesized["prod", "service"]
    (topic,) = of_type(data, "AWS::SNS::Topic")
    alarms = [each["Properties"] for each in of_type(service, "AWS::CloudWatch::Alarm").values()]
    assert alarms
    for alarm in alarms:
        (action,) = alarm["AlarmActions"]
        assert alarm["OKActions"] == [action]
        assert topic in action["Fn::ImportValue"]
    for alarm in of_type(data, "AWS::CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"] == [{"Ref": topic}]


def test_prods_messages_are_encrypted_with_a_key_that_their_senders_may_use(synthesized):
    data = synthesized["prod", "data"]
    (key,) = of_type(data, "AWS::KMS::Key")
    assert only(data, "AWS::SNS::Topic")["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    assert data["Resources"][key]["Properties"]["EnableKeyRotation"] is True
    statements = data["Resources"][key]["Properties"]["KeyPolicy"]["Statement"]
    granted = [each["Principal"].get("Service", []) for each in statements if "kms:GenerateDataKey*" in each["Action"]]
    senders = {each for one in granted for each in ([one] if isinstance(one, str) else one)}
    assert senders == {"cloudwatch.amazonaws.com", "events.amazonaws.com"}


def test_the_topic_takes_messages_of_this_account_over_tls_only(synthesized):
    document = only(synthesized["prod", "data"], "AWS::SNS::TopicPolicy")["PolicyDocument"]
    by_sid = {each["Sid"]: each for each in document["Statement"]}
    assert by_sid["AlarmsOfThisAccount"]["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }
    (denied,) = [each for each in document["Statement"] if each["Effect"] == "Deny"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_prods_topic_has_the_address_of_the_environment(synthesized):
    subscription = only(synthesized["prod", "data"], "AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", PROD.alarm_address)


def test_what_only_an_event_tells_of_prods_proxy_is_told(synthesized):
    data = synthesized["prod", "data"]
    rule = only(data, "AWS::Events::Rule")
    (topic,) = of_type(data, "AWS::SNS::Topic")
    (proxy,) = of_type(data, "AWS::RDS::DBProxy").values()
    assert rule["EventPattern"] == {
        "source": ["aws.rds"],
        "detail-type": ["RDS DB Proxy Event"],
        "detail": {
            "EventID": ["RDS-EVENT-0243", "RDS-EVENT-0275"],
            "SourceIdentifier": [proxy["Properties"]["DBProxyName"]],
        },
    }
    assert [each["Arn"] for each in rule["Targets"]] == [{"Ref": topic}]


def test_an_environment_without_an_address_has_alarms_and_tells_nobody(synthesized):
    for stack in ("data", "service"):
        template = synthesized["dev", stack]
        assert not of_type(template, "AWS::SNS::Topic")
        assert not of_type(template, "AWS::Events::Rule")
        for alarm in of_type(template, "AWS::CloudWatch::Alarm").values():
            assert "AlarmActions" not in alarm["Properties"]


def test_an_environment_with_an_address_of_its_own_is_told_there(tmp_path):
    dev = next(each for each in FIXED if each.name == "dev")
    found = templates(synthesize(tmp_path, [replace(dev, alarm_address="team@corp.test")]))
    assert only(found["dev", "data"], "AWS::SNS::Subscription")["Endpoint"] == "team@corp.test"


def test_the_dashboard_follows_the_path_of_a_request(widgets):
    titles = [each["properties"]["title"] for each in widgets if each["type"] == "metric"]
    order = ["Requests a minute", "Function: environments in use", "Proxy: client connections", "Server connections"]
    order += ["Proxy: pinned sessions", "Database: CPU, %", "API: share of 5xx and 4xx"]
    assert [title for title in titles if title in order] == order


def test_the_dashboard_draws_the_lines_of_the_budget(widgets, environment):
    budget = environment.budget
    lines = {
        each["properties"]["title"]: {
            line["label"]: line["value"] for line in each["properties"]["annotations"]["horizontal"]
        }
        for each in widgets
        if "annotations" in each["properties"]
    }
    assert lines["Server connections"] == {
        "needed": budget.needed,
        "alarm": budget.pool * 8 // 10,
        "pool": budget.pool,
        "slots": budget.slots,
    }
    assert lines["Function: environments in use"] == {"reserved": budget.concurrency}
    assert lines["Proxy: client connections"]["one for each environment"] == budget.clients
    assert lines["Requests a minute"]["the API's throttle"] == 60 * budget.throttle_rate


def test_the_dashboard_shows_the_state_of_every_alarm(widgets, alarms):
    (states,) = [each for each in widgets if each["type"] == "alarm"]
    assert len(states["properties"]["alarms"]) == len(alarms)


def test_what_the_templates_reserve_is_what_the_budget_counts(data, service, environment):
    reserved = [
        each["Properties"].get("ReservedConcurrentExecutions", 0)
        for template in (data, service)
        for each in of_type(template, "AWS::Lambda::Function").values()
    ]
    assert sum(reserved) == environment.budget.reserved_concurrency


def test_what_functions_log_is_read_under_the_name_that_they_log_it_with():
    line = embedded_metrics.as_log_fields({"Retries": "Count"}, {"Retries": 2})
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == NAMESPACES[CLIENT]
    assert {*directive["Dimensions"][0], *(each["Name"] for each in directive["Metrics"])} < line.keys()

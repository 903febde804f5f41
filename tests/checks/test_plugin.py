"""The plugin in a real synthesis, as in README.md."""

import json
from pathlib import Path

import pytest
from aws_cdk import Acknowledgment, Environment, NestedStack, Stack, Stage, Validations

from stacks.checks.plugin import ProxyChecks

from .cases import new_app
from .service import USER, function, service


@pytest.fixture
def app(tmp_path):
    app = new_app(tmp_path / "cdk.out", builtin_cloud_formation_validation=False)
    Validations.of(app).add_plugins(ProxyChecks(app))
    return app


def stage(app, id="dev"):
    return Stage(app, id, env=Environment(region="eu-west-1"))


def report(app):
    (found,) = json.loads((Path(app.outdir) / "validation-report.json").read_text())["pluginReports"]
    return found


def names(violations):
    return [each["ruleName"] for each in violations]


def test_an_error_fails_the_synthesis_and_says_what_where_and_what_to_change(app):
    service(stage(app), proxy={"require_tls": False})
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    (violation,) = report(app)["violations"]
    (construct,) = violation["violatingConstructs"]
    assert violation["ruleName"] == "E01"
    assert violation["severity"] == "error"
    found = "ProxyCB0DFB71.RequireTLS: false"
    assert violation["description"] == f"{found}; rule: a proxy requires TLS; see stacks/checks/README.md#rules"
    assert violation["suggestedFix"] == "set require_tls=True"
    assert violation["ruleMetadata"] == {
        "found": "false",
        "source": "Security Hub RDS.43; IAM authentication needs TLS",
    }
    assert construct["constructPath"] == "dev/Stack/Proxy/Resource"
    assert construct["cloudFormationResource"]["propertyPaths"] == ["Properties.RequireTLS"]


def test_a_warning_is_reported_and_does_not_fail(app):
    service(stage(app), proxy={"max_idle_connections_percent": 0})
    app.synth()
    assert [(each["ruleName"], each["severity"]) for each in report(app)["violations"]] == [("A12", "warning")]


def test_a_correct_app_is_silent(app):
    service(stage(app))
    app.synth()
    assert json.loads((Path(app.outdir) / "validation-report.json").read_text())["pluginReports"] == []


def test_an_acknowledgement_holds_for_its_rule_and_scope_only(app):
    first, second = (service(stage(app, id), proxy={"require_tls": False}) for id in ("dev", "staging"))
    Validations.of(first.proxy).acknowledge(Acknowledgment(id="Headroom::E01", reason="a test of a legacy client"))
    Validations.of(second.stack).acknowledge(Acknowledgment(id="Headroom::A01", reason="another rule"))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    found = report(app)
    (violation,) = found["violations"]
    assert violation["violatingConstructs"][0]["constructPath"] == "staging/Stack/Proxy/Resource"
    (suppressed,) = found["suppressedViolations"]
    assert (suppressed["acknowledgedAt"], suppressed["reason"]) == ("dev/Stack/Proxy", "a test of a legacy client")


def test_what_is_acknowledged_does_not_fail(app):
    it = service(stage(app), proxy={"require_tls": False})
    Validations.of(it.stack).acknowledge(Acknowledgment(id="Headroom::E01", reason="a test of a legacy client"))
    app.synth()
    assert names(report(app)["suppressedViolations"]) == ["E01"]


def test_a_finding_in_a_nested_stack_is_found_where_it_is(app):
    it = service(stage(app))
    nested = NestedStack(it.stack, "Nested")
    worker = function(
        nested, it.vpc, [it.groups[0]], variables={"HOST": it.proxy.endpoint}, reserved_concurrent_executions=None
    )
    it.proxy.grant_connect(worker, USER)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    (violation,) = report(app)["violations"]
    assert violation["ruleName"] == "B03"
    assert violation["violatingConstructs"][0]["constructPath"] == "dev/Stack/Nested/Function/Resource"


def test_stacks_outside_of_stages_are_checked_together(app):
    data, other = Stack(app, "Data"), Stack(app, "Other")
    it = service(app, stack=data)
    worker = function(
        other, it.vpc, [it.groups[0]], variables={"HOST": it.proxy.endpoint}, reserved_concurrent_executions=None
    )
    it.proxy.grant_connect(worker, USER)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    assert names(report(app)["violations"]) == ["B03"]


def test_what_is_production_is_a_decision_of_the_app(tmp_path):
    app = new_app(tmp_path / "cdk.out", builtin_cloud_formation_validation=False)
    Validations.of(app).add_plugins(ProxyChecks(app, production=lambda path: path.startswith("customers/")))
    service(stage(app, "customers"), proxy={"debug_logging": True})
    service(stage(app, "prod"), proxy={"debug_logging": True})
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    found = report(app)["violations"]
    assert {each["violatingConstructs"][0]["constructPath"] for each in found} == {"customers/Stack/Proxy/Resource"}
    assert {(each["ruleName"], each["severity"]) for each in found} == {("G03", "error"), ("G04", "warning")}


def test_the_plugin_names_its_rules():
    plugin = ProxyChecks()
    assert plugin.name == "Headroom"
    assert len(plugin.rule_ids) == len(set(plugin.rule_ids)) > 60

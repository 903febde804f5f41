"""What `cdk synth` checks, and with which flags."""

import json
import tarfile
from importlib.resources import files
from pathlib import Path

import pytest
from aws_cdk import Tags

from .synthesis import FIXED, acknowledged, context, synthesize

# The library's recommendation for new apps that this one does not follow, and why.
EXCEPTIONS = {
    # "weak" puts Fn::GetStackOutput into Fn::Split, for the proxy's ARN: cfn-lint and CDK's own rules refuse that
    "@aws-cdk/core:defaultCrossStackReferences": "strong",
}


@pytest.fixture(scope="module")
def report(own_app, own):
    """What the validators say of the whole app of this project; `synth` raises where they find an error."""
    assembly = own_app.synth()
    return json.loads((Path(assembly.directory) / "validation-report.json").read_text())


def test_no_validator_finds_anything_that_is_not_acknowledged(report):
    found = {each["pluginName"]: each["violations"] for each in report["pluginReports"]}
    assert {"AwsSolutions", "Serverless"} <= found.keys()  # CDK's own is there only when it finds something
    ours = found.pop("Construct Annotations", [])  # what the budget warns of: tests/infrastructure/test_environments.py
    assert [each["ruleName"] for each in ours if not each["ruleName"].startswith("Annotation::headroom:")] == []
    assert not any(found.values()), json.dumps(found, indent=2)


def test_cdks_own_validation_is_on(tmp_path):
    app = synthesize(tmp_path, FIXED[:1])
    Tags.of(app.node.find_child("dev").data.proxy).add("not", "allowed")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    assert '"ruleName": "F3002"' in (tmp_path / "validation-report.json").read_text()


def test_every_acknowledgement_is_of_something_that_is_found(own_app, report):
    found = {
        (each["acknowledgedAt"], each["acknowledgedId"])
        for plugin in report["pluginReports"]
        for each in plugin.get("suppressedViolations", [])
    }
    assert found
    assert acknowledged(own_app) == found


def test_prod_acknowledges_no_finding_about_availability(app):
    in_prod = {rule for path, rule in acknowledged(app) if path.startswith("prod/")}
    assert {rule.partition("::")[2] for rule in in_prod} == {
        "AwsSolutions-IAM5[Resource::*]",
        "AwsSolutions-L1",
        "AwsSolutions-RDS11",
        "Serverless-EventBusDLQ",
        "Serverless-LambdaDLQ",
        "Serverless-LambdaLatestVersion",
        "Serverless-SNSRedrivePolicy",
    }


def test_the_feature_flags_are_the_installed_librarys_but_for_exceptions():
    assert context() == recommended() | EXCEPTIONS


def recommended():
    (library,) = [each for each in files("aws_cdk._jsii").iterdir() if each.name.startswith("aws-cdk-lib@")]
    with library.open("rb") as file, tarfile.open(fileobj=file, mode="r|gz") as archive:
        for member in archive:
            if member.name == "package/recommended-feature-flags.json":
                return json.load(archive.extractfile(member))
    raise AssertionError("the library lists its flags elsewhere now")

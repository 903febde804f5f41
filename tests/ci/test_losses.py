"""What the pinned CDK CLI and CloudFormation say of real templates, and what is read from it."""

import os
import subprocess
import sys

import boto3
import pytest
from botocore.stub import Stubber

from ci.assembly import stacks
from ci.deploy import changes_of, losses
from ci.diff import MOST_CHARACTERS, comment, destructive
from ci.losses import STATEFUL, Loss, accepted, unaccepted
from tests.conftest import ROOT
from tests.environments import SERVICE

PROGRAM = """
import json, sys
from dataclasses import replace
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb

from stacks.config import Environment, Function, RdsPostgres
from stacks.runtime import this_machine
from stacks.stage import EnvironmentStage
from tests.environments import SERVICE

context = {**json.loads(Path("cdk.json").read_text())["context"], "aws:cdk:bundling-stacks": []}
dev = Environment(
    service=SERVICE, name="dev", region="eu-west-1", retain=False, runtime=this_machine(),
    store=RdsPostgres(instance="t4g.medium"), api=Function(reserved_concurrency=5),
)
for name, change in {
    "as-deployed": {},
    "another-master": {"master_user": "another_master"},
    "larger": {"instance": "t4g.large"},
    "iam": {"credentials": "iam"},
}.items():
    app = cdk.App(analytics_reporting=False, context=context, outdir=f"{sys.argv[1]}/{name}")
    EnvironmentStage(app, environment=replace(dev, store=replace(dev.store, **change)))
    app.synth()

for name, policy in {"table": "RETAIN", "table-to-destroy": "DESTROY", "no-table": None}.items():
    app = cdk.App(analytics_reporting=False, context=context, outdir=f"{sys.argv[1]}/{name}")
    stack = cdk.Stack(cdk.Stage(app, "dev"), "Data", stack_name="a-data")
    cdk.aws_ssm.StringParameter(stack, "Kept", string_value="x")
    if policy is not None:
        key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
        dynamodb.TableV2(stack, "Table", partition_key=key, removal_policy=getattr(cdk.RemovalPolicy, policy))
    app.synth()
"""


@pytest.fixture(scope="module")
def assemblies(tmp_path_factory):
    """Folders with what `cdk synth` writes, by what was changed."""
    directory = tmp_path_factory.mktemp("assemblies")
    variables = {**os.environ, "CDK_VALIDATION": "false", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, str(directory)]
    found = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return directory


def difference(assemblies, before, after):
    """What `cdk diff` says of the data stack, compared as templates."""
    template = next((assemblies / before / "assembly-dev").glob("devData*.template.json"))
    command = [ROOT / "node_modules/.bin/cdk", "diff", "dev/Data", "--app", assemblies / after, "--template", template]
    command += ["--exclusively", "--no-color", "--fail-on", "destructive"]
    variables = {**os.environ, "CDK_DISABLE_CLI_TELEMETRY": "true", "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"}
    found = subprocess.run(command, cwd=assemblies, env=variables, capture_output=True, text=True, check=False)
    return found.stdout + found.stderr


def by_type(found):
    return {(loss.type, loss.fate) for loss in found if loss.type in STATEFUL}


def test_a_replaced_instance_is_found(assemblies):
    output = difference(assemblies, "as-deployed", "another-master")
    (loss,) = [loss for loss in destructive(output) if loss.type == "AWS::RDS::DBInstance"]
    assert loss.fate == "will be replaced"
    assert loss.stack == f"{SERVICE}-dev-data"
    assert loss.logical_id.startswith("DatabaseInstance")


def test_a_larger_instance_is_no_loss(assemblies):
    output = difference(assemblies, "as-deployed", "larger")
    assert "DBInstanceClass" in output
    assert by_type(destructive(output)) == set()


def test_deleted_secrets_are_found_and_their_instance_stays(assemblies):
    found = by_type(destructive(difference(assemblies, "as-deployed", "iam")))
    assert ("AWS::SecretsManager::Secret", "will be destroyed") in found
    assert "AWS::RDS::DBInstance" not in {kind for kind, _ in found}


@pytest.mark.parametrize(("before", "fate"), [("table", "will be orphaned"), ("table-to-destroy", "will be destroyed")])
def test_a_deleted_table_is_found(assemblies, before, fate):
    assert by_type(destructive(difference(assemblies, before, "no-table"))) == {("AWS::DynamoDB::GlobalTable", fate)}


def test_what_the_cli_found_and_this_cannot_read_is_an_error():
    lines = "  dev/Data (a-data): T::X::Y Path Id7 will be replaced\n  dev/Data: in words of a later version\n"
    output = f"Found 2 destructive change(s) (--fail-on=destructive):\n{lines}"
    with pytest.raises(SystemExit, match="found 2 destructive changes, and this can read 1"):
        destructive(output)


# As CloudFormation answers DescribeChangeSet; the local AWS answers the same: tests/fork/test_workflows.py.
CHANGES = [
    {"Type": "Resource", "ResourceChange": change}
    for change in [
        {"Action": "Add", "LogicalResourceId": "New", "ResourceType": "AWS::RDS::DBInstance"},
        {
            "Action": "Modify",
            "LogicalResourceId": "Same",
            "ResourceType": "AWS::RDS::DBInstance",
            "Replacement": "False",
        },
        {
            "Action": "Modify",
            "LogicalResourceId": "Other",
            "ResourceType": "AWS::RDS::DBInstance",
            "Replacement": "True",
        },
        {
            "Action": "Modify",
            "LogicalResourceId": "Perhaps",
            "ResourceType": "AWS::DynamoDB::GlobalTable",
            "Replacement": "Conditional",
        },
        {
            "Action": "Modify",
            "LogicalResourceId": "Version",
            "ResourceType": "AWS::Lambda::Version",
            "Replacement": "True",
        },
        {
            "Action": "Remove",
            "LogicalResourceId": "Gone",
            "ResourceType": "AWS::Logs::LogGroup",
            "PolicyAction": "Delete",
        },
        {
            "Action": "Remove",
            "LogicalResourceId": "Left",
            "ResourceType": "AWS::Logs::LogGroup",
            "PolicyAction": "Retain",
        },
    ]
]


def test_of_a_change_set_only_what_holds_state_is_a_loss():
    assert {loss.logical_id: loss.fate for loss in losses("data", CHANGES)} == {
        "Other": "will be replaced",
        "Perhaps": "may be replaced",
        "Gone": "will be deleted",
        "Left": "will be left behind",
    }


def test_a_change_set_that_could_not_be_prepared_is_not_nothing_to_do():
    client = boto3.client("cloudformation", region_name="eu-west-1", **ANYBODY)
    answers = Stubber(client)
    answer = {"Status": "FAILED", "StatusReason": "no such role"}
    answers.add_response("describe_change_set", answer, {"StackName": "a-data", "ChangeSetName": "first"})
    with answers, pytest.raises(SystemExit, match=r"a-data: CloudFormation could not prepare .* first: no such role"):
        changes_of(client, "a-data", "first")
    client.close()


ANYBODY = {"aws_access_key_id": "nobody", "aws_secret_access_key": "none"}
LOSS = Loss("shop-prod-data", "DatabaseInstanceAA8A5FDE", "AWS::RDS::DBInstance", "will be replaced")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set()),
        ("shop-prod-data/DatabaseInstanceAA8A5FDE", set()),
        ("We Accept: nothing", set()),
        ("Accept: ", set()),
        ("Why.\r\n\r\nAccept: shop-prod-data/DatabaseInstanceAA8A5FDE\r\n", {LOSS.name}),
        ("Accept: a/B, shop-prod-data/DatabaseInstanceAA8A5FDE", {"a/B", LOSS.name}),
    ],
)
def test_only_lines_that_begin_with_accept_accept(text, names):
    assert accepted(text) == names
    assert unaccepted([LOSS], text) == ([] if LOSS.name in names else [LOSS])


def test_a_comment_about_nothing_says_so():
    assert comment("dev", "Number of stacks with differences: 0\n", [], []) == "### dev: no change\n"


def test_a_comment_fits_and_stays_inside_its_fence():
    output = "`````\n@somebody\n" + "x" * 100_000 + "\nNumber of stacks with differences: 1\n"
    text = comment("prod", output, [LOSS], [LOSS])
    assert len(text) < MOST_CHARACTERS + 1_000
    assert text.count("`````") == 2
    assert "**will be replaced** | the database | no |" in text


def test_the_stacks_of_an_environment_come_in_the_order_in_which_they_are_deployed(assemblies):
    found = stacks(assemblies / "as-deployed", "dev")
    assert [each.id for each in found] == ["dev/Data", "dev/Service"]
    assert {each.region for each in found} == {"eu-west-1"}
    assert all("deploy-role" in each.deploy_role and "lookup-role" in each.lookup_role for each in found)
    with pytest.raises(SystemExit, match="has no environment 'prod'"):
        stacks(assemblies / "as-deployed", "prod")

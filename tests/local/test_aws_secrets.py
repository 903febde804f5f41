"""Secrets Manager on the local AWS: rotation and policies."""

import json
import threading

import pytest
from botocore.exceptions import ClientError

from tests.local.aws_emulator import function, role, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with running_emulator(tmp_path_factory.mktemp("aws")) as emulator:
        yield emulator


ROTATING = """
import boto3, json
secrets = boto3.client("secretsmanager")
def handler(event, context):
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    print("step", step)
    if step == "createSecret":
        try:
            secrets.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
        except secrets.exceptions.ResourceNotFoundException:
            secrets.put_secret_value(
                SecretId=secret, ClientRequestToken=token, SecretString="new " + token, VersionStages=["AWSPENDING"]
            )
    if step == "setSecret" and secrets.get_secret_value(SecretId=secret)["SecretString"] == "refuse":
        raise ValueError("the database refuses this password")
    if step == "finishSecret":
        versions = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
        current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
        secrets.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )
"""


def rotation(value):
    schedule = {"SecretId": {"Ref": "Secret"}, "RotationRules": {"AutomaticallyAfterDays": 30}}
    forbid = {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:DeleteSecret", "Resource": "*"}
    return {
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": value}},
        "Policy": {
            "Type": "AWS::SecretsManager::ResourcePolicy",
            "Properties": {
                "SecretId": {"Ref": "Secret"},
                "ResourcePolicy": {"Version": "2012-10-17", "Statement": [forbid]},
            },
        },
        "Role": role("lambda", "secretsmanager:*", resource={"Ref": "Secret"}),
        "Rotating": function(ROTATING),
        "Schedule": {
            "Type": "AWS::SecretsManager::RotationSchedule",
            "Properties": {**schedule, "RotationLambdaARN": {"Fn::GetAtt": ["Rotating", "Arn"]}},
        },
    }


def test_rotation_calls_the_four_steps_and_leaves_the_new_value_current(emulator):
    outputs = {"Secret": {"Ref": "Secret"}, "Function": {"Ref": "Rotating"}}
    names = emulator.deploy("rotation", rotation("old"), **outputs)
    secrets = emulator.client("secretsmanager")
    assert names["Secret"].startswith("arn:aws:secretsmanager:")
    current = secrets.get_secret_value(SecretId=names["Secret"])
    assert current["SecretString"] == f"new {current['VersionId']}"
    assert secrets.get_secret_value(SecretId=names["Secret"], VersionStage="AWSPREVIOUS")["SecretString"] == "old"
    described = secrets.describe_secret(SecretId=names["Secret"])
    assert described["RotationEnabled"]
    assert described["RotationRules"] == {"AutomaticallyAfterDays": 30}
    policy = secrets.get_resource_policy(SecretId=names["Secret"])["ResourcePolicy"]
    assert json.loads(policy)["Statement"][0]["Effect"] == "Deny"

    token = secrets.rotate_secret(SecretId=names["Secret"])["VersionId"]
    wait = threading.Event()
    while secrets.get_secret_value(SecretId=names["Secret"])["VersionId"] != token:
        wait.wait(0.05)
    logs = emulator.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{names['Function']}")["events"]
    steps = [line.split()[1] for event in logs for line in event["message"].splitlines() if line.startswith("step ")]
    assert steps == ["createSecret", "setSecret", "testSecret", "finishSecret"] * 2


def test_a_rotation_that_fails_fails_its_resource_with_the_functions_error(emulator):
    reason = "failed at setSecret: .*the database refuses this password"
    with pytest.raises(AssertionError, match=reason):
        emulator.deploy("refusing", rotation("refuse"))


def test_rotating_an_unknown_secret_is_an_error_of_the_api(emulator):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        emulator.client("secretsmanager").rotate_secret(SecretId="unknown")

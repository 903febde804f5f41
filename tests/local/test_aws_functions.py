"""Lambda functions on the local AWS: concurrency, credentials, logs, and those that CDK brings in Node.js."""

import json
import threading

import pytest

from tests.local.aws_emulator import function, role, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with running_emulator(tmp_path_factory.mktemp("aws")) as emulator:
        yield emulator


WAITING = """
import os, pathlib, time
def handler(event, context):
    folder = pathlib.Path(os.environ["FOLDER"])
    (folder / "started").touch()
    while not (folder / "release").exists():
        time.sleep(0.01)
    return "done"
"""


def test_an_invocation_beyond_the_reserved_concurrency_is_throttled(emulator, tmp_path):
    environment = {"Variables": {"FOLDER": str(tmp_path)}}
    resources = {"Role": role("lambda")}
    waiting = {"Waiting": function(WAITING, Environment=environment, ReservedConcurrentExecutions=1)}
    name = emulator.deploy("reserved", resources | waiting, Name={"Ref": "Waiting"})["Name"]
    functions, answers = emulator.client("lambda"), []
    first = threading.Thread(target=lambda: answers.append(functions.invoke(FunctionName=name)["Payload"].read()))
    first.start()
    while not (tmp_path / "started").exists():
        first.join(0.01)
    with pytest.raises(functions.exceptions.TooManyRequestsException) as throttled:
        functions.invoke(FunctionName=name)
    assert throttled.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert throttled.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    (tmp_path / "release").touch()
    first.join()
    assert answers == [b'"done"']
    waiting = {"Waiting": function(WAITING, Environment=environment, ReservedConcurrentExecutions=7)}
    emulator.deploy("reserved", resources | waiting)
    assert functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 7
    emulator.deploy("reserved", resources | {"Waiting": function(WAITING, Environment=environment)})
    assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(FunctionName=name)


READING = """
import boto3, os
from botocore.exceptions import ClientError
def handler(event, context):
    print("reading", event)
    try:
        value = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET"])["SecretString"]
    except ClientError as error:
        value = error.response["Error"]["Code"]
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "SSL_CERT_FILE", "DEVELOPERS_OWN")
    return {"value": value, **{name: os.environ.get(name) for name in names}}
"""


def test_a_function_signs_as_its_role_may_do_what_the_role_may_and_logs(emulator):
    environment = {"Variables": {"SECRET": {"Ref": "Secret"}}}
    outputs = {"Granted": {"Ref": "Granted"}, "Denied": {"Ref": "Denied"}, "Logs": {"Ref": "Logs"}}
    names = emulator.deploy(
        "signing",
        {
            "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "hidden"}},
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
            "Role": role("lambda", "secretsmanager:GetSecretValue", resource={"Ref": "Secret"}),
            "Nothing": role("lambda"),
            "Granted": function(READING, Environment=environment, LoggingConfig={"LogGroup": {"Ref": "Logs"}}),
            "Denied": function(READING, "Nothing", Environment=environment),
        },
        **outputs,
    )
    functions = emulator.client("lambda")
    granted, denied = (
        json.load(functions.invoke(FunctionName=names[each], Payload=b"{}")["Payload"])
        for each in ("Granted", "Denied")
    )
    assert (granted["value"], denied["value"]) == ("hidden", "AccessDeniedException")
    assert granted["AWS_SESSION_TOKEN"]
    assert granted["SSL_CERT_FILE"] == str(emulator.state / "certificates" / "ca.pem")
    keys = json.loads((emulator.state / "access-keys.json").read_text())
    key = keys[granted["AWS_ACCESS_KEY_ID"]]
    assert key["secret_access_key"] == granted["AWS_SECRET_ACCESS_KEY"]
    assert key["session_token"] == granted["AWS_SESSION_TOKEN"]
    assert key["role"].startswith("arn:aws:iam::000000000000:role/signing-Role-")
    assert (emulator.state / "access-keys.json").stat().st_mode & 0o777 == 0o600
    events = emulator.client("logs").filter_log_events(logGroupName=names["Logs"])["events"]
    assert any("reading {}" in event["message"] for event in events)


NODE = """
const { LambdaClient, ListFunctionsCommand } = require("@aws-sdk/client-lambda");
exports.handler = async (event) => {
  const found = await new LambdaClient({}).send(new ListFunctionsCommand({}));
  const answer = JSON.stringify({
    Status: "SUCCESS", PhysicalResourceId: "node", StackId: event.StackId, RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId, Data: { Found: String(found.Functions.length > 0) },
  });
  await fetch(event.ResponseURL, { method: "PUT", body: answer });
};
"""


def test_a_custom_resource_in_node_finds_node_and_the_aws_sdk(emulator):
    custom = {"Type": "Custom::Node", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Provider", "Arn"]}}}
    outputs = emulator.deploy(
        "node",
        {
            "Role": role("lambda", "lambda:ListFunctions"),
            "Provider": function(NODE, runtime="nodejs24.x"),
            "Custom": custom,
        },
        Found={"Fn::GetAtt": ["Custom", "Found"]},
    )
    assert outputs == {"Found": "true"}

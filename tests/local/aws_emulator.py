"""The local AWS as tests use it: a process of its own on a free port, and stacks deployed to it with boto3."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
REGION = "eu-west-1"


def command(state, *, port=0):
    return [PYTHON, "-m", "local.aws", "--port", str(port), "--state", state, "--python", ROOT / ".venv/bin/python"]


class Emulator:
    def __init__(self, state):
        self.state = state
        self.log = state.parent / f"{state.name}.log"
        self._log = self.log.open("w+")
        self.process = subprocess.Popen(command(state), cwd=ROOT, stdout=subprocess.PIPE, stderr=self._log, text=True)
        line = self.process.stdout.readline()
        assert line, Path(self._log.name).read_text()
        self.endpoint = json.loads(line)["endpoint"]
        self._clients = []

    def client(self, service, key="test", secret="test", token=None):
        client = boto3.session.Session().client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=20),
        )
        self._clients.append(client)
        return client

    def deploy(self, stack, resources, **outputs):
        """Create or update a stack, and return its outputs; AssertionError with the reasons of what failed."""
        cloudformation = self.client("cloudformation")
        template = {"Resources": resources, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}
        arguments = {"StackName": stack, "TemplateBody": json.dumps(template), "Capabilities": ["CAPABILITY_NAMED_IAM"]}
        known = any(each["StackName"] == stack for each in cloudformation.describe_stacks()["Stacks"])
        action = "update" if known else "create"
        getattr(cloudformation, f"{action}_stack")(**arguments)
        waiter = cloudformation.get_waiter(f"stack_{action}_complete")
        try:
            waiter.wait(StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
        except Exception as error:
            raise AssertionError(self.failures(stack)) from error
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in found}

    def failures(self, stack):
        events = self.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
        return "\n".join(
            event["ResourceStatusReason"] for event in events if event["ResourceStatus"].endswith("_FAILED")
        )

    def delete(self, stack):
        cloudformation = self.client("cloudformation")
        cloudformation.delete_stack(StackName=stack)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
        )

    def stop(self, number=signal.SIGTERM):
        for client in self._clients:
            client.close()
        self.process.send_signal(number)
        status = self.process.wait(60)
        self.process.stdout.close()
        self._log.close()
        return status


@contextmanager
def running_emulator(directory: Path) -> Iterator[Emulator]:
    emulator = Emulator(directory / "state")
    try:
        yield emulator
    finally:
        if emulator.process.poll() is None:
            emulator.stop()


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One for whoever needs nothing of its own in it."""
    with running_emulator(tmp_path_factory.mktemp("aws")) as emulator:
        yield emulator


def descendants(pid):
    """The processes below this one, by their ids; Linux only."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # it has just ended
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def is_running(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


NETWORK = {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    "SubnetA": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"}},
    "SubnetB": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24"}},
    "GroupA": {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {"VpcId": {"Ref": "Vpc"}, "GroupDescription": "clients"},
    },
    "GroupB": {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {"VpcId": {"Ref": "Vpc"}, "GroupDescription": "servers"},
    },
}


def role(service, *actions, resource="*"):
    """A role for a service with one inline policy."""
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    grant = {"Effect": "Allow", "Action": list(actions) or "none:Nothing", "Resource": resource}
    policy = {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [grant]}}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [policy],
        },
    }


def function(code, role="Role", runtime="python3.13", **properties):
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": runtime,
            "Handler": "index.handler",
            "Code": {"ZipFile": code},
            "Role": {"Fn::GetAtt": [role, "Arn"]},
            "Timeout": 30,
            **properties,
        },
    }

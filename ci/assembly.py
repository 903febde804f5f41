"""What `cdk synth` wrote: the stacks of an environment, and the roles of `cdk bootstrap` that deploy and read them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import boto3

from ci.refusal import refusal

STACK = "aws:cloudformation:stack"
ROOT = Path(__file__).parents[1]
TOOLS = (Path(sys.executable).parent, ROOT / "node_modules" / ".bin")  # as in the Makefile: Node may be in .venv


@dataclass(frozen=True)
class Stack:
    """One stack: its id in the app, its name in the account, its region, and two roles with placeholders."""

    id: str
    name: str
    region: str
    deploy_role: str
    lookup_role: str


def stacks(assembly: Path, environment: str) -> list[Stack]:
    """The stacks of an environment, each after those that it needs."""
    directory = assembly / f"assembly-{environment}"
    if not directory.is_dir():
        raise refusal(f"{assembly} has no environment {environment!r}: is it what `cdk synth` wrote?")
    artifacts = json.loads((directory / "manifest.json").read_text())["artifacts"]
    graph = {name: each.get("dependencies", ()) for name, each in artifacts.items()}
    order = [artifacts[name] for name in TopologicalSorter(graph).static_order() if name in artifacts]
    return [_stack(each) for each in order if each["type"] == STACK]


def _stack(artifact: dict[str, Any]) -> Stack:
    properties = artifact["properties"]
    return Stack(
        id=artifact["displayName"],
        name=properties["stackName"],
        region=artifact["environment"].rpartition("/")[2],
        deploy_role=properties["assumeRoleArn"],
        lookup_role=properties["lookupRole"]["arn"],
    )


def assume(role: str, region: str) -> dict[str, str]:
    """Environment variables with the credentials of a role, whose ARN has the placeholders of an assembly."""
    sts = boto3.client("sts", region_name=region)
    identity = sts.get_caller_identity()
    known = {"AWS::Partition": identity["Arn"].split(":")[1], "AWS::AccountId": identity["Account"]}
    for name, value in known.items():
        role = role.replace(f"${{{name}}}", value)
    credentials = sts.assume_role(RoleArn=role, RoleSessionName="ci")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "AWS_REGION": region,
    }


def client(service: str, role: str, region: str) -> Any:
    """A boto3 client with the credentials of a role."""
    variables = assume(role, region)
    return boto3.client(
        service,
        region_name=region,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables["AWS_SESSION_TOKEN"],
    )


def cdk(*words: str, assembly: Path, credentials: dict[str, str] | None = None) -> tuple[int, str]:
    """The CDK CLI's status and output, all of it, with what was synthesized; also shown while it runs."""
    command = ["cdk", *words, "--app", str(assembly), "--no-color"]
    lines = []
    with subprocess.Popen(
        command,
        env={**os.environ, **(credentials or {}), "PATH": os.pathsep.join([*map(str, TOOLS), os.environ["PATH"]])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        for line in child.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    return child.returncode, "".join(lines)

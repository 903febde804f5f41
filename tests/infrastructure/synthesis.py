"""The app as `cdk synth` sees it, without bundling, and the same on every machine."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from aws_cdk import App
from aws_cdk.assertions import Template

from app import build
from stacks import options
from stacks.deployment import DeploymentStage
from stacks.environments import ENVIRONMENTS
from stacks.runtime import Runtime
from stacks.service import FUNCTION
from stacks.stage import EnvironmentStage
from tests import environments as samples

ROOT = Path(__file__).parents[2]
# A machine that differs from AWS in both: nothing in the templates may depend on the one that runs the tests.
MACHINE = Runtime(python="3.12", architecture="x86_64")
# The environments that the tests are about, and those of stacks/environments.py: a fork's own, on any store.
FIXED, OWN = (
    tuple(replace(each, runtime=MACHINE) if each.name == "local" else each for each in environments)
    for environments in (samples.ENVIRONMENTS, ENVIRONMENTS)
)
# An environment of each option that has one as an example.
OPTIONS = [import_module(module).EXAMPLE for module in options.parts("tests", "example").values()]
STACKS = ("data", "service")
REPOSITORY = "octo-org@123456/octo-repo@456789"

Json = dict[str, Any]
Templates = dict[tuple[str, str], Json]


def context() -> Json:
    """What the CDK CLI takes from cdk.json, and App() in a test does not."""
    return json.loads((ROOT / "cdk.json").read_text())["context"]


def synthesize(outdir: Path, environments=FIXED, repository: str | None = None) -> App:
    unbundled = {**context(), "aws:cdk:bundling-stacks": []}
    return build(environments, repository=repository, context=unbundled, outdir=str(outdir))


def deployment_templates() -> Templates:
    """The templates of who may deploy, as they are once a repository is named."""
    stage = DeploymentStage(App(context=context()), repository=REPOSITORY, environments=samples.ENVIRONMENTS)
    stacks = {"provider": stage.provider, **stage.roles}
    return {("deployment", name): Template.from_stack(stack).to_json() for name, stack in stacks.items()}


def templates(app: App) -> Templates:
    """Every template by environment and stack. A stage's own synthesis runs no validation, so this is quick."""
    stages = [stage for stage in app.node.children if isinstance(stage, EnvironmentStage)]
    return {
        (stage.node.id, name): Template.from_stack(stack).to_json()
        for stage in stages
        for name, stack in (("data", stage.data), ("service", stage.service))
    }


def of_type(template: Json, kind: str) -> Json:
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}


def only(template: Json, kind: str) -> Json:
    """The properties of the one resource of this type."""
    (resource,) = of_type(template, kind).values()
    return resource["Properties"]


def function_and_role(template: Json, construct: str = FUNCTION) -> tuple[str, str]:
    """The logical ids of a function, unless said otherwise the API's, and of its role."""
    functions = of_type(template, "AWS::Lambda::Function")
    (name,) = [each for each in functions if each.startswith(f"{construct}Function")]
    return name, functions[name]["Properties"]["Role"]["Fn::GetAtt"][0]


def acknowledged(app: App) -> set[tuple[str, str]]:
    """Where, and which rules; without those that CDK's own constructs acknowledge."""
    return {
        (construct.node.path, rule)
        for construct in app.node.find_all()
        for entry in construct.node.metadata
        if entry.type == "aws:cdk:acknowledged-rules"
        for rule in entry.data
        if not rule.startswith("CloudFormation-Validate::")
    }

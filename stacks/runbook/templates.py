"""The environments' templates as the documents read them: names without hashes, references as words."""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from aws_cdk.assertions import Template

from stacks.config import Environment
from stacks.stage import EnvironmentStage

ROOT = Path(__file__).parents[2]
HASH = re.compile(r"[0-9A-F]{8}$")

Json = dict[str, Any]
Templates = Mapping[tuple[str, str], Mapping[str, Any]]  # by environment and stack: ("dev", "data")


def synthesized(environments: Iterable[Environment[Any]]) -> Templates:
    """The templates, without bundling and without the checks of `cdk synth`."""
    from app import build  # app.py imports stacks

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    with tempfile.TemporaryDirectory() as outdir:
        app = build(environments, context={**context, "aws:cdk:bundling-stacks": []}, outdir=outdir)
        stages = [stage for stage in app.node.children if isinstance(stage, EnvironmentStage)]
        return {
            (stage.node.id, name): Template.from_stack(stack).to_json()
            for stage in stages
            for name, stack in (("data", stage.data), ("service", stage.service))
        }


def of_type(template: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Json]]:
    """Name and properties of each resource of a type."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield plain_name(name), resource.get("Properties", {})


def plain_name(logical_id: str) -> str:
    """A logical id without the hash that CDK ends it with."""
    return HASH.sub("", logical_id)


def said(value: Any) -> str:
    """A value as one would write it: `${Name.Arn}` for what only the deployment knows."""
    match value:
        case {"Ref": str(name)}:
            return f"${{{plain_name(name)}}}"
        case {"Fn::GetAtt": [str(name), attribute]}:
            return f"${{{plain_name(name)}.{attribute}}}"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(said, parts))
        case {"Fn::Sub": str(text)}:
            return text
        case {"Fn::ImportValue": name}:
            return f"${{{_exported(said(name))}}}"
        case {"Fn::Split": [_, text]}:
            return said(text)
        case {"Fn::Select": [index, text]}:
            return f"{said(text).removesuffix('}')}[{index}]}}"
        case dict() | list():
            return json.dumps(value)
    return str(value)


def _exported(name: str) -> str:
    """What another stack exports: `ExportsOutputFnGetAttProxyE947DB46DBProxyArnC5CA2F98` is Proxy's DBProxyArn."""
    found = re.search(r"ExportsOutput(?:FnGetAtt|Ref)(\w+?)[0-9A-F]{8}(\w*?)(?:[0-9A-F]{8})?$", name)
    return f"{found[1]}.{found[2]}" if found and found[2] else found[1] if found else name

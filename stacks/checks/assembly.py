"""Reading what CDK wrote: a template with its stack's name, and the templates of its nested stacks."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .template import Template

Production = Callable[[str], bool | None]
PRODUCTION = {"prod", "prd", "production", "live"}
NOT_PRODUCTION = {
    *("dev", "develop", "development", "test", "testing", "staging", "stg", "uat", "qa", "demo", "beta", "alpha"),
    *("local", "sandbox", "preview", "feature", "preprod", "nonprod", "non", "pre", "not"),
}
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
ASSET = re.compile(r"[0-9a-f]{64}")


def production_by_name(path: str) -> bool | None:
    """Whether the words of a stack's path say that it is production: prod/Data and MyProdStack do, dev/Data says no.

    The first part of the path that says anything decides: prod/FeatureFlags is production.
    """
    for part in path.split("/"):
        words = {word.lower() for word in WORD.findall(part)}
        if words & NOT_PRODUCTION:
            return False
        if words & PRODUCTION:
            return True
    return None


def load(
    path: str, stack: str, production: Production, region: str | None = None, account: str | None = None
) -> Template:
    """One stack's template, with those of its nested stacks."""
    name = _names(Path(path).parent).get(Path(path).name)
    return _load(Path(path), stack, production(stack), region, account, name)


def _load(
    path: Path, stack: str, production: bool | None, region: str | None, account: str | None, name: str | None
) -> Template:
    body = json.loads(path.read_text())
    template = Template(body, stack, str(path), name, region, account, production)
    files = _nested_files(path) if "AWS::CloudFormation::Stack" in _types(body) else {}
    for id, resource in body.get("Resources", {}).items():
        if not isinstance(resource, dict):
            continue  # a loop, which only CloudFormation unrolls
        url = json.dumps(resource.get("Properties", {}).get("TemplateURL", ""))
        file = next((files[each] for each in ASSET.findall(url) if each in files), None)
        if resource.get("Type") == "AWS::CloudFormation::Stack" and file is not None:
            nested = _load(file, f"{stack}/{id}", production, region, account, None)
            nested.arguments = Arguments(template, resource["Properties"].get("Parameters", {}))
            template.nested[id] = nested
    return template


class Arguments(Mapping[str, Any]):
    """A nested stack's parameters, resolved in its parent when they are asked for."""

    def __init__(self, parent: Template, values: Mapping[str, Any]) -> None:
        self._parent, self._values = parent, values

    def __getitem__(self, name: str) -> Any:
        return self._parent.resolve(self._values[name])

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _types(body: Mapping[str, Any]) -> set[str]:
    return {each.get("Type", "") for each in body.get("Resources", {}).values() if isinstance(each, dict)}


def _nested_files(path: Path) -> dict[str, Path]:
    """The nested templates beside a template, by the hash that their URLs have."""
    assets = path.with_name(path.name.replace(".template.json", ".assets.json"))
    if not assets.exists():
        return {}
    files = json.loads(assets.read_text()).get("files", {})
    sources = {digest: each.get("source", {}).get("path", "") for digest, each in files.items()}
    return {digest: path.with_name(name) for digest, name in sources.items() if name.endswith(".template.json")}


@cache
def _names(folder: Path) -> dict[str, str]:
    """The stacks' names by their template's file, from the manifest of the assembly."""
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return {}
    artifacts = json.loads(manifest.read_text()).get("artifacts", {})
    return {
        properties["templateFile"]: properties.get("stackName", id)
        for id, artifact in artifacts.items()
        if "templateFile" in (properties := artifact.get("properties", {}))
    }

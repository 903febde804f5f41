"""The resources of a stage, and what refers to what: CloudFormation's intrinsic functions, as far as can be known.

A value that only a deployment decides (a parameter, an account's number, a condition) becomes Unknown, and no rule may
conclude anything from it. A reference to a resource of the stage becomes an Attribute, also across stacks.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .values import Unknown, joined, truth, within

Json = dict[str, Any]
PARTITIONS = {"cn": "aws-cn"}  # and AWS's own names for the regions of governments, which no rule asks for
PARAMETER_STORE = "{{resolve:ssm:"
DYNAMIC = re.compile(r"(\{\{resolve:ssm:[^}]*\}\})")
GENERIC_TOKEN = re.compile(r"\$\{([^}]+)\}")


@dataclass(eq=False, repr=False)
class Template:
    """One stack's template, resolved in the context of its stage."""

    body: Json
    stack: str
    path: str = ""
    name: str | None = None
    region: str | None = None
    account: str | None = None
    production: bool | None = None  # None where the stack does not say
    arguments: Mapping[str, Any] = field(default_factory=dict)  # a nested stack's parameters, already resolved
    neighbours: "list[Template]" = field(default_factory=list)  # all that are deployed together, with this one
    nested: dict[str, "Template"] = field(default_factory=dict)  # by the logical id of AWS::CloudFormation::Stack

    @cached_property
    def resources(self) -> dict[str, "Resource"]:
        """Every resource by its logical id."""
        found = self.body.get("Resources", {}).items()
        return {id: Resource(self, id, body.get("Type", ""), body) for id, body in found if isinstance(body, dict)}

    def __repr__(self) -> str:
        return f"Template({self.stack!r})"

    @cached_property
    def exports(self) -> dict[str, Any]:
        """What it exports, by name: unresolved, since a value may be imported from another stack."""
        outputs = [each for each in self.body.get("Outputs", {}).values() if isinstance(each, dict)]  # not Fn::ForEach
        named = [(self.resolve(each.get("Export", {}).get("Name")), each) for each in outputs]
        return {name: each.get("Value") for name, each in named if isinstance(name, str)}

    def output(self, name: str) -> Any:
        """The resolved value of an output, or None when there is none of that name."""
        output = self.body.get("Outputs", {}).get(name)
        return self.resolve(output.get("Value")) if isinstance(output, dict) else None

    def resolve(self, value: Any) -> Any:
        """A value of the template without intrinsic functions; AWS::NoValue is None, and left out of collections."""
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not None]
        if isinstance(value, str) and PARAMETER_STORE in value:
            pieces = DYNAMIC.split(value)
            return joined(Unknown(each) if index % 2 else each for index, each in enumerate(pieces))
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function, argument)
        resolved = {key: self.resolve(each) for key, each in value.items()}
        return {key: each for key, each in resolved.items() if each is not None}

    def _call(self, function: str, argument: Any) -> Any:
        unknown = Unknown(f"{self.stack}:{json.dumps({function: argument}, sort_keys=True)}")
        if function == "Ref":
            return self._reference(argument, unknown)
        if function == "Fn::GetAtt":
            return self._attribute(argument, unknown)
        if function == "Fn::Sub":
            return self._substitute(argument, unknown)
        if function == "Fn::ImportValue":
            return self._imported(self.resolve(argument), unknown)
        resolved = self.resolve(argument)
        if function == "Fn::GetStackOutput":
            return self._output_of(resolved, unknown)
        if function in FUNCTIONS and isinstance(resolved, list):
            return FUNCTIONS[function](self, resolved, unknown)
        return unknown

    def _reference(self, name: Any, unknown: Unknown) -> Any:
        if name == "AWS::NoValue":
            return None
        if not isinstance(name, str):
            return unknown
        pseudo = {
            "AWS::Region": self.region,
            "AWS::AccountId": self.account,
            "AWS::StackName": self.name,
            "AWS::Partition": self.region and PARTITIONS.get(self.region.split("-")[0], "aws"),
        }
        if pseudo.get(name) is not None:
            return pseudo[name]
        if name in self.arguments:
            return self.arguments[name]
        if name in self.resources:
            return Attribute(self.resources[name], "Ref")
        hidden = truth(within(self.body, "Parameters", name, "NoEcho"))
        return Unknown(unknown.key, is_secret=True) if hidden else unknown

    def _attribute(self, argument: Any, unknown: Unknown) -> Any:
        name, attribute = argument.partition(".")[::2] if isinstance(argument, str) else _pair(argument)
        if not isinstance(attribute, str) or not isinstance(name, str) or name not in self.resources:
            return unknown
        if name in self.nested and attribute.startswith("Outputs."):
            found = self.nested[name].output(attribute.removeprefix("Outputs."))
            return unknown if found is None else found
        return Attribute(self.resources[name], attribute)

    def _substitute(self, argument: Any, unknown: Unknown) -> Any:
        text, variables = (argument, {}) if isinstance(argument, str) else _pair(argument)
        if not isinstance(text, str) or not isinstance(variables, dict):
            return unknown
        parts: list[Any] = []
        for index, piece in enumerate(GENERIC_TOKEN.split(text)):
            if index % 2 == 0:
                parts.append(piece)
            elif piece.startswith("!"):
                parts.append(f"${{{piece[1:]}}}")
            elif piece in variables:
                parts.append(self.resolve(variables[piece]))
            else:
                parts.append(self.resolve({"Fn::GetAtt": piece} if "." in piece else {"Ref": piece}))
        return joined(parts)

    def _imported(self, name: Any, unknown: Unknown) -> Any:
        exporter = next((e for e in self.neighbours if isinstance(name, str) and name in e.exports), None)
        return unknown if exporter is None else exporter.resolve(exporter.exports[name])

    def _output_of(self, argument: Any, unknown: Unknown) -> Any:
        for template in self.neighbours if isinstance(argument, dict) else ():
            if template.name is not None and template.name == argument.get("StackName"):
                found = template.output(str(argument.get("OutputName")))
                return unknown if found is None else found
        return unknown


@dataclass(eq=False, repr=False)
class Resource:
    """One resource, whose `properties` are resolved."""

    template: Template
    id: str
    type: str
    body: Json

    def __repr__(self) -> str:
        return f"Resource({self.id!r})"

    @cached_property
    def properties(self) -> Json:
        """The resolved properties; what is not set is not in it."""
        resolved = self.template.resolve(self.body.get("Properties", {}))
        properties = resolved if isinstance(resolved, dict) else {}
        if self.type != "AWS::Serverless::Function":
            return properties
        shared = self.template.resolve(within(self.template.body, "Globals", "Function"))
        return (shared if isinstance(shared, dict) else {}) | properties

    @property
    def place(self) -> tuple[str | None, str | None]:
        """The region and account that it is deployed to, as far as its stack says."""
        return self.template.region, self.template.account

    @cached_property
    def needs(self) -> set[str]:
        """The logical ids that CloudFormation creates before it: what it depends on, and refers to."""
        on = self.body.get("DependsOn", [])
        return {*([on] if isinstance(on, str) else on), *_referred(self.body.get("Properties"))}

    def get(self, *path: str) -> Any:
        """A property of a property; None when it is not set, Unknown when that cannot be known."""
        return within(self.properties, *path)


@dataclass(frozen=True)
class Attribute:
    """An attribute of a resource of the stage; `name` is "Ref" for what Ref gives."""

    resource: Resource
    name: str


@dataclass(frozen=True)
class Split:
    """A reference that Fn::Split cuts up; Fn::Select of it is still about the same resource."""

    delimiter: str
    value: Attribute


def _pair(argument: Any) -> tuple[Any, Any]:
    return (argument[0], argument[1]) if isinstance(argument, list) and len(argument) == 2 else (None, None)


def _referred(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _referred(each)
    for key, each in value.items() if isinstance(value, dict) else ():
        if key == "Ref":
            yield str(each)
        elif key == "Fn::GetAtt":
            yield str(each[0] if isinstance(each, list) and each else each).partition(".")[0]
        elif key == "Fn::Sub":
            text = each[0] if isinstance(each, list) and each else each
            yield from (name.partition(".")[0] for name in GENERIC_TOKEN.findall(str(text)))
        yield from _referred(each)


def _join(_: Template, argument: Sequence[Any], unknown: Unknown) -> Any:
    if len(argument) != 2 or not isinstance(argument[1], list):
        return unknown
    delimiter, values = argument
    parts = [part for value in values for part in (delimiter, value)]
    return joined(parts[1:])


def _split(_: Template, argument: Sequence[Any], unknown: Unknown) -> Any:
    if len(argument) != 2 or not isinstance(argument[0], str):
        return unknown
    delimiter, value = argument
    if isinstance(value, str):
        return value.split(delimiter)
    return Split(delimiter, value) if isinstance(value, Attribute) else unknown


def _select(_: Template, argument: Sequence[Any], unknown: Unknown) -> Any:
    if len(argument) != 2 or not str(argument[0]).isdigit():
        return unknown
    index, values = int(argument[0]), argument[1]
    if isinstance(values, Split):
        return Attribute(values.value.resource, f"{values.value.name}{values.delimiter}{index}")
    return values[index] if isinstance(values, list) and index < len(values) else unknown


def _find_in_map(template: Template, argument: Sequence[Any], unknown: Unknown) -> Any:
    if len(argument) != 3 or not all(isinstance(each, str) for each in (argument[0], argument[2])):
        return unknown
    table = template.body.get("Mappings", {}).get(argument[0], {})
    if isinstance(argument[1], str):
        found = table.get(argument[1], {}).get(argument[2])
        return unknown if found is None else found
    column = {str(row.get(argument[2])) for row in table.values()}
    return column.pop() if len(column) == 1 else unknown


FUNCTIONS = {"Fn::Join": _join, "Fn::Split": _split, "Fn::Select": _select, "Fn::FindInMap": _find_in_map}

"""docs/environments/<name>-iam.md: every IAM statement of an environment, and who may open a connection to whom."""

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.runbook.markdown import NOTE, code, table
from stacks.runbook.templates import Json, of_type, plain_name, said

TITLES = {"data": "Data stack", "service": "Service stack"}
HEADING = ("policy of", "effect", "principal", "actions", "resources", "condition")


def page(name: str, templates: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of one environment, from its templates by stack."""
    parts = [
        NOTE,
        f"# {name}: IAM statements and connections",
        "Every statement of every IAM policy in the templates of this environment, and every connection that its "
        "security groups allow. A name is that of the construct in [stacks](../../stacks); `${…}` is a value that only "
        "the deployment knows. [Security](../security.md) explains the roles.",
    ]
    for stack, template in templates.items():
        parts += [f"## {TITLES[stack]}", table(HEADING, sorted(_statements(template)))]
        if managed := sorted(_managed(template)):
            parts.append(table(("role", "managed policy of AWS"), managed))
        if rules := sorted(_rules(template)):
            parts += ["### Connections", table(("from", "to", "port", "description"), rules)]
    return "\n\n".join(parts) + "\n"


def _statements(template: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Wherever a policy document may be: of roles, resources, endpoints and keys, and who may assume a role."""
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        whose = ", ".join(_subjects(properties)) or plain_name(logical_id)
        if resource["Type"] == "AWS::Lambda::Permission":
            yield (
                code(plain_name(_inner(properties["FunctionName"]))),
                "Allow",
                code(properties["Principal"]),
                code(properties["Action"]),
                "itself",
                f"from {_listed(properties.get('SourceArn'))}",
            )
        for statement in _inside(properties):
            yield (
                code(whose),
                statement["Effect"],
                _listed(_principals(statement)),
                _listed(statement.get("Action") or [f"not {each}" for each in _several(statement["NotAction"])]),
                _listed(statement.get("Resource")) or "itself",
                "<br>".join(_conditions(statement)),
            )


def _inside(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        if isinstance(value.get("Statement"), list):
            yield from value["Statement"]
        for each in value.values():
            yield from _inside(each)
    elif isinstance(value, list):
        for each in value:
            yield from _inside(each)


def _subjects(properties: Json) -> list[str]:
    """The roles that a policy is of."""
    return [_inner(each) for each in properties.get("Roles", [])]


def _inner(reference: Any) -> str:
    """The name in a reference."""
    return said(reference).removeprefix("${").removesuffix("}").removesuffix(".Arn")


def _principals(statement: Json) -> list[Any]:
    principal = statement.get("Principal", [])
    return [each for found in principal.values() for each in _several(found)] if isinstance(principal, dict) else []


def _conditions(statement: Json) -> Iterator[str]:
    for operator, keys in statement.get("Condition", {}).items():
        for key, value in keys.items():
            yield f"{code(key)} {operator} {_listed(value, ', ')}"


def _managed(template: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, properties in of_type(template, "AWS::IAM::Role"):
        for each in properties.get("ManagedPolicyArns", []):
            yield code(name), code(said(each))


def _rules(template: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for _, rule in of_type(template, "AWS::EC2::SecurityGroupIngress"):
        ends = (said(rule["SourceSecurityGroupId"]), said(rule["GroupId"]))
        start, end = (each.removeprefix("${Network").removesuffix(".GroupId}") for each in ends)
        yield code(start), code(end), str(rule["FromPort"]), rule["Description"]


def _listed(value: Any, separator: str = "<br>") -> str:
    return separator.join(code(said(each)) for each in _several(value))


def _several(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]

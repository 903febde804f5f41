"""What CloudFormation cannot do to a table in one update, found before it fails in a deployment.

Source: Amazon DynamoDB Developer Guide, "Managing Global Secondary Indexes"; AWS CloudFormation template reference,
AWS::DynamoDB::GlobalTable: KeySchema and LocalSecondaryIndexes are replaced with the table.
"""

from collections.abc import Iterator

from .synthesis import Json

TABLES = ("AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table")
OF_THE_TABLE_ITSELF = ("KeySchema", "LocalSecondaryIndexes")


def refused_changes(before: Json, after: Json) -> list[str]:
    """A sentence for each change from one template to the next that an update could not make, or would lose data by."""
    pairs = [
        (name, before["Resources"][name]["Properties"], resource["Properties"])
        for name, resource in after["Resources"].items()
        if resource["Type"] in TABLES and name in before["Resources"]
    ]
    return [problem for name, old, new in pairs for problem in _problems(name, old, new)]


def _problems(name: str, old: Json, new: Json) -> Iterator[str]:
    for key in OF_THE_TABLE_ITSELF:
        if _by_name(old.get(key)) != _by_name(new.get(key)):
            yield f"{name}: another {key} is another table, and an empty one: make it beside this one, and copy"
    indexes, wanted = (_by_name(each.get("GlobalSecondaryIndexes")) for each in (old, new))
    kept = indexes.keys() & wanted.keys()
    changed = sorted(each for each in kept if _shape(indexes[each]) != _shape(wanted[each]))
    if changed:
        yield f"{name}: index {', '.join(changed)} can't be changed: add one of another name, then remove this one"
    steps = sorted(f"+{each}" for each in wanted.keys() - kept) + sorted(f"-{each}" for each in indexes.keys() - kept)
    if len(steps) > 1:
        yield f"{name}: {' '.join(steps)} are {len(steps)} changes of indexes, and an update makes one: deploy each"


def _by_name(parts: list[Json] | None) -> Json:
    return {part.get("IndexName") or part["AttributeName"]: part for part in parts or []}


def _shape(index: Json) -> tuple[object, object]:
    return index["KeySchema"], index["Projection"]

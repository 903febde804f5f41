"""What resolved values refer to, and how to show them."""

import json
from collections.abc import Iterator
from typing import Any

from .template import Attribute, Resource
from .values import Text, Unknown


def mentioned(value: Any) -> Iterator[Attribute]:
    """Every reference to a resource of the stage in a resolved value, however deep."""
    if isinstance(value, Attribute):
        yield value
    elif isinstance(value, Text):
        for part in value.parts:
            yield from mentioned(part)
    elif isinstance(value, dict):
        for each in value.values():
            yield from mentioned(each)
    elif isinstance(value, list):
        for each in value:
            yield from mentioned(each)


def mentions(value: Any, resource: Resource) -> bool:
    """Whether a resolved value refers to this resource."""
    return any(attribute.resource is resource for attribute in mentioned(value))


def shown(value: Any) -> str:
    """A resolved value for a person."""
    if value is None:
        return "not set"
    if isinstance(value, Attribute):
        return value.resource.id if value.name == "Ref" else f"{value.resource.id}.{value.name}"
    if isinstance(value, Text):
        return "".join(part if isinstance(part, str) else f"${{{shown(part)}}}" for part in value.parts)
    if isinstance(value, Unknown):
        return "known when deployed"
    return value if isinstance(value, str) else json.dumps(value, default=shown)


def comparable(value: Any) -> Any:
    """A value that can be kept in a set; a collection, where a text or a reference should be, is Unknown."""
    return Unknown(shown(value)) if isinstance(value, list | dict) else value

"""What CloudFormation asks of a resource type, and what it gets back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Properties = Mapping[str, Any]


class ResourceError(Exception):
    """A resource can't be made as its template says; the text becomes the reason that CloudFormation reports."""


@dataclass(frozen=True)
class Request:
    """One create, update or delete. `physical_id` is empty and `previous` is too while a resource is created."""

    logical_id: str
    stack: str
    properties: Properties
    physical_id: str = ""
    previous: Properties = field(default_factory=dict)

    def number(self, name: str, default: int | None = None) -> int | None:
        """A property that is a whole number; templates may write it as a string."""
        value = self.properties.get(name, default)
        return None if value is None else int(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A property that is true or false; templates may write it as a string."""
        return str(self.properties.get(name, default)).lower() == "true"

    def changed(self, name: str) -> bool:
        """Whether an update gives this property another value."""
        return bool(self.properties.get(name) != self.previous.get(name))


@dataclass(frozen=True)
class Resource:
    """What `Ref` and `Fn::GetAtt` answer."""

    physical_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """How one CloudFormation type is created, updated and deleted.

    A change to one of `create_only` replaces the resource: it is created anew, and the old one deleted once the update
    has succeeded. `custom_name` is the property with the resource's own name: CloudFormation refuses to replace a
    resource that keeps it.
    """

    name: str
    create: Callable[[Request], Resource]
    update: Callable[[Request], Resource]
    delete: Callable[[Request], None]
    create_only: tuple[str, ...] = ()
    custom_name: str | None = None

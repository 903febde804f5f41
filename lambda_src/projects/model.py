"""Projects, and what a store of them can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from lambda_src.api.cursor import Position
from lambda_src.api.problem import Refusal


class ProjectExists(Refusal):
    """The tenant already has a project with this id."""

    status, name, title = 409, "project-exists", "The project exists"


class ProjectNotFound(Refusal):
    """The tenant has no project with this id."""

    status, name, title = 404, "project-not-found", "There is no such project"


class VersionConflict(Refusal):
    """The project is no longer at the version that the change was made for."""

    status, name, title = 409, "version-conflict", "The project was changed since"


@dataclass(frozen=True, slots=True)
class Project:
    """One project; times are RFC 3339 in UTC with microseconds, `version` counts from 1 and up by 1 per change."""

    tenant: str
    id: str
    name: str
    version: int
    created_at: str
    updated_at: str

    def as_json(self) -> dict[str, Any]:
        """The project as the API shows it."""
        return {name: getattr(self, name) for name in self.__slots__}


class Page(NamedTuple):
    """Part of a list in order.

    `items` is a JSON array of projects as the API shows them, `following` the position after which more follow, None at
    the end, and `cursor_keys` are the keys (id to secret) that sign cursors now.
    """

    items: str
    following: Position | None
    cursor_keys: Mapping[int, bytes]


class Projects(Protocol):
    """Where projects are kept. Each method may be carried out twice and does then what once does."""

    def add(self, tenant: str, id: str, name: str, now: str) -> Project:
        """Store a new project, or raise ProjectExists."""

    def page(self, tenant: str, after: Position | None, limit: int) -> Page:
        """At most `limit` projects that follow `after`, or the first ones."""

    def get(self, tenant: str, id: str) -> Project:
        """One project, or raise ProjectNotFound."""

    def rename(self, tenant: str, id: str, name: str, version: int | None, now: str) -> Project:
        """Change a project that is at `version` (None: at any), or raise ProjectNotFound or VersionConflict."""

    def remove(self, tenant: str, id: str) -> None:
        """Delete a project, or raise ProjectNotFound."""

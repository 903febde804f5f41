"""Projects, and what a store of them can do."""

import os
import re
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from lambda_src.deadline import Context
from lambda_src.projects.problem import Refusal

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


class ProjectExists(Refusal):
    """The tenant already has a project with this id."""

    status, name, title = 409, "project-exists", "The project exists"


class ProjectNotFound(Refusal):
    """The tenant has no project with this id."""

    status, name, title = 404, "project-not-found", "There is no such project"


class VersionConflict(Refusal):
    """The project is no longer at the version that the change was made for."""

    status, name, title = 409, "version-conflict", "The project was changed since"


class StoreUnavailable(Exception):
    """The store can't serve this request now; the message says why, for the log."""


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


class Position(NamedTuple):
    """A place in a tenant's list, which is ordered by creation: after this project."""

    created_at: str
    id: str


class Page(NamedTuple):
    """Part of a list in order.

    `items` is a JSON array of projects as the API shows them, `following` the position after which more follow, None at
    the end, and `cursor_keys` are the keys (id to secret) that sign cursors now.
    """

    items: str
    following: Position | None
    cursor_keys: Mapping[int, bytes]


class Store(Protocol):
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

    def ping(self) -> None:
        """Return when the store answers."""


class Backend(Protocol):
    """What an execution environment keeps from one request to the next, to make each a store of its own.

    A module of a store has a function `connect` that makes one from the function's environment variables.
    """

    def warm_up(self) -> None:
        """Connect while the function initialises, when CPU is free; a failure is tried again on use."""

    def store(self, context: Context) -> AbstractContextManager[Store]:
        """The store of one request, within the invocation's time; its methods also raise StoreUnavailable."""

    def figures(self) -> dict[str, Any]:
        """Fields for the request's log line: what it cost. Counting starts anew."""


def timestamp() -> str:
    """The time now, as projects carry it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def new_id() -> str:
    """A UUID of version 7: its first 48 bits are the time in milliseconds, so ids made later sort later (RFC 9562)."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = milliseconds << 80 | random & ~(0xF << 76) & ~(0b11 << 62) | 7 << 76 | 0b10 << 62
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in its usual form, in capitals or not (without the uuid module: 4 % of a cold start)."""
    return UUID.fullmatch(text) is not None

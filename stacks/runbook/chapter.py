"""What a store adds to docs/runbook.md: pages, the errors that lead to them, and numbers of each environment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from stacks.config import Environment

Numbers = TypeVar("Numbers")


class Seen(NamedTuple):
    """What is seen when something goes wrong: its text, where it is seen, and the title of the page that helps."""

    text: str
    where: str
    page: str


class Column(NamedTuple, Generic[Numbers]):
    """A number that a table shows of each environment."""

    title: str
    value: Callable[[Numbers], object]


@dataclass(frozen=True, kw_only=True)
class Chapter(Generic[Numbers]):
    """The pages of one kind of store, `about`, by their titles; `numbers` has what columns show of an environment."""

    about: str
    store: type
    errors: Sequence[Seen]
    pages: Mapping[str, str]
    numbers: Callable[[Environment[Any]], Numbers]
    overview: Sequence[Column[Numbers]]
    of_a_page: Mapping[str, Sequence[Column[Numbers]]] = field(default_factory=dict)

"""A statement as SQL over HTTP wants it, from one as psycopg does, and its rows back."""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Row = tuple[Any, ...]

PLACEHOLDER = re.compile(r"%(?:\((?P<name>\w+)\)s|(?P<percent>%)|)")
FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?P<word>\w*)", re.DOTALL)
# Each request has a session of its own, which ends with it.
TRANSACTION = frozenset({"abort", "begin", "commit", "end", "release", "rollback", "savepoint", "start"})
SESSION = frozenset(
    {
        "close",
        "deallocate",
        "declare",
        "discard",
        "fetch",
        "listen",
        "lock",
        "move",
        "prepare",
        "reset",
        "set",
        "unlisten",
    }
)
READ: dict[int, Callable[[str], Any]] = {  # PostgreSQL's number of a type -> how its text is read; others stay text
    16: lambda text: text == "t",
    17: lambda text: bytes.fromhex(text.removeprefix("\\x")),
    20: int,
    21: int,
    23: int,
    26: int,
    114: json.loads,
    700: float,
    701: float,
    3802: json.loads,
}


class NotOverHttp(Exception):
    """A statement makes no sense where each is a request of its own; the message says what to do instead."""


def query(statement: str, parameters: Mapping[str, Any], *, in_batch: bool = False) -> dict[str, Any]:
    """The body of a request for a statement with psycopg's placeholders, such as %(name)s.

    Raises NotOverHttp for one that needs a transaction of several requests or, unless it is one of a batch, a session.
    """
    word = _first_word(statement)
    if word in TRANSACTION:
        raise NotOverHttp(
            f"{word.upper()}: over HTTP each statement is a transaction of its own; send what belongs together as one "
            "batch, or use the mode connection"
        )
    if word in SESSION and not in_batch:
        raise NotOverHttp(f"{word.upper()}: over HTTP a session ends with its statement; use the mode connection")
    text, names = _translated(statement)
    missing = [name for name in names if name not in parameters]
    if missing:
        raise ValueError(f"no value is given for {', '.join(missing)}")
    return {"query": text, "params": [_text(name, parameters[name]) for name in names]}


def rows(result: Mapping[str, Any]) -> list[Row]:
    """The rows of a result whose values came as text; of the types that READ has, as psycopg returns them."""
    readers = [READ.get(field["dataTypeID"]) for field in result["fields"]]
    return [
        tuple(value if value is None or read is None else read(value) for value, read in zip(row, readers, strict=True))
        for row in result["rows"]
    ]


@lru_cache(maxsize=256)
def _first_word(statement: str) -> str:
    found = FIRST_WORD.match(statement)
    return found["word"].lower() if found else ""


@lru_cache(maxsize=256)
def _translated(statement: str) -> tuple[str, tuple[str, ...]]:
    """With $1, $2, … in place of names, and the names in that order, each once."""
    names: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        if found["percent"]:
            return "%"
        if found["name"] is None:
            raise ValueError("a % that is no placeholder is written %%")
        return f"${names.setdefault(found['name'], len(names) + 1)}"

    return PLACEHOLDER.sub(numbered, statement), tuple(names)


def _text(name: str, value: object) -> str | None:
    """A value as PostgreSQL reads it from text."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case bytes():
            return f"\\x{value.hex()}"
        case _:
            raise TypeError(f"{name} is of type {type(value).__name__}, allowed are str, int, float, bool, bytes, None")

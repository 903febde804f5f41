"""Checks of one value, the one message that names everything wrong, and the page that explains it."""

import re
from collections.abc import Collection, Iterable

PAGE = "docs/errors.md"  # has a heading for each topic


def see(topic: str) -> str:
    """Where a message of ours is explained: the last words of it."""
    return f"see {PAGE}#{topic}"


def refuse(subject: str, problems: Iterable[str | None]) -> None:
    """Raise ValueError with every problem that is not None."""
    found = [problem for problem in problems if problem]
    if found:
        raise ValueError(f"{subject}: {'; '.join(found)}\n  {see('configuration')}")


def whole(name: str, value: object, low: int, high: int, unit: str = "") -> str | None:
    """Nothing, or what is wrong with a value that should be a whole number from `low` to `high`."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return None
    return f"{name} is {value!r}, allowed is a whole number from {low} to {high}{unit and f' {unit}'}"


def one_of(name: str, value: object, allowed: Collection[object]) -> str | None:
    """Nothing, or what is wrong with a value that should be one of a few."""
    return None if value in list(allowed) else f"{name} is {value!r}, allowed is {', '.join(map(str, allowed))}"


def like(name: str, value: object, pattern: str, allowed: str) -> str | None:
    """Nothing, or what is wrong with a word that should match `pattern`, which `allowed` says in English."""
    return (
        None
        if isinstance(value, str) and re.fullmatch(pattern, value)
        else f"{name} is {value!r}, allowed is {allowed}"
    )


def flag(name: str, value: object) -> str | None:
    """Nothing, or what is wrong with a value that should be True or False."""
    return None if isinstance(value, bool) else f"{name} is {value!r}, allowed is True or False"


def of_kind(name: str, value: object, kind: type) -> str | None:
    """Nothing, or what is wrong with a value that should be one of our own dataclasses."""
    return None if isinstance(value, kind) else f"{name} is {value!r}, allowed is {kind.__name__}(…)"


def above(value: object, limit: object, times: float = 1) -> bool:
    """Whether both are numbers, and the first (`times` so much) is the greater; what is no number has its own check."""
    return isinstance(value, int | float) and isinstance(limit, int | float) and value * times > limit

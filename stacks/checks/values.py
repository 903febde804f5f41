"""Values of a template without its intrinsic functions: known, or what only a deployment decides."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Unknown:
    """What only a deployment decides. Equal keys mean equal values; different keys mean nothing."""

    key: str
    is_secret: bool = field(default=False, compare=False)  # a parameter with NoEcho


@dataclass(frozen=True)
class Text:
    """A text of which some parts are known only when it is deployed."""

    parts: tuple[Any, ...]

    @property
    def literal(self) -> str:
        """The known parts, with a NUL where something unknown is."""
        return "".join(part if isinstance(part, str) else "\0" for part in self.parts)


def within(value: Any, *path: str) -> Any:
    """What a resolved value holds at a path; None when nothing, Unknown when that cannot be known."""
    for name in path:
        if isinstance(value, Unknown) or value is None:
            return value
        value = value.get(name) if isinstance(value, dict) else None
    return value


def joined(parts: Iterable[Any]) -> Any:
    """Resolved parts as one value: a str where all are known, a Text otherwise."""
    flat: list[Any] = []
    for part in parts:
        for piece in part.parts if isinstance(part, Text) else (part,):
            known = str(piece) if isinstance(piece, str | int | float) else piece
            if isinstance(known, str) and flat and isinstance(flat[-1], str):
                flat[-1] += known
            elif known not in ("", None):
                flat.append(known)
    if not flat or (len(flat) == 1 and isinstance(flat[0], str)):
        return flat[0] if flat else ""
    return flat[0] if len(flat) == 1 else Text(tuple(flat))


def number(value: Any) -> float | None:
    """A resolved value as a number (templates write 20 and "20"); None when it is none, or unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def truth(value: Any) -> bool | None:
    """A resolved value as a bool (templates write true and "true"); absent is False, unknown is None."""
    if value is None:
        return False
    return {"true": True, "false": False}.get(str(value).lower()) if isinstance(value, bool | str) else None


def listed(value: Any) -> list[Any]:
    """A resolved value that may be one or several; absent is none."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]

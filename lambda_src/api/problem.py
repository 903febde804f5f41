"""Answers: JSON, and failures as problem documents (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Response = dict[str, Any]
LONGEST_ECHO = 80  # characters of a bad value that are shown back
MOST_MISTAKES = 20  # that are told at once: an answer above 6 MB is none, says Lambda, and a request has room for many


class Mistake(NamedTuple):
    """One thing that is wrong with a request: which field, what came, and what is allowed."""

    field: str
    came: object
    allowed: str

    def __str__(self) -> str:
        """The mistake as a sentence."""
        return f"{self.field} is {shown(self.came)}: {self.allowed}"


class InvalidRequest(Exception):
    """A request that can't be served as it is, with the mistakes that were found in it: the first of very many."""

    def __init__(self, *mistakes: Mistake) -> None:
        self.mistakes = mistakes[:MOST_MISTAKES]
        left_out = len(mistakes) - len(self.mistakes)
        super().__init__("; ".join(map(str, self.mistakes)) + (f"; and {left_out} more" if left_out else ""))


class Refusal(Exception):
    """A request that is valid and can't be done; what is derived from it has the answer's status, name and title."""

    status: int
    name: str  # stable, clients may rely on it
    title: str


def json_answer(status: int, body: dict[str, Any], **headers: str) -> Response:
    """An answer with this body."""
    return text_answer(status, json.dumps(body), **headers)


def text_answer(status: int, body: str, **headers: str) -> Response:
    """An answer with a body that is JSON already."""
    return {"statusCode": status, "headers": {"content-type": "application/json", **headers}, "body": body}


def problem(
    status: int,
    name: str,
    title: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    mistakes: Sequence[Mistake] = (),
) -> Response:
    """An answer that says what is wrong; `name` is stable, clients may rely on it."""
    document: dict[str, Any] = {"type": f"/problems/{name}", "title": title, "status": status, "detail": detail}
    if mistakes:
        document["errors"] = [
            {"field": mistake.field, "came": shown(mistake.came), "allowed": mistake.allowed} for mistake in mistakes
        ]
    return {
        "statusCode": status,
        "headers": {"content-type": "application/problem+json", **(headers or {})},
        "body": json.dumps(document),
    }


def shown(value: object) -> str:
    """A value as the caller may recognise it, cut where it is long."""
    if value is None:
        return "missing"
    try:
        text = json.dumps(value) if not isinstance(value, bytes) else repr(value)
    except RecursionError:  # JSON that could just be read
        return "nested too deeply"
    return text if len(text) <= LONGEST_ECHO else f"{text[:LONGEST_ECHO]}… ({len(text)} characters)"

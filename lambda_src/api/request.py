"""What a request may hold: each function gives a valid value, or raises InvalidRequest with every mistake."""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Set
from typing import Any

from lambda_src.api.ids import is_uuid
from lambda_src.api.problem import InvalidRequest, Mistake

Event = Mapping[str, Any]

TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TENANT_ALLOWED = "1 to 64 letters, digits, dots, underscores and hyphens, beginning with a letter or digit, are allowed"
UUID_ALLOWED = "a UUID such as 0192f0c1-5c7e-7cc4-a5a1-3f3a0b6a6f00 is allowed"
LONGEST_TEXT = 200  # characters
UNSTORABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and halves of surrogate pairs
DEFAULT_LIMIT, LARGEST_LIMIT = 25, 500


def tenant(event: Event) -> str:
    """The tenant that the path names."""
    value = _path(event, "tenant")
    if not TENANT.fullmatch(value):
        raise InvalidRequest(Mistake("tenant", value, TENANT_ALLOWED))
    return value


def id_in_path(event: Event) -> str:
    """The id that the path names."""
    value = _path(event, "id")
    if not is_uuid(value):
        raise InvalidRequest(Mistake("id", value, UUID_ALLOWED))
    return value.lower()


def limit_and_cursor(event: Event, filters: Set[str] = frozenset()) -> tuple[int, str | None]:
    """The page size (25 when absent) and the cursor, if any, of a list that may also be asked by these filters."""
    parameters, mistakes = query(event, {"limit", "cursor", *filters})
    limit = str(parameters.get("limit", DEFAULT_LIMIT))
    if not (re.fullmatch(r"[0-9]{1,4}", limit) and 1 <= int(limit) <= LARGEST_LIMIT):
        mistakes.append(Mistake("limit", limit, f"an integer from 1 to {LARGEST_LIMIT} is allowed"))
    if mistakes:
        raise InvalidRequest(*mistakes)
    return int(limit), parameters.get("cursor")


def query(event: Event, allowed: Set[str]) -> tuple[dict[str, str], list[Mistake]]:
    """What follows the path's question mark, and a mistake for each name that does not belong there."""
    found = dict(event.get("queryStringParameters") or {})
    return found, [_unknown(name, allowed) for name in found if name not in allowed]


def integer(field: str, value: object, least: int, most: int) -> tuple[int, list[Mistake]]:
    """A whole number from `least` to `most`, or what is wrong with it. To JSON 2.0 is one too, and True is none."""
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if type(number) is int and least <= number <= most:
        return number, []
    return least, [Mistake(field, value, f"an integer from {least} to {most} is allowed")]


def _path(event: Event, name: str) -> str:
    return str((event.get("pathParameters") or {}).get(name, ""))


def fields(event: Event, allowed: set[str]) -> tuple[dict[str, Any], list[Mistake]]:
    """The JSON object in the body, and a mistake for each field that does not belong in it."""
    text = came = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            sent = base64.b64decode(text, validate=True)
            came = sent.decode(errors="replace")  # what the caller may recognise
            text = sent.decode()
        body = json.loads(text, parse_constant=_refuse_constant)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidRequest(Mistake("body", came or None, f"a JSON object is allowed ({_reason(error)})")) from None
    if not isinstance(body, dict):
        raise InvalidRequest(Mistake("body", body, "a JSON object is allowed"))
    return body, [_unknown(name, allowed) for name in body if name not in allowed]


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _unknown(name: str, allowed: Set[str]) -> Mistake:
    known = f"the fields are {' and '.join(sorted(allowed))}" if allowed else "there are none"
    return Mistake(name[:LONGEST_TEXT], "unknown", known)


def text_mistakes(field: str, text: object, longest: int = LONGEST_TEXT) -> list[Mistake]:
    """What is wrong with a text of one line and at most `longest` characters, white space alone included."""
    if isinstance(text, str) and 1 <= len(text) <= longest and text.strip() and not UNSTORABLE.search(text):
        return []
    return [Mistake(field, text, f"a string of 1 to {longest} characters is allowed, with no control characters")]

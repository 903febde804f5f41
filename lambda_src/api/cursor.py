"""Where a list goes on: opaque to the caller, bound to one tenant's list, and signed."""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from lambda_src.api.ids import is_uuid
from lambda_src.api.problem import InvalidRequest, Mistake

VERSION = 1
ALLOWED = "only the next_cursor of an earlier answer to the same list is allowed"
LONGEST = 512  # characters
# As ids.timestamp() writes it. ISO 8601 allows what databases do not read, such as 2026-W47-7.
TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


class Position(NamedTuple):
    """A place in a tenant's list, which is ordered by creation: after this one."""

    created_at: str
    id: str


class Claim(NamedTuple):
    """A cursor as it came: well-formed, but not to be believed before `verify`."""

    text: str
    payload: bytes
    signature: bytes
    key_id: int
    position: Position


def sign(position: Position, collection: str, tenant: str, keys: Mapping[int, bytes]) -> str:
    """The cursor that goes on after `position` in the tenant's list of a collection; the newest key signs."""
    key_id = max(keys)
    payload = json.dumps([VERSION, key_id, *position], separators=(",", ":")).encode()
    return _text(payload + _signature(payload, collection, tenant, keys[key_id]))


def read(text: str) -> Claim:
    """The claim that a cursor makes; InvalidRequest where it can't be one."""
    try:
        return _parse(text)
    except (binascii.Error, ValueError, TypeError, AttributeError, RecursionError):
        raise _refusal(text) from None


def verify(claim: Claim, collection: str, tenant: str, keys: Mapping[int, bytes]) -> None:
    """Return if one of `keys` signed the claim for this tenant's list; InvalidRequest otherwise."""
    expected = _signature(claim.payload, collection, tenant, keys.get(claim.key_id, b""))
    if claim.key_id not in keys or not hmac.compare_digest(claim.signature, expected):
        raise _refusal(claim.text)


def _parse(text: str) -> Claim:
    if len(text) > LONGEST:
        raise ValueError("longer than any cursor")
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    payload, signature = raw[:-32], raw[-32:]
    version, key_id, *position = json.loads(payload)
    created_at, id = position
    datetime.fromisoformat(created_at)
    is_canonical = TIMESTAMP.fullmatch(created_at) and is_uuid(id) and id == id.lower() and _text(raw) == text
    if version != VERSION or type(key_id) is not int or not is_canonical:
        raise ValueError("not as this service writes cursors")
    return Claim(text, payload, signature, key_id, Position(created_at, id))


def _signature(payload: bytes, collection: str, tenant: str, key: bytes) -> bytes:
    return hmac.digest(key, f"{collection}\0{tenant}\0".encode() + payload, "sha256")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _refusal(text: str) -> InvalidRequest:
    return InvalidRequest(Mistake("cursor", text, ALLOWED))

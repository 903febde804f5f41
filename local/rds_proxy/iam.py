"""Verification of IAM authentication tokens: the presigned request that a client sends as its password.

Sources: Amazon RDS User Guide, "IAM database authentication"; AWS General Reference, "Signature Version 4".
"""

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote

from local.rds_proxy.authorization import Authorization, NotAuthorized

TOKEN_SECONDS = 900  # a token lives 15 minutes
SKEW_SECONDS = 300  # a signature from the future is accepted up to 5 minutes, as by every AWS service
ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
EXPECTED = {
    "Action",
    "DBUser",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
}


class TokenRefused(Exception):
    """Why a token is not accepted: for the log, never for the client."""


@dataclass(frozen=True)
class AccessKey:
    """The secret half of an access key, and the session token of temporary credentials."""

    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False, default=None)
    role: str | None = None  # whose session it is; the local AWS writes it down


class AccessKeys:
    """The access keys of a JSON file, read again when an unknown key is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: dict[str, AccessKey] = {}

    def find(self, key_id: str) -> AccessKey | None:
        """The access key, or None. OSError or ValueError when the file can't be read."""
        if key_id not in self._keys:
            content = json.loads(self._path.read_text())
            self._keys = {
                name: AccessKey(key["secret_access_key"], key.get("session_token"), key.get("role"))
                for name, key in content.items()
            }
        return self._keys.get(key_id)


class TokenVerifier:
    """Accepts the tokens made for one endpoint: its names, its port, its region."""

    def __init__(
        self,
        access_keys: AccessKeys,
        *,
        region: str,
        hosts: frozenset[str],
        port: int,
        clock: Callable[[], float] = time.time,
        authorization: Authorization | None = None,
    ) -> None:
        self._authorization = authorization
        self._access_keys, self._region, self._hosts, self._port, self._clock = access_keys, region, hosts, port, clock

    async def admit(self, token: str, user: str) -> None:
        """Return when `token` lets `user` in now and its signer may; raises TokenRefused with the reason otherwise."""
        key = self.verify(token, user)
        if self._authorization is not None and key.role is not None:
            try:
                await asyncio.to_thread(self._authorization.check, key.role, user)
            except NotAuthorized as error:
                raise TokenRefused(str(error)) from error

    def verify(self, token: str, user: str) -> AccessKey:
        """The key that signed `token`, which lets `user` in now; raises TokenRefused with the reason otherwise."""
        endpoint, parameters = _parsed(token)
        self._check_request(endpoint, parameters, user)
        key_id, date = self._check_scope(parameters["X-Amz-Credential"])
        self._check_age(parameters, date)
        key = self._access_keys.find(key_id)
        if key is None:
            raise TokenRefused(f"the access key {key_id} is not known here")
        _check_session_token(parameters.get("X-Amz-Security-Token"), key)
        expected = _signature(endpoint, parameters, key, f"{date}/{self._region}/rds-db/aws4_request")
        if not hmac.compare_digest(expected.encode(), parameters["X-Amz-Signature"].encode()):
            raise TokenRefused(f"the signature was not made with the secret of the access key {key_id}")
        return key

    def _check_request(self, endpoint: str, parameters: dict[str, str], user: str) -> None:
        host, _, port = endpoint.rpartition(":")
        # Capitals don't match: SDKs sign the name in lower case and leave it as it was written in the token.
        if host not in self._hosts or port != str(self._port):
            names = " or ".join(sorted(self._hosts))
            raise TokenRefused(f"it was made for {endpoint[:300]!r}, and this endpoint is {names}:{self._port}")
        if parameters["Action"] != "connect":
            raise TokenRefused(f"its action is {parameters['Action'][:50]!r}, not 'connect'")
        if parameters["DBUser"] != user:
            raise TokenRefused(f"it was made for the user {parameters['DBUser'][:100]!r}, not for {user!r}")
        if parameters["X-Amz-Algorithm"] != ALGORITHM or parameters["X-Amz-SignedHeaders"] != "host":
            raise TokenRefused(f"it is not signed with {ALGORITHM} over the header 'host'")

    def _check_scope(self, credential: str) -> tuple[str, str]:
        match credential.split("/"):
            case [key_id, date, self._region, "rds-db", "aws4_request"]:
                return key_id, date
            case [_, _, region, "rds-db", "aws4_request"]:
                raise TokenRefused(f"it was made for the region {region[:50]!r}, and this is {self._region}")
        raise TokenRefused("its credential scope is not one for rds-db")

    def _check_age(self, parameters: dict[str, str], date: str) -> None:
        try:
            signed = datetime.strptime(parameters["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            seconds = int(parameters["X-Amz-Expires"])
        except ValueError:
            raise TokenRefused("its date or its life is not one") from None
        if f"{signed:%Y%m%d}" != date:
            raise TokenRefused("its date differs from its credential scope's")
        age = self._clock() - signed.timestamp()
        if age > min(seconds, TOKEN_SECONDS):
            raise TokenRefused(f"it is {age:.0f} s old, and a token lives {min(seconds, TOKEN_SECONDS)} s")
        if age < -SKEW_SECONDS:
            raise TokenRefused(f"it was signed {-age:.0f} s in the future")


def _parsed(token: str) -> tuple[str, dict[str, str]]:
    match = re.fullmatch(r"(?:https?://)?([^/?#]+)/\?(.+)", token, re.ASCII)
    if match is None:
        raise TokenRefused("the password is not an IAM authentication token")
    try:
        pairs = parse_qsl(match[2], keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise TokenRefused("its query string is malformed") from None
    parameters = dict(pairs)
    missing = EXPECTED - parameters.keys()
    if missing or len(parameters) != len(pairs):
        raise TokenRefused(f"parameters are missing or repeated: {', '.join(sorted(missing)) or 'repeated'}")
    return match[1], parameters


def _check_session_token(given: str | None, key: AccessKey) -> None:
    if (given is None) != (key.session_token is None):
        which = "has none" if given is None else "has one that the access key does not"
        raise TokenRefused(f"the session token does not fit: the token {which}")
    if given is not None and not hmac.compare_digest(given.encode(), (key.session_token or "").encode()):
        raise TokenRefused("the session token is not the access key's")


def _signature(endpoint: str, parameters: dict[str, str], key: AccessKey, scope: str) -> str:
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(parameters.items())
        if name != "X-Amz-Signature"
    )
    request = f"GET\n/\n{query}\nhost:{endpoint}\n\nhost\n{EMPTY_HASH}"
    to_sign = "\n".join((ALGORITHM, parameters["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest()))
    secret = f"AWS4{key.secret_access_key}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    return hmac.digest(secret, to_sign.encode(), "sha256").hex()

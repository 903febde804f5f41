"""SCRAM-SHA-256 from what PostgreSQL keeps of a password, with channel binding, and on towards what is behind.

A proxy that ends TLS can't pass a bound exchange on. But a client's proof gives away its key, with which the proxy logs
in behind: so does PgBouncer, and so does Neon's proxy. Source: RFC 5802, RFC 5929 (tls-server-end-point).
"""

import base64
import hashlib
import hmac
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PLAIN, PLUS = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"


class PasswordRefused(Exception):
    """The exchange does not prove that the client knows the password, or binds it to another channel."""


@dataclass(frozen=True)
class Verifier:
    """What PostgreSQL keeps of a password: pg_authid.rolpassword."""

    iterations: int
    salt: str
    stored_key: bytes
    server_key: bytes

    @classmethod
    def of(cls, text: str) -> Self:
        """From SCRAM-SHA-256$4096:salt$stored key:server key; ValueError where it is something else."""
        mechanism, parameters, keys = text.split("$")
        if mechanism != PLAIN:
            raise ValueError(f"{mechanism} is no verifier of {PLAIN}")
        iterations, salt = parameters.split(":")
        stored_key, server_key = map(base64.b64decode, keys.split(":"))
        return cls(int(iterations), salt, stored_key, server_key)


class Server:
    """The server's half of one exchange: `challenge` answers the client's first message, `verify` its second.

    `binding` is what a client that binds the channel must have hashed, None where that was not offered. After `verify`,
    `client_key` is the client's.
    """

    def __init__(self, verifier: Verifier, mechanism: str, binding: bytes | None) -> None:
        self._verifier = verifier
        self._mechanism = mechanism
        self._binding = binding
        self._nonce = self._header = ""
        self._exchanged: list[str] = []
        self.client_key = b""

    def challenge(self, first: str) -> str:
        """The salt and the nonce."""
        flag, authorization, bare = [*first.split(",", 2), "", ""][:3]
        nonce = dict(part.split("=", 1) for part in bare.split(",") if "=" in part).get("r", "")
        # "y": the client could bind and believes that we can't. If we have offered it, somebody has removed that.
        without = ("n",) if self._binding is not None else ("n", "y")
        if flag not in (("p=tls-server-end-point",) if self._mechanism == PLUS else without) or not nonce:
            raise PasswordRefused("malformed first message, or another channel binding than was agreed on")
        self._header, self._nonce = f"{flag},{authorization},", nonce + secrets.token_urlsafe(18)
        self._exchanged = [bare, f"r={self._nonce},s={self._verifier.salt},i={self._verifier.iterations}"]
        return self._exchanged[1]

    def verify(self, final: str) -> str:
        """The server's own proof."""
        without_proof, _, proof = final.rpartition(",p=")
        bound = self._header.encode() + ((self._binding or b"") if self._mechanism == PLUS else b"")
        if without_proof != f"c={base64.b64encode(bound).decode()},r={self._nonce}":
            raise PasswordRefused("bound to another channel")
        exchanged = ",".join([*self._exchanged, without_proof]).encode()
        key = _xor(hmac.digest(self._verifier.stored_key, exchanged, "sha256"), base64.b64decode(proof, validate=True))
        if not hmac.compare_digest(hashlib.sha256(key).digest(), self._verifier.stored_key):
            raise PasswordRefused("wrong password")
        self.client_key = key
        return f"v={base64.b64encode(hmac.digest(self._verifier.server_key, exchanged, 'sha256')).decode()}"


class Client:
    """The client's half, by a client's key instead of its password."""

    def __init__(self, client_key: bytes) -> None:
        self._key = client_key
        self._bare = f"n=,r={secrets.token_urlsafe(18)}"

    def first(self) -> str:
        """The first message; no channel is bound on a Unix socket."""
        return f"n,,{self._bare}"

    def final(self, challenge: str) -> str:
        """The second message."""
        nonce = challenge.partition(",")[0]
        without_proof = f"c={base64.b64encode(b'n,,').decode()},{nonce}"
        exchanged = ",".join([self._bare, challenge, without_proof]).encode()
        proof = _xor(self._key, hmac.digest(hashlib.sha256(self._key).digest(), exchanged, "sha256"))
        return f"{without_proof},p={base64.b64encode(proof).decode()}"


def nobodys() -> str:
    """The verifier of a password that nobody has."""
    salt, stored_key, server_key = (base64.b64encode(secrets.token_bytes(size)).decode() for size in (16, 32, 32))
    return f"{PLAIN}$4096:{salt}${stored_key}:{server_key}"


def end_point(certificate: Path) -> bytes:
    """What tls-server-end-point hashes: the certificate, which is signed with SHA-256 here."""
    pem = certificate.read_text()
    return hashlib.sha256(
        ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END") + len("-----END CERTIFICATE-----")])
    ).digest()


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))

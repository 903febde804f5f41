"""The server's half of SCRAM-SHA-256 (RFC 5802, RFC 7677), for clients where IAM authentication is off.

Of our own, because libpq leaves the user name empty, which PostgreSQL's documentation allows and scramp refuses.
"""

import base64
import hashlib
import hmac
import secrets
import unicodedata

MECHANISM = "SCRAM-SHA-256"
ITERATIONS = 4096  # PostgreSQL's scram_iterations


class PasswordRefused(Exception):
    """The exchange does not prove that the client knows the password."""


class ScramServer:
    """One exchange: `challenge` answers the client's first message, `verify` its second."""

    def __init__(self, password: str) -> None:
        salt = secrets.token_bytes(16)
        normal = unicodedata.normalize("NFKC", password).encode()  # what SASLprep does to passwords people have
        salted = hashlib.pbkdf2_hmac("sha256", normal, salt, ITERATIONS)
        self._salt = base64.b64encode(salt).decode()
        self._client_key_hash = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
        self._server_key = hmac.digest(salted, b"Server Key", "sha256")
        self._exchanged: list[str] = []
        self._header = self._nonce = ""

    def challenge(self, first: str) -> str:
        """The salt and nonce. Raises PasswordRefused for a message that is none, or asks for channel binding."""
        binding, authorization, bare = [*first.split(",", 2), "", ""][:3]
        nonce = dict(part.split("=", 1) for part in bare.split(",") if "=" in part).get("r", "")
        if binding not in ("n", "y") or not nonce:
            raise PasswordRefused("malformed first message, or channel binding, which was not offered")
        self._header, self._nonce = f"{binding},{authorization},", nonce + secrets.token_urlsafe(18)
        self._exchanged = [bare, f"r={self._nonce},s={self._salt},i={ITERATIONS}"]
        return self._exchanged[1]

    def verify(self, final: str) -> str:
        """The server's own proof. Raises PasswordRefused when the client's is wrong."""
        without_proof, _, proof = final.rpartition(",p=")
        if without_proof != f"c={base64.b64encode(self._header.encode()).decode()},r={self._nonce}":
            raise PasswordRefused("malformed final message")
        exchanged = ",".join([*self._exchanged, without_proof]).encode()
        signature = hmac.digest(self._client_key_hash, exchanged, "sha256")
        key = bytes(a ^ b for a, b in zip(signature, base64.b64decode(proof, validate=True), strict=True))
        if not hmac.compare_digest(hashlib.sha256(key).digest(), self._client_key_hash):
            raise PasswordRefused("wrong password")
        return f"v={base64.b64encode(hmac.digest(self._server_key, exchanged, 'sha256')).decode()}"

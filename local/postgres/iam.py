"""IAM database authentication of an instance: members of `rds_iam` log in with tokens."""

import asyncio
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from local.postgres.server import SUPERUSER
from local.rds_proxy.authorization import Authorization
from local.rds_proxy.iam import AccessKeys, TokenRefused, TokenVerifier

CLEARTEXT_PASSWORD = b"R" + struct.pack("!II", 8, 3)
LONGEST_TOKEN = 64 * 1024  # bytes
PROTOCOL_3 = 3 << 16


@dataclass(frozen=True, kw_only=True)
class Iam:
    """Where access keys are known, and the users of this instance as `rds-db:connect` names them (None: not asked)."""

    access_keys: str
    region: str
    connect_arn: str | None = None
    endpoint: str | None = None


class IamLogins:
    """Decides who needs a token, and checks it."""

    def __init__(self, iam: Iam, *, address: str, port: int, needs_token: Callable[[str], bool]) -> None:
        self._needs_token = needs_token
        self._verifier = TokenVerifier(
            AccessKeys(Path(iam.access_keys)),
            region=iam.region,
            hosts=frozenset({address}),
            port=port,
            authorization=Authorization(iam.connect_arn, iam.endpoint) if iam.connect_arn else None,
        )

    async def refuses(self, startup: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        """Nothing when the client may go on to PostgreSQL, or the words with which it is refused."""
        user = user_of(startup)
        if user is None or not await asyncio.to_thread(self._needs_token, user):
            return None
        writer.write(CLEARTEXT_PASSWORD)
        try:
            await self._verifier.admit(await _password(reader), user)
        except (TokenRefused, OSError, ValueError, KeyError) as reason:
            print(f"{user} was refused: {reason}", file=sys.stderr, flush=True)
            return f'PAM authentication failed for user "{user}"'
        return None


async def _password(reader: asyncio.StreamReader) -> str:
    kind, length = struct.unpack("!cI", await reader.readexactly(5))
    if kind != b"p" or length > LONGEST_TOKEN:
        raise TokenRefused("no password came")
    return (await reader.readexactly(length - 4))[:-1].decode()


def user_of(startup: bytes) -> str | None:
    """The user that a startup message names; None for a message that is no login, such as a CancelRequest."""
    if struct.unpack_from("!I", startup, 4)[0] < PROTOCOL_3 or startup[4:6] != b"\0\3":
        return None
    words = startup[8:].split(b"\0")
    return dict(zip(words[::2], words[1::2], strict=False)).get(b"user", b"").decode(errors="replace")


def is_member_of_rds_iam(socket_directory: Path, user: str) -> bool:
    """Whether PostgreSQL has this user as a member of `rds_iam`."""
    with psycopg.connect(host=str(socket_directory), user=SUPERUSER, dbname="postgres") as connection:
        query = "SELECT pg_has_role(oid, 'rds_iam', 'MEMBER') FROM pg_roles WHERE rolname = %s AND NOT rolsuper"
        row = connection.execute(query, [user]).fetchone()
    return bool(row and row[0])

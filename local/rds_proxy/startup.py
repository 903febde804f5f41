"""The beginning of a client's connection: TLS, and what the startup message may ask for.

Texts and the list of parameters: Amazon RDS User Guide, "Troubleshooting for RDS Proxy" and "Considerations for
connecting to PostgreSQL". SQLSTATEs, which the guide does not give, are those in public reports of the same texts.
"""

import ssl
from dataclasses import dataclass

from local.rds_proxy.connection import Connection
from local.rds_proxy.messages import CANCEL_REQUEST, GSS_REQUEST, LENGTH, PROTOCOL_3_0, SSL_REQUEST, strings
from local.rds_proxy.server_connection import Group

PACKET_LIMIT = 10_000  # bytes; PostgreSQL's own limit for a startup packet
RUNTIME_PARAMETERS = {
    name.lower(): name
    for name in ("application_name", "client_encoding", "DateStyle", "TimeZone", "extra_float_digits", "search_path")
}
FEATURE_NOT_SUPPORTED, INVALID_AUTHORIZATION, PROTOCOL_VIOLATION = "0A000", "28000", "08P01"


class Refused(Exception):
    """A client is not let in: what it is told, and what only the log says."""

    def __init__(self, sqlstate: str, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.sqlstate, self.text, self.reason = sqlstate, text, reason


class Closed(Exception):
    """A client is closed without an answer; the log says why."""


@dataclass(frozen=True)
class Startup:
    """What a client asked for."""

    group: Group
    tls: bool


async def negotiate(client: Connection, tls: ssl.SSLContext, *, require_tls: bool) -> Startup:
    """Read up to the startup message, with TLS where the client asks for it.

    Raises Refused or Closed; EOFError when the client leaves, OSError when the TLS handshake fails.
    """
    secured = False
    while True:
        code, body = await _packet(client)
        if code == CANCEL_REQUEST:
            raise Closed("RDS Proxy does not support CancelRequest: the statement goes on")
        if code == SSL_REQUEST and not secured:
            await _secure(client, tls)
            secured = True
        elif code == GSS_REQUEST and not secured:
            client.write(b"N")
        elif require_tls and not secured:
            raise Refused(INVALID_AUTHORIZATION, "This RDS Proxy requires TLS connections")
        elif code != PROTOCOL_3_0:
            # NegotiateProtocolVersion would let newer clients in; the guide documents this text and no negotiation.
            raise _unsupported(
                "RDS Proxy supports only version 3.0 of the PostgreSQL messaging protocol",
                f"the client asked for {code >> 16}.{code & 0xFFFF}",
            )
        else:
            return Startup(_group(body), secured)


async def _packet(client: Connection) -> tuple[int, bytes]:
    header = await client.read(8)
    length: int = LENGTH.unpack_from(header)[0]
    if header[0] == 0x16:
        raise Closed("the client began with TLS: RDS Proxy does not support direct SSL negotiation")
    if not 8 <= length <= PACKET_LIMIT:
        raise Closed("the first bytes are no PostgreSQL startup packet")
    return LENGTH.unpack_from(header, 4)[0], await client.read(length - 8)


async def _secure(client: Connection, tls: ssl.SSLContext) -> None:
    if client.has_unread:  # someone in the middle may have put plaintext before the handshake (CVE-2021-23214)
        raise Closed("the client sent plaintext after its SSLRequest")
    client.write(b"S")
    await client.start_tls(tls, server_side=True)


def _group(body: bytes) -> Group:
    words = strings(body[:-1])
    if len(words) % 2:
        raise Refused(PROTOCOL_VIOLATION, "invalid startup packet layout: a parameter has no value")
    parameters = dict(zip(words[::2], words[1::2], strict=True))
    user = parameters.pop("user", "")
    if not user:
        raise Refused(
            INVALID_AUTHORIZATION,
            "A user name is missing from the connection startup packet. Provide a user name for this connection.",
        )
    database = parameters.pop("database", "") or user
    if parameters.pop("replication", "false").lower() not in ("false", "off", "no", "0"):
        raise _unsupported("RDS Proxy currently doesn't support streaming replication mode")
    if "options" in parameters:
        raise _unsupported("RDS Proxy currently doesn't support command-line options")
    for name in parameters:
        if name.lower() not in RUNTIME_PARAMETERS:
            raise _unsupported(f"RDS Proxy currently doesn't support the option {name}")
    runtime = sorted((RUNTIME_PARAMETERS[name.lower()], value) for name, value in parameters.items())
    return Group(user, database, tuple(runtime))


def _unsupported(text: str, reason: str = "") -> Refused:
    return Refused(FEATURE_NOT_SUPPORTED, f"Feature not supported: {text}.", reason)

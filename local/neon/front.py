"""Neon's proxy, as a client meets it: TLS with a server name, SCRAM with channel binding, then the database's bytes."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from local.neon.scram import PLAIN, PLUS, Client, PasswordRefused, Server, Verifier, end_point, nobodys
from local.rds_proxy.messages import (
    GSS_REQUEST,
    LENGTH,
    PROTOCOL_3_0,
    SSL_REQUEST,
    Answer,
    Authentication,
    Request,
    authentication,
    c_string,
    error,
    error_fields,
    message,
    startup,
    strings,
)

CHUNK = 64 * 1024  # bytes
LONGEST_STARTUP = 10_000  # bytes; PostgreSQL's own limit
NO_NAME = (
    "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support or pass "
    "the endpoint ID (first part of the domain name) as a parameter: '?options=endpoint%3D<endpoint-id>'."
)

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """A client is not let in; the SQLSTATE and what it is told."""

    def __init__(self, sqlstate: str, text: str) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


class Front:
    """A loopback port in front of the Unix socket of PgBouncer, or of PostgreSQL itself.

    `verifier` gives what the database keeps of a role's password, or None for a role that it has not; `offer` are the
    mechanisms of SCRAM that clients may choose from. With a `branch` it is PlanetScale's, whose users are
    role.branch.
    """

    def __init__(self, upstream: Path, certificate: Path, key: Path, verifier: Callable[[str], str | None]) -> None:
        self.offer = (PLUS, PLAIN)
        self.branch = ""
        self._upstream = upstream
        self._verifier = verifier
        self._binding = end_point(certificate)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(certificate, key)
        self._tls.sni_callback = _remember_name

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, from its first byte to its last."""
        upstream: Stream | None = None
        try:
            parameters = await self._begin(reader, writer)
            client_key = await self._authenticate((reader, writer), parameters["user"])
            upstream = await asyncio.open_unix_connection(str(self._upstream))
            await _log_in(upstream, parameters, client_key)
            writer.write(authentication(Authentication.OK))
            await _relay((reader, writer), upstream)
        except Refused as refusal:
            writer.write(error("FATAL", refusal.sqlstate, str(refusal)))
        except (OSError, EOFError):
            pass  # the client went away, or what is behind is down: the closed connection says so
        finally:
            for each in (writer, *([upstream[1]] if upstream else [])):
                await _close(each)

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, str]:
        """The startup message's parameters, once TLS is there."""
        code, body = await _packet(reader)
        while code == GSS_REQUEST:
            writer.write(b"N")
            code, body = await _packet(reader)
        if code != SSL_REQUEST:
            raise Refused("28000", "connection is insecure (try using `sslmode=require`)")
        writer.write(b"S")
        await writer.drain()
        await writer.start_tls(self._tls)
        code, body = await _packet(reader)
        if getattr(writer.get_extra_info("ssl_object"), "asked_for", None) is None:
            raise Refused("08P01", NO_NAME)
        words = strings(body[:-1])
        parameters = dict(zip(words[::2], words[1::2], strict=False))
        if code != PROTOCOL_3_0 or not parameters.get("user", "").endswith(self._suffix):
            raise Refused("08P01", "missing user, or its branch, in the startup packet")
        parameters["user"] = parameters["user"].removesuffix(self._suffix)
        return parameters

    @property
    def _suffix(self) -> str:
        return f".{self.branch}" if self.branch else ""

    async def _authenticate(self, client: Stream, user: str) -> bytes:
        """The client's key, once it has proved that it has the password."""
        refusal = Refused("28P01", f"password authentication failed for user '{user}'")
        # Whoever asks for a role that is not there learns it no sooner than with a wrong password.
        kept = await asyncio.to_thread(self._verifier, user) or nobodys()
        reader, writer = client
        offer = b"".join(map(c_string, self.offer)) + b"\0"
        writer.write(authentication(Authentication.SASL, offer))
        mechanism, _, rest = (await _password(reader)).partition(b"\0")
        try:
            binding = self._binding if PLUS in self.offer else None
            exchange = Server(Verifier.of(kept), mechanism.decode(), binding)
            challenge = exchange.challenge(rest[LENGTH.size :].decode())
            writer.write(authentication(Authentication.SASL_CONTINUE, challenge.encode()))
            proof = exchange.verify((await _password(reader)).decode())
        except (PasswordRefused, ValueError):
            raise refusal from None
        writer.write(authentication(Authentication.SASL_FINAL, proof.encode()))
        return exchange.client_key


def _remember_name(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
    connection.asked_for = name  # type: ignore[attr-defined]


async def _log_in(upstream: Stream, parameters: Mapping[str, str], client_key: bytes) -> None:
    """Return when what is behind has let the client in; Refused with its own words otherwise."""
    reader, writer = upstream
    exchange = Client(client_key)
    writer.write(startup(parameters))
    while True:
        kind, body = await _message(reader)
        if kind == Answer.ERROR:
            fields = error_fields(body)
            raise Refused(fields.get("C", "08006"), fields.get("M", "the database refused"))
        if kind != Answer.AUTHENTICATION:
            raise Refused("08P01", "the database answered out of turn")
        match LENGTH.unpack_from(body)[0]:
            case Authentication.OK:
                return
            case Authentication.SASL:
                first = exchange.first().encode()
                writer.write(message(Request.PASSWORD, c_string(PLAIN) + LENGTH.pack(len(first)) + first))
            case Authentication.SASL_CONTINUE:
                writer.write(message(Request.PASSWORD, exchange.final(body[LENGTH.size :].decode()).encode()))


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    length: int = LENGTH.unpack(await reader.readexactly(LENGTH.size))[0]
    if not 8 <= length <= LONGEST_STARTUP:
        raise EOFError("no startup packet")
    body = await reader.readexactly(length - LENGTH.size)
    return LENGTH.unpack_from(body)[0], body[LENGTH.size :]


async def _message(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    header = await reader.readexactly(1 + LENGTH.size)
    return header[0], await reader.readexactly(LENGTH.unpack_from(header, 1)[0] - LENGTH.size)


async def _password(reader: asyncio.StreamReader) -> bytes:
    kind, body = await _message(reader)
    if kind != Request.PASSWORD:
        raise EOFError("the client left the exchange")
    return body


async def _relay(client: Stream, upstream: Stream) -> None:
    """Both ways, until either side ends."""
    tasks = [asyncio.create_task(_copy(client[0], upstream[1])), asyncio.create_task(_copy(upstream[0], client[1]))]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 1)  # a TLS peer that never says goodbye

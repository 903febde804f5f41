"""The TLS end of an RDS instance: the embedded PostgreSQL is built without OpenSSL, so TLS ends here."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Coroutine
from pathlib import Path

from local.postgres.iam import IamLogins

SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSS_REQUEST = struct.pack("!II", 8, 80877104)
LEAST_STARTUP, LONGEST_STARTUP = 8, 10_000  # bytes; PostgreSQL's own limits
CHUNK = 64 * 1024  # bytes
BACKLOG = 4096  # clients that come all at once wait here, not for TCP to try again


class Endpoint:
    """A loopback address that speaks TLS to clients and passes their bytes to PostgreSQL's Unix socket.

    A client that does not ask for TLS is refused with the words PostgreSQL uses under `rds.force_ssl=1`.
    """

    def __init__(self, socket_directory: Path, certificate: Path, key: Path, iam: IamLogins | None = None) -> None:
        self._iam = iam
        self._socket = socket_directory / ".s.PGSQL.5432"
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(certificate, key)

    async def listen(self, address: str, port: int) -> asyncio.Server:
        """Start to accept clients; OSError when the address is taken."""
        return await asyncio.start_server(self._serve, address, port, backlog=BACKLOG)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await self._secure(reader, writer) and (startup := await self._startup(reader, writer)):
                upstream_reader, upstream_writer = await asyncio.open_unix_connection(str(self._socket))
                upstream_writer.write(startup)
                await _until_either_ends(_copy(reader, upstream_writer), _copy(upstream_reader, writer))
                await _close(upstream_writer)
        except (OSError, EOFError, ssl.SSLError):
            pass  # the client went away, or PostgreSQL is down: the closed connection says so
        except asyncio.CancelledError:
            pass  # the instance ends; asyncio's streams would print a traceback for each client otherwise
        finally:
            await _close(writer)

    async def _secure(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await reader.readexactly(8)
        while request == GSS_REQUEST:
            writer.write(b"N")
            request = await reader.readexactly(8)
        if request != SSL_REQUEST:
            writer.write(_refusal("no pg_hba.conf entry for host: this instance has rds.force_ssl=1, connect with TLS"))
            return False
        writer.write(b"S")
        await writer.drain()
        await writer.start_tls(self._tls)
        return True

    async def _startup(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        """The client's first message, or nothing when it was refused."""
        length = await reader.readexactly(4)
        size = int.from_bytes(length)
        if not LEAST_STARTUP <= size <= LONGEST_STARTUP:
            raise EOFError
        startup = length + await reader.readexactly(size - 4)
        if self._iam is not None and (words := await self._iam.refuses(startup, reader, writer)):
            writer.write(_refusal(words))
            return None
        return startup


def _refusal(message: str) -> bytes:
    fields = b"".join(
        code + text.encode() + b"\0"
        for code, text in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", "28000"), (b"M", message))
    )
    return b"E" + struct.pack("!I", 4 + len(fields) + 1) + fields + b"\0"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


async def _until_either_ends(*copies: Coroutine[None, None, None]) -> None:
    tasks = [asyncio.create_task(copy) for copy in copies]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 1)  # a TLS peer that never says goodbye

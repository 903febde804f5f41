"""One connection, to a client or to the database."""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from local.rds_proxy.messages import HEADER, LENGTH

RECEIVE_LIMIT = 1024 * 1024  # bytes that may lie unread before the relay begins
TLS_SECONDS = 10.0
CLOSE_SECONDS = 1.0


class Connection(asyncio.Protocol):
    """Read message by message while it logs in, then relayed chunk by chunk.

    The relay gets the bytes as they come (`relay`), so that the path of a row has no task and no queue in it.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.lost = False
        self.source: Connection | None = None  # the connection whose bytes are written here
        self._congested = self._paused = False
        self._received = bytearray()
        self._arrival: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_data: Callable[[bytes], None] | None = None
        self._on_lost: Callable[[], None] | None = None
        self._abortion: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self.transport = cast(asyncio.Transport, transport)  # we only make stream transports

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self._on_data is not None:
            self._on_data(data)
            return
        self._received += data
        self._wake()
        if len(self._received) > RECEIVE_LIMIT:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Called by asyncio."""
        self.lost = True
        if self._abortion is not None:
            self._abortion.cancel()
        self._wake()
        if not self._ended.done():
            self._ended.set_result(None)
        if self._on_lost is not None:
            self._on_lost()

    def pause_writing(self) -> None:
        """Called by asyncio when the peer takes less than we write."""
        self._congested = True
        if self.source is not None:
            self.source.pause()

    def resume_writing(self) -> None:
        """Called by asyncio when it has caught up."""
        self._congested = False
        if self.source is not None:
            self.source.resume()

    # while it logs in

    async def read(self, size: int) -> bytes:
        """Exactly `size` bytes; EOFError when the peer leaves before."""
        while len(self._received) < size:
            if self.lost:
                raise EOFError("the peer closed the connection")
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    async def read_message(self) -> tuple[int, bytes]:
        """The next message's kind and body; ValueError when its length can't be right."""
        header = await self.read(HEADER)
        length: int = LENGTH.unpack_from(header, 1)[0]
        if not 4 <= length <= RECEIVE_LIMIT:
            raise ValueError(f"a message claims to be {length} bytes long")
        return header[0], await self.read(length - 4)

    @property
    def has_unread(self) -> bool:
        """Whether bytes have come that nobody has read."""
        return bool(self._received)

    async def start_tls(self, context: ssl.SSLContext, *, server_side: bool, host: str | None = None) -> None:
        """Continue in TLS; OSError (ssl.SSLError is one) or TimeoutError when the handshake fails."""
        transport = await asyncio.get_running_loop().start_tls(
            self.transport,
            self,
            context,
            server_side=server_side,
            server_hostname=host,
            ssl_handshake_timeout=TLS_SECONDS,
            ssl_shutdown_timeout=CLOSE_SECONDS,  # libpq never answers close_notify
        )
        if transport is None:
            raise ConnectionResetError("the peer left during the TLS handshake")
        self.transport = transport

    # while it is relayed

    def relay(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        """Give what comes from now on, and what lies unread, to `on_data`, and its end to `on_lost`."""
        self._on_data, self._on_lost = on_data, on_lost
        if self._received:
            unread, self._received = bytes(self._received), bytearray()
            on_data(unread)
        if self.lost:
            on_lost()

    def stop_relay(self) -> None:
        """Read message by message again."""
        self._on_data = self._on_lost = None

    def write(self, data: bytes) -> None:
        """Send, or drop when the peer has left."""
        if data and not self.lost:
            self.transport.write(data)

    def pause(self) -> None:
        """Stop reading: whoever gets the bytes can't keep up."""
        if not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._paused and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    def pair(self, other: "Connection") -> None:
        """Relay between the two: each is read only as fast as the other is written."""
        self.source, other.source = other, self
        if self._congested:
            other.pause()
        if other._congested:
            self.pause()

    def unpair(self) -> None:
        """End the pairing; both are read freely again."""
        other, self.source = self.source, None
        if other is not None:
            other.source = None
            other.resume()
        self.resume()

    def close(self, farewell: bytes = b"") -> None:
        """Send `farewell` and close."""
        if not self.lost:
            if farewell:
                self.transport.write(farewell)
            self.transport.close()
            # A peer that does not read would keep a closing transport for ever.
            self._abortion = asyncio.get_running_loop().call_later(2 * CLOSE_SECONDS, self.transport.abort)

    async def ended(self) -> None:
        """Return when the connection is closed."""
        await asyncio.shield(self._ended)

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

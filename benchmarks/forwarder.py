"""A TCP forwarder that adds a network's delay, counts round trips, and fails in the ways that networks do.

with Forwarder((host, port), delay_ms=40) as forwarder:
    client_of(*forwarder.address)
    print(forwarder.connections, forwarder.turns)
    forwarder.reset_all()

It runs in a thread of its own; every method may be called from any thread, and has taken effect when it returns.
"""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

Address = tuple[str, int]
T = TypeVar("T")

CHUNK = 256 * 1024
BACKLOG = 128
PATIENCE = 10  # seconds for the forwarder's own thread to do what it was told
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


class Forwarder:
    """Forwards `listen` (port 0: any) to `upstream`, an address or a Unix socket's path.

    `delay_ms` is what one round trip takes longer, half each way; the first bytes of a connection wait a whole round
    trip more, as the TCP handshake would have made them. It may be changed at any time. What is counted: `connections`
    accepted, `turns` (how often a client began to speak, at first or after the server spoke: its round trips without
    the handshake), bytes in both directions.
    """

    def __init__(self, upstream: Address | Path, delay_ms: float = 0, listen: Address = ("127.0.0.1", 0)) -> None:
        self.upstream, self.delay_ms, self.address = upstream, delay_ms, listen
        self.connections = self.turns = self.bytes_from_clients = self.bytes_from_server = 0
        self._open: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._passing.set()
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._cuts = 0
        self._thread = threading.Thread(target=self._loop.run_forever, name="forwarder", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Address:
        """Listen; returns the address."""
        self._thread.start()
        self._call(self._listen)
        return self.address

    def stop(self) -> None:
        """Close every connection and end."""
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    @property
    def open_connections(self) -> int:
        """Clients that are connected now."""
        return len(self._open)

    def count(self, action: Callable[[], object]) -> "Counts":
        """What an action adds to the counts, from its first byte to its return."""
        before = self._counts()
        action()
        return self._counts() - before

    def reset_all(self) -> None:
        """End every connection with RST, on both sides."""
        self._call(lambda: self._end_all(reset=True))

    def close_all(self) -> None:
        """End every connection with FIN, on both sides."""
        self._call(lambda: self._end_all(reset=False))

    def cut_next_answer(self) -> None:
        """Let the next request through, swallow the first bytes of its answer, and reset its client."""

        def arm() -> None:
            self._cuts += 1

        self._call(arm)

    def black_hole(self) -> None:
        """From now on nothing passes in either direction, on old connections and new ones, and nobody is told."""
        self._call(self._passing.clear)

    def refuse(self) -> None:
        """Refuse new connections; the open ones go on."""
        self._call(self._stop_listening)

    def heal(self) -> None:
        """Take back `black_hole` and `refuse`: what was held up arrives late, as TCP would send it again."""
        self._call(self._passing.set)
        if self._listener is None:
            self._call(self._listen)

    def _listen(self) -> None:
        self._listener = socket.create_server(self.address, backlog=BACKLOG)
        self._listener.setblocking(False)
        host, port = self._listener.getsockname()[:2]
        self.address = (host, port)
        self._loop.add_reader(self._listener, self._accept)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._accept()  # who got in before is in
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        while self._listener is not None:
            try:
                client, _ = self._listener.accept()
            except BlockingIOError:
                return
            self.connections += 1
            task = self._loop.create_task(self._forward(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.upstream, Path):
            return await asyncio.open_unix_connection(self.upstream)
        return await asyncio.open_connection(*self.upstream)

    def _end_all(self, *, reset: bool) -> None:
        for connection in list(self._open):
            connection.end(reset=reset)

    async def _close(self) -> None:
        self._stop_listening()
        self._end_all(reset=False)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _forward(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client)
        try:
            upstream_reader, upstream_writer = await self._connect()
        except OSError:
            _end(writer, reset=True)
            return
        connection = _Connection(self, writer, upstream_writer)
        self._open.add(connection)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(
                    _Direction(self, reader, upstream_writer).carry(connection.client_spoke, handshake=True),
                    _Direction(self, upstream_reader, writer).carry(connection.server_spoke, handshake=False),
                )
        finally:
            self._open.discard(connection)
            connection.end(reset=False)

    async def pass_through(self, due: float) -> None:
        """Return when what is due then may leave."""
        await asyncio.sleep(due - time.monotonic())
        await self._passing.wait()

    def take_cut(self) -> bool:
        """Whether the answer to what a client begins to say now is to be cut."""
        if self._cuts:
            self._cuts -= 1
            return True
        return False

    def _counts(self) -> "Counts":
        return Counts(self.connections, self.turns, self.bytes_from_clients, self.bytes_from_server)

    def _call(self, action: Callable[[], object]) -> None:
        async def run() -> None:
            action()

        self._wait(run())

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)


@dataclass(frozen=True)
class Counts:
    """What passed through a forwarder."""

    connections: int
    turns: int
    bytes_from_clients: int
    bytes_from_server: int

    @property
    def round_trips(self) -> int:
        """Turns, and a TCP handshake for each connection: an upper bound, since two sides may speak at once."""
        return self.connections + self.turns

    def __sub__(self, before: "Counts") -> "Counts":
        return Counts(
            self.connections - before.connections,
            self.turns - before.turns,
            self.bytes_from_clients - before.bytes_from_clients,
            self.bytes_from_server - before.bytes_from_server,
        )


class _Connection:
    """A client and its connection to the upstream."""

    def __init__(self, forwarder: Forwarder, client: asyncio.StreamWriter, upstream: asyncio.StreamWriter) -> None:
        self._forwarder, self._client, self._upstream = forwarder, client, upstream
        self._clients_turn = False
        self._is_cut = False

    def client_spoke(self, size: int) -> bool:
        self._forwarder.bytes_from_clients += size
        if not self._clients_turn:
            self._clients_turn = True
            self._forwarder.turns += 1
            self._is_cut = self._forwarder.take_cut()
        return True

    def server_spoke(self, size: int) -> bool:
        """Whether what came may pass."""
        self._forwarder.bytes_from_server += size
        self._clients_turn = False
        if self._is_cut:
            self.end(reset=True)
        return not self._is_cut

    def end(self, *, reset: bool) -> None:
        for end in (self._client, self._upstream):
            _end(end, reset=reset)


class _Direction:
    """One direction of a connection: a delay line."""

    def __init__(self, forwarder: Forwarder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._forwarder, self._reader, self._writer = forwarder, reader, writer
        self._under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def carry(self, heard: Callable[[int], bool], *, handshake: bool) -> None:
        """Forward until one side ends; `heard` is told the size of what came and says whether it passes."""
        delivery = asyncio.create_task(self._deliver())
        trips = 1.5 if handshake else 0.5
        try:
            while data := await self._reader.read(CHUNK):
                if heard(len(data)):
                    self._put(trips, data)
                trips = 0.5
            self._put(trips, b"")
            await delivery
        finally:
            delivery.cancel()

    def _put(self, trips: float, data: bytes) -> None:
        self._under_way.put_nowait((time.monotonic() + trips * self._forwarder.delay_ms / 1000, data))

    async def _deliver(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = await self._under_way.get()
                await self._forwarder.pass_through(due)
                if not data:
                    self._writer.close()  # ends the other direction too: PostgreSQL's clients never half-close
                    return
                self._writer.write(data)
                await self._writer.drain()


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset and not writer.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
    else:
        writer.close()

"""The server connections: at most so many, lent to whoever waits longest."""

import asyncio
import logging
import random
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from local.rds_proxy.credentials import Credentials, CredentialsUnavailable
from local.rds_proxy.metrics import Metrics
from local.rds_proxy.server_connection import (
    DatabaseRefused,
    DatabaseUnavailable,
    Group,
    ServerConnection,
    connect,
)
from local.rds_proxy.settings import Settings

RETRY_SECONDS, RETRY_SECONDS_LIMIT = 0.05, 0.25
RESET_SECONDS = 5.0
GREETINGS = 256
log = logging.getLogger("rds_proxy")


class BorrowTimeout(Exception):
    """No server connection came free, or could be made, within the borrow timeout."""


@dataclass(eq=False)
class Waiter:
    """A client that waits for a server connection."""

    group: Group
    server: asyncio.Future[ServerConnection]


class Pool:
    """Server connections of all users and databases under one limit, which is max_connections × percent / 100."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._credentials, self._metrics, self._clock = settings, credentials, metrics, clock
        self._max_connections = settings.max_connections
        self._connections: set[ServerConnection] = set()  # whatever holds a slot of the database, also while it closes
        self._opening: Counter[Group] = Counter()
        self._idle: dict[ServerConnection, None] = {}  # longest idle first
        self._idle_of: dict[Group, deque[ServerConnection]] = {}
        self._waiters: dict[Waiter, None] = {}  # longest wait first
        self._greetings: OrderedDict[Group, dict[str, str]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self.available = True
        self.peak = 0  # the most server connections there have been
        self._spawn(self._close_idle())

    # what the metrics show

    @property
    def limit(self) -> int:
        """The most server connections that may be open; 1 until the database has told its max_connections."""
        if self._max_connections is None:
            return 1
        return max(1, self._max_connections * self._settings.max_connections_percent // 100)

    @property
    def is_limit_known(self) -> bool:
        """Whether max_connections is configured, or the database has been asked."""
        return self._max_connections is not None

    @property
    def size(self) -> int:
        """Server connections that are open or being opened."""
        return len(self._connections) + self._opening.total()

    @property
    def borrowed(self) -> int:
        """Server connections that a client has."""
        return len(self._connections) - len(self._idle)

    @property
    def in_transaction(self) -> int:
        """Server connections in a transaction, as their last ReadyForQuery said."""
        return sum(server.status != ord("I") for server in self._connections)

    @property
    def with_tls(self) -> int:
        """Server connections in TLS."""
        return sum(server.secured for server in self._connections)

    @property
    def waiting(self) -> int:
        """Clients that wait for a server connection."""
        return len(self._waiters)

    # what sessions call

    async def greeting(self, group: Group) -> dict[str, str]:
        """The settings that PostgreSQL reports to a new session of the group; raises what `borrow` raises."""
        if group not in self._greetings:
            self.release(await self.borrow(group))
        return self._greetings[group]

    def take(self, group: Group) -> ServerConnection | None:
        """An idle server connection of the group at once; there is none while a client of the group waits."""
        return self._pop_idle(group)

    async def borrow(self, group: Group) -> ServerConnection:
        """A server connection of the group; waits for it in turn.

        Raises BorrowTimeout, or DatabaseRefused when the database does not let the group's user in.
        """
        waiter = Waiter(group, asyncio.get_running_loop().create_future())
        self._waiters[waiter] = None
        self._serve()
        try:
            async with asyncio.timeout(self._settings.connection_borrow_timeout):
                return await waiter.server
        except BaseException as error:
            if waiter.server.done() and not waiter.server.cancelled() and waiter.server.exception() is None:
                self.release(waiter.server.result())  # it came in the moment in which we gave up
            if isinstance(error, TimeoutError):
                raise BorrowTimeout from error
            raise
        finally:
            self._waiters.pop(waiter, None)

    def release(self, server: ServerConnection) -> None:
        """Take a server connection back that is in no transaction and owes no answer."""
        if server.lost or not server.is_unchanged:  # a function or DO block may have changed what nobody saw
            self.discard(server)
            return
        server.idle_since = self._clock()
        self._idle[server] = None
        self._idle_of.setdefault(server.group, deque()).append(server)
        server.watch(lambda: self._lost_idle(server))
        self._serve()

    def reset(self, server: ServerConnection) -> None:
        """Take a server connection back that carries a session's state."""
        server.stop_relay()
        self._spawn(self._reset(server))

    def discard(self, server: ServerConnection) -> None:
        """Close a server connection; PostgreSQL rolls back what it was in. Its slot is free when it has ended."""
        self._spawn(self._terminate(server))

    async def close(self) -> None:
        """End every server connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(server.terminate() for server in self._connections))

    # serving

    def _serve(self) -> None:
        """Give what is idle to whoever waits longest, and open what may be opened."""
        if not self._waiters:
            return
        coming = self._opening.copy()
        served = []
        for waiter in self._waiters:
            if waiter.server.done():
                continue  # it gave up, and is about to leave the queue
            server = self._pop_idle(waiter.group)
            if server is not None:
                waiter.server.set_result(server)
                served.append(waiter)
            elif coming[waiter.group] > 0:
                coming[waiter.group] -= 1
            elif not self._open(waiter.group):
                break  # whoever waits behind can't be served either
        for waiter in served:
            del self._waiters[waiter]

    def _open(self, group: Group) -> bool:
        victim = None
        if self.size >= self.limit:
            if not self._idle:
                return False
            victim = next(iter(self._idle))
            self._remove_idle(victim)
            self._connections.discard(victim)  # its slot is the new one's
        self._opening[group] += 1
        self.peak = max(self.peak, self.size)
        self._spawn(self._opened(group, victim))
        return True

    async def _opened(self, group: Group, victim: ServerConnection | None) -> None:
        server = None
        try:
            if victim is not None:
                await victim.terminate()
            server = await self._connect_while_wanted(group)
        except DatabaseRefused as error:
            self._fail_first(group, error)
        finally:
            self._opening -= Counter((group,))
        if server is None:
            self._serve()
        else:
            self._connections.add(server)
            self.release(server)

    async def _connect_while_wanted(self, group: Group) -> ServerConnection | None:
        pause = RETRY_SECONDS
        while any(waiter.group == group for waiter in self._waiters) or pause == RETRY_SECONDS:
            try:
                server = await self._connect(group)
            except (DatabaseUnavailable, CredentialsUnavailable) as error:
                self._note_available(error)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                pause = min(2 * pause, RETRY_SECONDS_LIMIT)
            else:
                self._note_available(None)
                return server
        return None

    async def _connect(self, group: Group) -> ServerConnection:
        counts = self._metrics.counts
        counts["DatabaseConnectionRequests"] += 1
        try:
            server = await connect(self._settings.upstream, group, await self._credentials.password(group.user))
            if self._settings.max_connections is None:
                try:
                    self._max_connections = int(await server.run("SHOW max_connections") or 0)
                except BaseException:
                    server.transport.abort()
                    raise
        except BaseException:
            counts["DatabaseConnectionsSetupFailed"] += 1
            raise
        server.opened_at = self._clock()
        counts["DatabaseConnectionsSetupSucceeded"] += 1
        counts["DatabaseConnectionRequestsWithTLS"] += server.secured
        self._greetings[group] = server.initial_parameters
        self._greetings.move_to_end(group)
        if len(self._greetings) > GREETINGS:
            self._greetings.popitem(last=False)
        return server

    def _fail_first(self, group: Group, error: DatabaseRefused) -> None:
        log.error("The database refused a connection for the user %s to %s: %s", group.user, group.database, error)
        for waiter in self._waiters:
            if waiter.group == group:
                if not waiter.server.done():
                    waiter.server.set_exception(error)
                del self._waiters[waiter]
                return

    def _note_available(self, error: Exception | None) -> None:
        if self.available and error is not None:
            log.warning("The database at %s is not available: %s", self._settings.upstream, error)
        elif not self.available and error is None:
            log.warning("The database at %s is available again", self._settings.upstream)
        self.available = error is None

    # idle server connections

    def _pop_idle(self, group: Group) -> ServerConnection | None:
        """The group's server connection that was idle for the shortest time; those that died meanwhile are dropped."""
        while group in self._idle_of:
            server = self._idle_of[group][-1]
            self._remove_idle(server)
            if not server.is_stale:
                return server
            self.discard(server)
        return None

    def _remove_idle(self, server: ServerConnection) -> None:
        del self._idle[server]
        same = self._idle_of[server.group]
        if same[-1] is server:
            same.pop()
        else:
            same.remove(server)
        if not same:
            del self._idle_of[server.group]

    def _lost_idle(self, server: ServerConnection) -> None:
        if server in self._idle:
            self._remove_idle(server)
            self._connections.discard(server)
            self._serve()

    async def _close_idle(self) -> None:
        settings = self._settings
        while True:
            await asyncio.sleep(min(1.0, settings.database_connection_idle_time / 4))
            now = self._clock()
            surplus = len(self._idle) - (self._max_connections or 0) * settings.idle_percent // 100
            for server in list(self._idle):
                is_surplus = surplus > 0 and now - server.idle_since >= settings.database_connection_idle_time
                if is_surplus or now - server.opened_at >= settings.database_connection_life:
                    surplus -= 1
                    self._remove_idle(server)
                    self.discard(server)

    # ending

    async def _reset(self, server: ServerConnection) -> None:
        try:
            async with asyncio.timeout(RESET_SECONDS):
                await server.run("DISCARD ALL")
        except (DatabaseRefused, DatabaseUnavailable, EOFError, ValueError, TimeoutError):
            self.discard(server)
        else:
            self.release(server)

    async def _terminate(self, server: ServerConnection) -> None:
        await server.terminate()
        self._connections.discard(server)
        self._serve()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

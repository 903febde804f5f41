"""One client that has logged in: its messages go to a server connection that is borrowed per transaction."""

import asyncio
import json
import logging
import time
from collections.abc import Callable

from local.rds_proxy.connection import Connection
from local.rds_proxy.messages import (
    HEADER,
    IDLE,
    LENGTH,
    Answer,
    Request,
    error,
    parameter_status,
    ready_for_query,
)
from local.rds_proxy.metrics import Metrics, PinnedSession
from local.rds_proxy.pinning import Pinning
from local.rds_proxy.pool import BorrowTimeout, Pool
from local.rds_proxy.requests import Requests
from local.rds_proxy.server_connection import DatabaseRefused, Group, ServerConnection
from local.rds_proxy.settings import Settings

WHOLE = 32 * 1024  # bytes; longer messages are passed on as they come
HELD_LIMIT = 1024 * 1024  # bytes of a client that waits for a server connection
# Every message is looked at here: names of the module are found faster than those of a class.
SYNC, COPY_DATA, TERMINATE = Request.SYNC, Request.COPY_DATA, Request.TERMINATE
READY, DONE = Answer.READY_FOR_QUERY, (Answer.PARSE_COMPLETE, Answer.CLOSE_COMPLETE)
# Bytes of a message whose end is waited for: what PostgreSQL refuses for its kind or length, it gets to see at once.
LONGEST = dict.fromkeys((Request.QUERY, Request.PARSE, Request.BIND, Request.FUNCTION_CALL), 1 << 30) | dict.fromkeys(
    (SYNC, TERMINATE, Request.FLUSH, Request.CLOSE, Request.DESCRIBE, Request.EXECUTE), 10_000
)
COUNTED = frozenset((Request.QUERY, Request.EXECUTE))
WATCHED = frozenset((READY, *DONE, Answer.ERROR, Answer.PARAMETER_STATUS, Answer.COPY_IN))
# Without a server connection these mean nothing: libpq sends Flush after a Sync; rows of a COPY that failed come late.
MEANINGLESS = frozenset((Request.FLUSH, Request.COPY_DATA, Request.COPY_DONE, Request.COPY_FAIL))
LOGGED_TEXT = 1000  # characters of a statement
READY_IDLE = ready_for_query()
log = logging.getLogger("rds_proxy")


class Session:
    """The relay between one client and the server connections it borrows.

    The path of the bytes is made of calls, not of tasks; only a client that has to wait gets a task.
    """

    def __init__(
        self,
        client: Connection,
        *,
        number: int,
        peer: str,
        tls: bool,
        group: Group,
        parameters: dict[str, str],
        pool: Pool,
        pinning: Pinning,
        metrics: Metrics,
        settings: Settings,
        clock: Callable[[], float],
        on_end: Callable[["Session"], None],
    ) -> None:
        self.number, self.peer, self.group, self.tls = number, peer, group, tls
        self._client, self._pool, self._metrics, self._settings = client, pool, metrics, settings
        self._clock, self._on_end = clock, on_end
        self._parameters = parameters  # what the client was told
        self._requests = Requests(pinning, self._note_pinned)
        self._server: ServerConnection | None = None
        self._borrowing: asyncio.Task[None] | None = None
        self._held = bytearray()  # what came while we wait for a server connection
        self._partial = b""  # the beginning of a client's message
        self._to_come = 0  # bytes of a client's message whose beginning was passed on
        self._answer_partial = b""
        self._answer_to_come = 0
        self._is_over = False  # the database has said its last words
        self._is_leaving = False  # the client has said that it leaves, and is yet to get answers
        self._counted_as = "QueryRequestsTLS" if tls else "QueryRequestsNoTLS"
        self._began = self._active = self._asked = self._sent = clock()

    def start(self) -> None:
        """Relay from now on."""
        self._client.relay(self._from_client, self._end)

    def close(self, sqlstate: str, text: str) -> None:
        """Tell the client why, and close it."""
        self._client.close(error("FATAL", sqlstate, text))
        self._end()

    def close_when_due(self) -> None:
        """Close the client when it has been idle, or there, for too long; not in the middle of a request."""
        if self._borrowing is not None or not self._requests.is_quiet:
            return
        now, settings = self._clock(), self._settings
        if now - self._active >= settings.idle_client_timeout:
            self.close("57P05", f"the client connection was idle for {settings.idle_client_timeout:g} s")
        elif now - self._began >= settings.client_life:
            self.close("57P05", f"the client connection is older than {settings.client_life:g} s")

    # from the client

    def _from_client(self, data: bytes) -> None:
        self._active = now = self._clock()
        if self._borrowing is not None:
            self._held += data
            if len(self._held) > HELD_LIMIT:
                self._client.pause()
            return
        if self._server is not None and self._requests.is_quiet:
            self._asked = self._sent = now
        self._relay_requests(data)

    def _relay_requests(self, data: bytes) -> None:
        if self._partial:
            data, self._partial = self._partial + data, b""
        server, counts, size = self._server, self._metrics.counts, len(data)
        position = min(self._to_come, size)
        self._to_come -= position
        sent = 0 if server is not None else position
        while size - position >= HEADER:
            kind = data[position]
            end = position + 1 + LENGTH.unpack_from(data, position + 1)[0]
            if end > size and size - position < WHOLE and end - position <= LONGEST.get(kind, 0):
                break
            if kind == TERMINATE or end - position < HEADER:
                self._pass_on(data, sent, position)
                self._end_by_message(kind)
                return
            if server is None and kind not in MEANINGLESS:
                if kind == SYNC:
                    self._client.write(READY_IDLE)
                else:
                    server = self._pool.take(self.group)
                    if server is None:
                        self._wait_for_server(data[position:])
                        return
                    self._bind(server, 0.0)
            if server is None:
                sent = min(end, size)
            elif kind != COPY_DATA:
                if kind in COUNTED:
                    counts["QueryRequests"] += 1
                    counts[self._counted_as] += 1
                try:
                    before = self._requests.note(kind, data, position, end)
                except (ValueError, IndexError):  # a string without its end: PostgreSQL says so better than we could
                    before = b""
                if before:
                    self._pass_on(data, sent, position)
                    server.write(before)
                    sent = position
            position = end
        if position > size:
            self._to_come, position = position - size, size
        self._pass_on(data, sent, position)
        if position < size:
            self._partial = data[position:]

    def _pass_on(self, data: bytes, start: int, end: int) -> None:
        if self._server is not None and start < end:
            self._server.write(data if end - start == len(data) else data[start:end])

    def _end_by_message(self, kind: int) -> None:
        if kind != TERMINATE:
            self.close("08P01", "invalid message length")
        elif self._requests.owed:  # PostgreSQL too answers what was asked before
            self._is_leaving = True
            self._client.relay(lambda _: None, self._end)
        else:
            self._client.close()
            self._end()

    # from the database

    def _from_server(self, data: bytes) -> None:
        if self._answer_partial:
            data, self._answer_partial = self._answer_partial + data, b""
        sent, position, size = 0, min(self._answer_to_come, len(data)), len(data)
        self._answer_to_come -= position
        requests, is_idle = self._requests, False
        while size - position >= HEADER:
            kind = data[position]
            end = position + 1 + LENGTH.unpack_from(data, position + 1)[0]
            if kind in WATCHED:
                if end > size:
                    break
                if kind == READY:
                    is_idle = self._note_ready(data[position + HEADER])
                elif kind in DONE:
                    if requests.note_done():
                        self._client.write(data[sent:position])
                        sent = end
                else:
                    self._note_answer(kind, data[position + HEADER : end])
            position = end
        if position > size:
            self._answer_to_come, position = position - size, size
        if sent < position:
            self._client.write(data if position - sent == len(data) else data[sent:position])
        if position < size:
            self._answer_partial = data[position:]
        if self._is_leaving and not requests.owed:
            self._end_by_message(TERMINATE)
        elif is_idle and not self._to_come:
            self._give_back()

    def _note_ready(self, status: int) -> bool:
        assert self._server is not None  # noqa: S101 - for mypy: only a borrowed one is relayed
        self._server.status = status
        self._active = now = self._clock()
        self._metrics.query_database_response_latency.add(now - self._sent)
        self._metrics.query_response_latency.add(now - self._asked)
        self._asked = self._sent = now
        return self._requests.note_ready(status)

    def _note_answer(self, kind: int, body: bytes) -> None:
        assert self._server is not None  # noqa: S101 - for mypy: only a borrowed one is relayed
        if kind == Answer.ERROR:
            self._requests.note_error(body)
            self._is_over = b"VFATAL\0" in body
        elif kind == Answer.COPY_IN:
            self._requests.note_copy_in()
        else:
            self._server.note_parameter(body)
            self._parameters = self._server.parameters

    def _server_lost(self) -> None:
        """The database ended the server connection: what the client did there is over, and so is the client."""
        if self._is_over or self._answer_to_come:  # it has the database's own words, or half a message
            self._client.close()
            self._end()
        else:
            self.close("08006", "the connection to the database was lost in the middle of a request")

    # borrowing

    def _wait_for_server(self, data: bytes) -> None:
        self._held += data
        self._borrowing = asyncio.get_running_loop().create_task(self._borrow())

    async def _borrow(self) -> None:
        began = self._clock()
        try:
            server = await self._pool.borrow(self.group)
        except BorrowTimeout:
            self._borrowing = None
            log.warning("%s waited for a database connection in vain", self)
            # The guide gives the text; class 08 is what drivers report for it (psycopg2: ConnectionException).
            self.close("08000", "Timed-out waiting to acquire database connection")
        except DatabaseRefused as refusal:
            self._borrowing = None
            self.close(refusal.sqlstate, f"Request returned an error: {refusal.text}")
        else:
            self._borrowing = None
            self._bind(server, self._clock() - began)
            held, self._held = bytes(self._held), bytearray()
            self._client.resume()
            self._relay_requests(held)

    def _bind(self, server: ServerConnection, waited: float) -> None:
        self._metrics.borrow_latency.add(waited)
        self._server = server
        self._sent = now = self._clock()
        self._asked = now - waited
        self._requests.begin()
        self._client.pair(server)
        if server.parameters is not self._parameters:
            for name, value in server.parameters.items() - self._parameters.items():
                self._client.write(parameter_status(name, value))
            self._parameters = server.parameters
        server.relay(self._from_server, self._server_lost)

    def _give_back(self) -> None:
        if self._server is not None and self._requests.end():
            give_back = self._pool.discard if self._requests.is_mixed else self._pool.release
            give_back(self._unbind(self._server))

    def _unbind(self, server: ServerConnection) -> ServerConnection:
        server.stop_relay()
        self._client.unpair()
        self._server = None
        return server

    # the end

    def _end(self) -> None:
        """The client has left or was closed: nothing of it stays."""
        self._client.stop_relay()
        if self._borrowing is not None:
            self._borrowing.cancel()
            self._borrowing = None
        if self._server is not None:
            self._leave(self._unbind(self._server))
        self._metrics.pinned.pop(self.number, None)
        self._on_end(self)

    def _leave(self, server: ServerConnection) -> None:
        requests = self._requests
        is_clean = server.status == IDLE and requests.is_quiet and not self._to_come and not self._answer_to_come
        if server.lost or not is_clean or requests.is_mixed or not requests.can_be_reset:
            self._pool.discard(server)
        elif requests.pinned_by is not None:
            self._pool.reset(server)
        else:
            self._pool.release(server)

    def _note_pinned(self, reason: str, statement: bytes) -> None:
        assert self._server is not None  # noqa: S101 - for mypy: only what ran on one pins
        text = statement[: 4 * LOGGED_TEXT].decode("utf-8", "replace")[:LOGGED_TEXT]
        self._metrics.pinned[self.number] = PinnedSession(
            client_connection=self.number,
            client=self.peer,
            user=self.group.user,
            database=self.group.database,
            database_connection=self._server.number,
            reason=reason,
            statement=text,
            pinned_at=time.time(),
        )
        log.warning(
            "%s was pinned to the database connection [dbConnection=%d] for the remainder of the session."
            " Reason: %s. Statement: %s",
            self,
            self._server.number,
            reason,
            json.dumps(text, ensure_ascii=False),  # in one line
        )

    def __str__(self) -> str:
        return (
            f"The client session [clientConnection={self.number}] of {self.group.user} to {self.group.database}"
            f" from {self.peer}"
        )

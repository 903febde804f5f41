"""What a client has asked for and PostgreSQL still owes: from it follows when a server connection can be given back."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from local.rds_proxy.messages import HEADER, IDLE, Request, message
from local.rds_proxy.pinning import LOAD, NAMED_STATEMENT, TEXT_LIMIT, TOO_LONG, UNPARSED, Pinning

# Every message of every client is looked at here: names of the module are found faster than those of a class.
QUERY, SYNC, FUNCTION_CALL = Request.QUERY, Request.SYNC, Request.FUNCTION_CALL
PARSE, BIND, DESCRIBE, EXECUTE, CLOSE = Request.PARSE, Request.BIND, Request.DESCRIBE, Request.EXECUTE, Request.CLOSE
END_OF_COPY = (Request.COPY_DONE, Request.COPY_FAIL)
BOUNDARIES = (QUERY, SYNC, FUNCTION_CALL)  # what a ReadyForQuery answers
OWN = -1  # the kind of what was sent for the client, and whose answer is not the client's
CLOSE_UNNAMED = message(Request.CLOSE, b"S\0")
MARK = message(Request.CLOSE, b"P\1\0")  # closes nothing; that it is answered says that nothing before it failed
SYNTAX_ERROR = b"C42601\0"
KEPT_BY_DISCARD_ALL = (LOAD, UNPARSED)  # what DISCARD ALL would leave behind


class Statement(NamedTuple):
    """The unnamed prepared statement: its Parse message, and the reason and text of what pins when it runs."""

    parse: bytes
    pins: tuple[str, bytes] | None


class Asked(NamedTuple):
    """A message that is to be answered: the unnamed statement after it, where it is one that changes that."""

    kind: int
    changes: bool = False
    unnamed: Statement | None = None


SYNCED, CALLED, CLOSED, NAMED = Asked(SYNC), Asked(FUNCTION_CALL), Asked(CLOSE), Asked(PARSE)
QUERIED, UNNAMED_CLOSED, OWN_CLOSED, MARKED = Asked(QUERY, True), Asked(CLOSE, True), Asked(OWN, True), Asked(OWN)


class Requests:
    """The state of one client's requests, told by each message that passes.

    The unnamed prepared statement may be parsed in one request and bound in a later one, on another server connection
    (asyncpg and JDBC drivers do that): its Parse is kept and sent again there, and the answer to it swallowed.
    """

    def __init__(self, pinning: Pinning, on_pinned: Callable[[str, bytes], None]) -> None:
        self._pinning, self._on_pinned = pinning, on_pinned
        self._asked: deque[Asked] = deque()  # Parse, Close and what a ReadyForQuery answers, as far as it is not
        self.owed = 0  # ReadyForQuery messages
        self.is_batch_open = False  # extended-protocol messages were sent since the last Sync
        self.is_mixed = False  # see _note_mixed
        self._copying_in = False
        self._unnamed: Statement | None = None  # by what PostgreSQL has answered
        self._unnamed_is_here = False  # the borrowed server connection has it, or knows that there is none
        self._next: Statement | None = None  # the unnamed statement when PostgreSQL will have answered
        self._next_is_here = False
        self._portal_reasons: dict[bytes, tuple[str, bytes]] = {}
        self._unparsed: list[bytes] = []
        self._syntax_errors = 0
        self.pinned_by: tuple[str, bytes] | None = None  # the reason and the statement

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was asked that is not answered."""
        return not self.owed and not self.is_batch_open

    @property
    def can_be_reset(self) -> bool:
        """Whether DISCARD ALL removes what pinned the session."""
        return self.pinned_by is None or self.pinned_by[0] not in KEPT_BY_DISCARD_ALL

    def begin(self) -> None:
        """A server connection was borrowed."""
        self._unnamed_is_here = self._next_is_here = self.is_mixed = False
        if self._portal_reasons:
            self._portal_reasons.clear()
        if self._unparsed:
            self._unparsed.clear()
        self._syntax_errors = 0

    def end(self) -> bool:
        """Whether the server connection can be given back, PostgreSQL being idle: not when the session is pinned."""
        if self._unparsed and self.pinned_by is None and len(self._unparsed) > self._syntax_errors:
            self._pin_now(UNPARSED, self._unparsed[0])
        return self.pinned_by is None

    # the client's messages

    def note(self, kind: int, data: bytes, position: int, end: int) -> bytes:
        """Take note of the message at `position`; returns what is to be sent before it, mostly nothing.

        `data` may stop short of `end` when the message is longer than 32 KB. ValueError or IndexError when a string
        has no end.
        """
        if kind == QUERY:
            return self._note_query(data[position + HEADER : end - 1])
        if kind == SYNC:
            self.is_batch_open = False
            if not self._copying_in:
                self._note_boundary(SYNCED)
        elif kind == BIND:
            self.is_batch_open = True
            return self._note_bind(data, position + HEADER)
        elif kind == EXECUTE:
            self.is_batch_open = True
            if self._portal_reasons:
                self._note_execute(data, position + HEADER)
        elif kind == PARSE:
            before = self._mark() if self.is_batch_open and self._next is not None and self.pinned_by is None else b""
            self.is_batch_open = True
            return before + self._note_parse(data, position, end)
        elif kind == DESCRIBE:
            self.is_batch_open = True
            if data[position + HEADER : position + HEADER + 2] == b"S\0":
                return self._bring_unnamed()
        elif kind == CLOSE:
            self.is_batch_open = True
            if data[position + HEADER : position + HEADER + 2] == b"S\0":
                self._note_change(UNNAMED_CLOSED)
            else:
                self._asked.append(CLOSED)
        elif kind == FUNCTION_CALL:
            before = self._note_mixed()
            self._note_boundary(CALLED)
            return before
        elif kind in END_OF_COPY:
            self._copying_in = False
        return b""

    def _note_boundary(self, asked: Asked) -> None:
        self._asked.append(asked)
        self.owed += 1

    def _note_change(self, asked: Asked) -> None:
        self._asked.append(asked)
        self._next, self._next_is_here = asked.unnamed, True

    def _mark(self) -> bytes:
        """An error that comes before the answer is that of a message before this point; COPY knows no such message."""
        if self._copying_in:
            return b""
        self._asked.append(MARKED)
        return MARK

    def _note_mixed(self) -> bytes:
        """PostgreSQL is confused afterwards ("unexpected state STARTED"): nobody else is to meet it."""
        if not self.is_batch_open:
            return b""
        self.is_mixed = True
        return self._mark()

    def _note_query(self, text: bytes) -> bytes:
        before = self._note_mixed()
        self.is_batch_open = False
        self._note_change(QUERIED)  # a simple query drops the unnamed statement
        self.owed += 1
        if self.pinned_by is None:
            reason = self._pinning.reason(text)
            if reason is not None:
                self._pin(reason, text)
        return before

    def _note_bind(self, data: bytes, body: int) -> bytes:
        portal_end = data.index(0, body)
        if data[portal_end + 1] != 0:
            return b""  # of a named statement: the session is pinned
        if self._next is not None and self._next.pins is not None:
            self._portal_reasons[data[body:portal_end]] = self._next.pins
        elif self._portal_reasons:
            self._portal_reasons.pop(data[body:portal_end], None)
        return self._bring_unnamed()

    def _note_execute(self, data: bytes, body: int) -> None:
        reason = self._portal_reasons.get(data[body : data.index(0, body)])
        if reason is not None:
            self._pin(*reason)

    def _note_parse(self, data: bytes, position: int, end: int) -> bytes:
        whole = data[position:end]
        if self._next is not None and whole == self._next.parse:  # again the same: nothing new about it
            self._note_change(Asked(PARSE, True, self._next))
            return b""
        name_end = data.index(0, position + HEADER)
        text_end = data.find(0, name_end + 1)
        text = data[name_end + 1 : text_end if text_end >= 0 else end]
        if name_end > position + HEADER:
            before = self._bring_unnamed()
            self._asked.append(NAMED)
            self._pin(NAMED_STATEMENT, text)
            return before
        reason = None if self.pinned_by else self._pinning.reason(text)
        self._note_change(Asked(PARSE, True, Statement(whole, (reason, text) if reason else None)))
        if reason == TOO_LONG or end - position > 2 * TEXT_LIMIT:
            self._pin(TOO_LONG, text)  # too long, or with too many types, to be kept and parsed again elsewhere
        return b""

    def _bring_unnamed(self) -> bytes:
        if self._next_is_here or self.pinned_by is not None:
            return b""
        if self._next is None:  # the one of whoever had this server connection before must not be found
            self._note_change(OWN_CLOSED)
            return CLOSE_UNNAMED
        self._note_change(Asked(OWN, True, self._next))
        return self._next.parse

    # PostgreSQL's answers

    def note_ready(self, status: int) -> bool:
        """Take note of a ReadyForQuery; whether PostgreSQL is idle and owes nothing."""
        if self._asked and self._asked[0].kind not in BOUNDARIES:
            self._skip()
        if self._asked:
            self.owed -= 1
            if self._asked.popleft() is QUERIED:
                self._unnamed, self._unnamed_is_here = None, True
        self._copying_in = False
        return status == IDLE and self.is_quiet

    def note_done(self) -> bool:
        """Take note of a ParseComplete or CloseComplete; whether it answers what the client did not send."""
        if not self._asked or self._asked[0].kind in BOUNDARIES:
            return False
        asked = self._asked.popleft()
        if asked.changes:
            self._unnamed, self._unnamed_is_here = asked.unnamed, True
        return asked.kind == OWN

    def note_error(self, body: bytes) -> None:
        """Take note of an ErrorResponse."""
        self._copying_in = False
        self._syntax_errors += SYNTAX_ERROR in body
        if self._asked and self._asked[0].kind in BOUNDARIES:
            return
        if self._asked and self._asked[0].kind == PARSE and self._asked[0].changes:
            self._unnamed, self._unnamed_is_here = None, False  # what fails has dropped the one before it
        self._skip()
        if self.is_mixed and not self._asked:  # the Sync is yet to come
            self.is_batch_open = True

    def _skip(self) -> None:
        """Behind an error PostgreSQL skips everything up to the next Sync."""
        while self._asked and self._asked[0].kind != SYNC:
            self.owed -= self._asked.popleft().kind in BOUNDARIES
        last = next((asked for asked in reversed(self._asked) if asked.changes), None)
        self._next = self._unnamed if last is None else last.unnamed
        self._next_is_here = self._unnamed_is_here or last is not None

    def note_copy_in(self) -> None:
        """Take note of a CopyInResponse: PostgreSQL reads rows now, and ignores every Sync until they end."""
        self._copying_in = True
        if not (self._asked and self._asked[0].kind == QUERY):
            self.is_batch_open = True  # the Sync that counts is the one after the rows
        self._asked = deque(asked for asked in self._asked if asked.kind != SYNC)
        self.owed = sum(asked.kind in BOUNDARIES for asked in self._asked)

    # pinning

    def _pin(self, reason: str, text: bytes) -> None:
        if reason == UNPARSED:
            self._unparsed.append(text)  # decided when PostgreSQL has answered
        elif self.pinned_by is None:
            self._pin_now(reason, text)

    def _pin_now(self, reason: str, text: bytes) -> None:
        self.pinned_by = (reason, text)
        self._on_pinned(reason, text)

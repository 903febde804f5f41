"""What an error of the database means for the request: try again, or answer."""

import random
import time
from collections.abc import Callable
from enum import Enum
from typing import Protocol, TypeVar

from lambda_src.database.figures import Figures
from lambda_src.database.unavailable import DatabaseUnavailable
from lambda_src.deadline import Deadline

T = TypeVar("T")

ATTEMPTS = 4  # the first and three more
# Seconds; the pause before the n-th retry is random below one of these * 2**n, and leaves half of the deadline's rest.
BASE = 0.05
BASE_CONNECTING = 0.4  # who refuses at once is starting: the attempts are to last until it has
LAST_PAUSE = 0.75  # of the rest: the most that the last pause while connecting takes, and two thirds of it the least

# SQLSTATEs with which PostgreSQL or the proxy refuses before anything was done, or undoes everything that was.
UNDONE = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "28000",  # invalid_authorization_specification, and
    "28P01",  # invalid_password: of the proxy, which could not log in for a statement, and not of ours
    "25006",  # read_only_sql_transaction: the connection still leads to what was the primary before a failover
    "53300",  # too_many_connections
    "57P03",  # cannot_connect_now
}
# SQLSTATEs after which the connection is of no use.
CONNECTION_IS_GONE = {"25006", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04"}
# SQLSTATEs that say the database can't serve now; trying again at once would only add to it.
UNAVAILABLE = {
    "57014",  # query_canceled: statement_timeout
    "55P03",  # lock_not_available
}
UNAVAILABLE_CLASSES = ("53", "58")  # no room (disk, memory, a limit), and what fails below PostgreSQL (a disk, a file)


class Verdict(Enum):
    """What to do about an error."""

    RECONNECT = "nothing was sent: connect again"
    RETRY = "nothing was done: try again"
    RETRY_IF_IDEMPOTENT = "it may have been done: try again only what may be done twice"
    UNAVAILABLE = "answer that the database can't serve now"
    RAISE = "the statement itself is wrong"


ALWAYS = {Verdict.RECONNECT, Verdict.RETRY}


class PostgresError(Protocol):
    """What PostgreSQL says of a failure, by whatever way it came."""

    @property
    def sqlstate(self) -> str | None:
        """Five characters, or None where PostgreSQL said nothing."""


def verdict(error: PostgresError, *, connecting: bool, broken: bool) -> Verdict:
    """Judge an error by its SQLSTATE and by when it came, never by its text.

    `connecting` says that no statement was sent yet, `broken` that the connection is unusable after it.
    """
    state = error.sqlstate
    if connecting:
        return Verdict.RECONNECT
    if state in UNDONE:
        return Verdict.RETRY
    if state in UNAVAILABLE or (state or "").startswith(UNAVAILABLE_CLASSES):
        return Verdict.UNAVAILABLE
    if broken or state in CONNECTION_IS_GONE or (state or "").startswith("08"):
        return Verdict.RETRY_IF_IDEMPOTENT
    return Verdict.RAISE


class AttemptFailed(Exception):
    """An attempt got no result: `decision` is what to do about it."""

    def __init__(self, decision: Verdict, reason: str) -> None:
        super().__init__(reason)
        self.decision = decision


class Counted(Protocol):
    """What counts what a request costs."""

    @property
    def figures(self) -> Figures:
        """The count, which starts anew with each request."""


class Attempts:
    """What one request does with its database: under one deadline, tried again where that is safe.

    `uncertain` is true once an attempt failed in a way that leaves open whether it was carried out.
    """

    def __init__(self, database: Counted, deadline: Deadline) -> None:
        self.uncertain = False
        self._counted = database
        self._deadline = deadline

    def carry_out(self, attempt: Callable[[], T], *, idempotent: bool) -> T:
        """What `attempt` returns, the first time that it does not raise AttemptFailed.

        `idempotent` says that carrying it out twice does what once does; only then is it tried again after its answer
        was lost. Raises DatabaseUnavailable when the deadline or the attempts run out.
        """
        for number in range(1, ATTEMPTS + 1):
            try:
                return attempt()
            except AttemptFailed as error:
                self.uncertain = self.uncertain or error.decision is Verdict.RETRY_IF_IDEMPOTENT
                self._wait_for_the_next(number, error, idempotent=idempotent)
        raise AssertionError("the last attempt returns or raises")

    def _wait_for_the_next(self, number: int, error: AttemptFailed, *, idempotent: bool) -> None:
        """Return when an attempt after this one (1, 2, …) is safe and there is time for it."""
        decision, figures, left = error.decision, self._counted.figures, self._deadline.remaining()
        may_retry = decision in ALWAYS or (decision is Verdict.RETRY_IF_IDEMPOTENT and idempotent)
        figures.deadline_exceeded += left == 0
        if not may_retry or number == ATTEMPTS or left == 0:
            raise DatabaseUnavailable(f"{error} at attempt {number}, {left:.1f} s left: {decision.value}") from error
        figures.retries += 1
        time.sleep(pause(number, decision, left))


def pause(retry: int, decision: Verdict, left: float) -> float:
    """Seconds to wait before the `retry`-th retry (1, 2, …): exponential with full jitter, at most half of `left`.

    The last one while connecting is never short, so that three short ones do not give up on who is back in time.
    """
    base = BASE_CONNECTING if decision is Verdict.RECONNECT else BASE
    is_last = decision is Verdict.RECONNECT and retry == ATTEMPTS - 1
    longest = min(base * 2**retry, left * (LAST_PAUSE if is_last else 0.5))
    return random.uniform(longest * 2 / 3 if is_last else 0, longest)  # noqa: S311 (no secret is made of it)

"""The one connection of an execution environment, whatever is spoken on it."""

import contextlib
import logging
import time
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, Protocol, TypeVar

from lambda_src.database.figures import Figures
from lambda_src.deadline import Deadline

logger = logging.getLogger(__name__)

Connection = TypeVar("Connection")


class Patience(Protocol):
    """How long to try, and for how long a connection is good; all in seconds."""

    @property
    def connect_timeout(self) -> float:
        """Of one attempt to connect."""

    @property
    def deadline(self) -> float:
        """Of all attempts of one request together."""

    @property
    def connection_max_age(self) -> float:
        """The life of a connection."""


class KeptConnection(ABC, Generic[Connection]):
    """At most one open connection, reused by every invocation until it is too old, broken or stale.

    An execution environment handles one invocation at a time, so one connection is as many as it can use, and N
    environments open N connections. `figures` counts what has happened since they were last taken. What speaks a
    protocol says how a connection is opened and ended, and which errors say that none is to be had: `FAILURES`.
    """

    FAILURES: ClassVar[tuple[type[Exception], ...]] = (OSError,)

    def __init__(self, patience: Patience, figures: Figures) -> None:
        self.figures = figures
        self._patience = patience
        self._kept: Connection | None = None
        self._opened_at = 0.0
        self._was_connected = False

    def warm_up(self) -> None:
        """Connect while the function initialises, when CPU is free; a failure is logged, and tried again on use."""
        with contextlib.suppress(*self.FAILURES):
            self.connection(Deadline(self._patience.deadline))

    def connection(self, deadline: Deadline) -> Connection:
        """The open connection, or a new one; raises one of FAILURES when none is to be had."""
        if self._kept is not None and not self._is_usable(self._kept):
            self.close()
        if self._kept is None:
            self._kept = self._connect(deadline)
        return self._kept

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._kept is not None:
            self._end(self._kept)
            self._kept = None

    def _connect(self, deadline: Deadline) -> Connection:
        started = time.monotonic()
        try:
            connection = self._open(Deadline(min(self._patience.connect_timeout, deadline.remaining())))
        except self.FAILURES as error:
            logger.warning("connect failed", extra={"error": self._reason(error)})
            raise
        finally:
            self.figures.connect_seconds += time.monotonic() - started
        self._opened_at = time.monotonic()
        self.figures.connects += 1
        self.figures.reconnects += self._was_connected
        self._was_connected = True
        return connection

    def _is_usable(self, connection: Connection) -> bool:
        is_young = time.monotonic() - self._opened_at <= self._patience.connection_max_age
        return is_young and self._is_alive(connection)

    @abstractmethod
    def _open(self, deadline: Deadline) -> Connection:
        """A new connection, before the deadline, or one of FAILURES."""

    @abstractmethod
    def _end(self, connection: Connection) -> None:
        """Close it, without waiting for anybody."""

    @abstractmethod
    def _is_alive(self, connection: Connection) -> bool:
        """Whether it is open and the other end has not said goodbye, as can be seen without a round trip."""

    def _reason(self, error: Exception) -> str:
        """A failure to connect, for the log, without what is secret."""
        return f"{type(error).__name__}: {error}"

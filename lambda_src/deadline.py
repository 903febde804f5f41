"""One deadline for all that a request does."""

import time
from typing import Protocol, Self

MARGIN = 0.25  # seconds kept of the invocation's time to answer in


class Context(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""


class Deadline:
    """A moment that attempts, waits and pauses together may not pass."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @classmethod
    def of(cls, context: Context, seconds: float) -> Self:
        """`seconds` from now, or what the invocation has left when that is less."""
        return cls(min(seconds, context.get_remaining_time_in_millis() / 1000 - MARGIN))

    def remaining(self) -> float:
        """Seconds left, never less than 0."""
        return max(0.0, self._end - time.monotonic())

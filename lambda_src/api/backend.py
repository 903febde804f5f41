"""What the handler knows of a store, whatever it is and whatever it keeps."""

from contextlib import AbstractContextManager
from typing import Any, Protocol

from lambda_src.deadline import Context


class StoreUnavailable(Exception):
    """The store can't serve this request now; the message says why, for the log."""


class Store(Protocol):
    """Where the resources of the API are kept: what one request may use. Each resource has methods of its own."""

    def ping(self) -> None:
        """Return when the store answers."""


class Backend(Protocol):
    """What an execution environment keeps from one request to the next, to make each a store of its own.

    A module of a store has a function `connect` that makes one from the function's environment variables.
    """

    def warm_up(self) -> None:
        """Connect while the function initialises, when CPU is free; a failure is tried again on use."""

    def store(self, context: Context) -> AbstractContextManager[Store]:
        """The store of one request, within the invocation's time; its methods also raise StoreUnavailable."""

    def figures(self) -> dict[str, Any]:
        """Fields for the request's log line: what it cost. Counting starts anew."""

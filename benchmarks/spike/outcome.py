"""What execution environments are told to do, and what became of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Job:
    """What every execution environment does: connect, then `requests` times think and send a transaction."""

    variables: Mapping[str, str]  # the function's environment variables
    requests: int
    think_seconds: float  # on average


@dataclass
class Outcome:
    """Counts over all execution environments, and how long things took, in seconds."""

    connected: int = 0  # environments that have got a connection
    refused: int = 0  # environments whose first attempt did not
    open: int = 0  # environments that have a connection now
    finished: int = 0  # environments that have sent all they had to
    done: int = 0
    failed: int = 0
    refused_attempts: Counter[str] = field(default_factory=Counter)  # reason -> attempts, retries included
    connect_seconds: list[float] = field(default_factory=list)
    request_seconds: list[float] = field(default_factory=list)

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(*(getattr(self, name) + getattr(other, name) for name in vars(self)))

    def counts(self) -> "Outcome":
        """The counts alone, which are cheap to send."""
        return Outcome(self.connected, self.refused, self.open, self.finished, self.done, self.failed)

"""What a long run says of itself while it runs: one line that changes on a terminal, a line now and then elsewhere."""

import sys
import time

SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Lines that replace each other; `done` leaves the last one."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._shown_at = time.monotonic()

    def show(self, line: str) -> None:
        """Show how things stand."""
        now = time.monotonic()
        if self._is_terminal:
            sys.stdout.write(f"\r  {line:<100}")
        elif now - self._shown_at >= SECONDS_BETWEEN_LINES:
            sys.stdout.write(f"  {line}\n")
            self._shown_at = now
        sys.stdout.flush()

    def done(self, line: str) -> None:
        """Say how it ended."""
        sys.stdout.write(f"\r  {line:<100}\n" if self._is_terminal else f"  {line}\n")
        sys.stdout.flush()
        self._shown_at = time.monotonic()

"""What a request cost its database, as one log line that CloudWatch also reads as metrics (embedded metric format)."""

from dataclasses import dataclass
from typing import Any

from lambda_src.database import figures


@dataclass
class Figures(figures.Figures):
    """The same counts as with PostgreSQL; `error` is the number of the last error."""

    error: int | None = None
    secret_reads: int = 0

    def as_log_fields(self) -> dict[str, Any]:
        """Fields for the request's log line. Nothing in them comes from the request."""
        fields = super().as_log_fields()
        del fields["sqlstate"]
        return {**fields, "error": self.error, "secret_reads": self.secret_reads}

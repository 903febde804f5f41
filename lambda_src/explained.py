"""Errors for whoever reads a log or a failed deployment: each ends with the heading that explains it."""


class Explained(Exception):
    """An error whose text ends with a link into docs/errors.md; what derives from it names the heading."""

    heading: str

    def __str__(self) -> str:
        """The message and the link."""
        return f"{super().__str__()}; see docs/errors.md#{self.heading}"

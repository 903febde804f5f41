"""What a request is told when its database can't serve it, whichever way leads there."""


class DatabaseUnavailable(Exception):
    """The database can't serve this request now; the message says why, for the log."""

"""How a function reaches its database: PostgreSQL through RDS Proxy. A fork keeps this folder as it is.

What imports psycopg is imported when it is asked for: a store whose zip has no psycopg uses the modules that do not.
"""

from typing import TYPE_CHECKING

from lambda_src.database.settings import Settings
from lambda_src.database.unavailable import DatabaseUnavailable
from lambda_src.deadline import Deadline

if TYPE_CHECKING:
    from lambda_src.database.connection import Database, Session
else:

    def __getattr__(name: str) -> object:
        if name not in ("Database", "Session"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from lambda_src.database import connection

        return getattr(connection, name)


__all__ = ["Database", "DatabaseUnavailable", "Deadline", "Session", "Settings"]

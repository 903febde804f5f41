"""How a function reaches PostgreSQL through RDS Proxy. A fork keeps this folder as it is."""

from lambda_src.database.connection import Database, DatabaseUnavailable, Session
from lambda_src.database.settings import Settings
from lambda_src.deadline import Deadline

__all__ = ["Database", "DatabaseUnavailable", "Deadline", "Session", "Settings"]

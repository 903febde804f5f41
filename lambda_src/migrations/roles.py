"""The database's three roles: who owns the tables, who changes them at a deployment, and who may only use them."""

import secrets

import psycopg
from psycopg import sql

from lambda_src.database.instance import set_password

OWNER, MIGRATOR = "owner", "migrator"
IAM = "rds_iam"  # RDS's: whoever is a member logs in with an IAM token, and with no password
LOCK_TIMEOUT = "5s"  # a migration that waits for a lock makes every later query on the table wait behind it


def ensure_roles(
    connection: psycopg.Connection, *, application: str, password: str | None, statement_timeout: float
) -> None:
    """Bring the roles to what the service needs; changes nothing that is already so. `connection` is the master's.

    `owner` can't log in and owns every table. `migrator` may become `owner`, and nothing else; its logins are lent
    (see `lend_password`). `application` may only do what migrations grant it, and logs in with `password`, or with IAM
    tokens where that is None: never with both. A statement of the application is cancelled after `statement_timeout`
    seconds, and so is a transaction that it leaves idle: set on the role, since a SET through RDS Proxy pins the
    session, and before the pool opens, since only new sessions see it.
    """
    ensure_owner_and_application(connection, application, statement_timeout)
    _create(connection, MIGRATOR)
    owner, migrator = sql.Identifier(OWNER), sql.Identifier(MIGRATOR)
    connection.execute(sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(owner, migrator))
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(migrator))
    connection.execute(sql.SQL("ALTER ROLE {} SET lock_timeout = {}").format(migrator, sql.Literal(LOCK_TIMEOUT)))
    for name in (MIGRATOR, application):
        _use_iam(connection, name, password is None)
    if password is not None:
        set_password(connection, application, password)


def ensure_owner_and_application(connection: psycopg.Connection, application: str, statement_timeout: float) -> None:
    """The roles that every PostgreSQL has, wherever it is: see `ensure_roles`. `application` gets no password here."""
    for name in (OWNER, application):
        _create(connection, name)
    owner, role = sql.Identifier(OWNER), sql.Identifier(application)
    connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(owner))
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER WITH SET TRUE").format(owner))  # to repair by hand
    connection.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA public TO {}").format(owner))
    database = sql.Identifier(connection.info.dbname)
    # Every role may make temporary tables unless this says otherwise, and one of them pins its session.
    connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))
    connection.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(database, owner))
    milliseconds = sql.Literal(f"{statement_timeout * 1000:.0f}ms")
    for parameter in ("statement_timeout", "idle_in_transaction_session_timeout"):
        statement = sql.SQL("ALTER ROLE {} SET {} = {}")
        connection.execute(statement.format(role, sql.Identifier(parameter), milliseconds))
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(role))


def lend_password(connection: psycopg.Connection) -> str:
    """A new password of `migrator`, to be taken back with `revoke_password`: none is kept anywhere."""
    password = secrets.token_urlsafe(32)
    set_password(connection, MIGRATOR, password)
    return password


def revoke_password(connection: psycopg.Connection) -> None:
    """Leave `migrator` without a password, so that nobody logs in as it until migrations run again."""
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD NULL").format(sql.Identifier(MIGRATOR)))


def _create(connection: psycopg.Connection, name: str) -> None:
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))


def _use_iam(connection: psycopg.Connection, name: str, wanted: bool) -> None:
    """Tokens, or a password: PostgreSQL on RDS asks a member of rds_iam for a token whatever password it has."""
    role, iam = sql.Identifier(name), sql.Identifier(IAM)
    is_member = "SELECT FROM pg_auth_members WHERE roleid = to_regrole(%s) AND member = to_regrole(%s)"
    if connection.execute(is_member, [IAM, name]).fetchone() is None:
        if wanted:
            connection.execute(sql.SQL("GRANT {} TO {}").format(iam, role))
    elif not wanted:
        connection.execute(sql.SQL("REVOKE {} FROM {}").format(iam, role))
    if wanted:
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD NULL").format(role))

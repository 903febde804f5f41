"""Run by deployments of changed code whose PostgreSQL is outside the account: roles, then migrations, past the pooler.

The provider's own role, the one in the direct URL, makes the roles `owner` and `application`, and acts as `owner`.
"""

import logging
import os
from typing import Any

import psycopg
from psycopg import sql

from lambda_src.database.instance import CONNECT_TIMEOUT, PASSWORD_LOCK
from lambda_src.database.secret_url import SecretUnavailable, read_fields
from lambda_src.database.settings import require, root_bundle
from lambda_src.migrations.handler import MIGRATIONS
from lambda_src.migrations.roles import LOCK_TIMEOUT, ensure_owner_and_application
from lambda_src.migrations.runner import migrate, read
from lambda_src.neon.url import Url

logging.getLogger("lambda_src").setLevel(logging.INFO)

# What the template gives this function, DB_MIGRATIONS_SECRET_NAME where there is one; a test compares the two.
VARIABLES = ("DB_SECRET_NAME", "DB_STATEMENT_TIMEOUT_SECONDS")
APPLICATION = "application"  # whom the migrations grant to


def handler(_event: object, _context: object) -> dict[str, Any]:
    """Bring the database to this version; an exception fails the deployment with its message."""
    require(VARIABLES)
    application, direct = _urls(os.environ["DB_SECRET_NAME"], os.environ.get("DB_MIGRATIONS_SECRET_NAME"))
    # Set at the start of the session, where RESET leads back to: nothing here waits for a lock for long.
    with _connect(direct, options=f"-c statement_timeout=0 -c lock_timeout={LOCK_TIMEOUT}") as provider:
        provider.execute("SET lock_timeout = 0")
        provider.execute("SELECT pg_advisory_lock(%s)", [PASSWORD_LOCK])  # of two deployments one waits here
        provider.execute("RESET lock_timeout")
        seconds = float(os.environ["DB_STATEMENT_TIMEOUT_SECONDS"])
        ensure_owner_and_application(provider, APPLICATION, seconds)
        if application.role == APPLICATION:
            _ensure_password(provider, direct, application)
        else:
            _let_act_as_application(provider, application.role)
        return {"applied": migrate(provider, read(MIGRATIONS))}


def _urls(secret_name: str, own_secret_name: str | None) -> tuple[Url, Url]:
    """The functions' URL, and the one of migrations: given as direct_url, or the other one past the pooler."""
    fields = read_fields(secret_name, CONNECT_TIMEOUT)
    own = read_fields(own_secret_name, CONNECT_TIMEOUT) if own_secret_name else fields
    try:
        application = Url.of(fields["url"])
        return application, Url.of(own.get("direct_url") or own["url"]).direct
    except ValueError as error:
        raise SecretUnavailable(f"secret {own_secret_name or secret_name}: {error}") from None


def _connect(url: Url, **more: str) -> psycopg.Connection:
    return psycopg.connect(
        host=url.host,
        port=url.port,
        dbname=url.database,
        user=url.user,
        password=url.password,
        sslmode="verify-full",
        sslrootcert=root_bundle(),
        channel_binding=url.channel_binding,
        connect_timeout=CONNECT_TIMEOUT,
        autocommit=True,
        **more,  # type: ignore[arg-type]
    )


def _ensure_password(provider: psycopg.Connection, direct: Url, application: Url) -> None:
    """Give the role `application` the password of the functions' URL, unless that already lets it in.

    Neon takes no hash of a password ("Neon only supports being given plaintext passwords"), so it is sent as it is,
    over TLS that was verified, and only when it is a new one.
    """
    try:
        _connect(direct._replace(user=application.user, password=application.password)).close()
    except psycopg.OperationalError as error:
        if error.pgconn is None or not error.pgconn.used_password:
            raise
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        provider.execute(statement.format(sql.Identifier(APPLICATION), sql.Literal(application.password)))


def _let_act_as_application(provider: psycopg.Connection, role: str) -> None:
    """For functions that log in as another role, such as the provider's own: it gets what the migrations grant."""
    statement = sql.SQL("GRANT {} TO {} WITH INHERIT TRUE")
    provider.execute(statement.format(sql.Identifier(APPLICATION), sql.Identifier(role)))

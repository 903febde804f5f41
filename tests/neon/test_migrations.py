"""Roles and migrations of a database outside the account, past its pooler, as its owner, who is no superuser."""

import json
import re

import psycopg
import pytest
from psycopg import sql

from lambda_src.database.secret_url import SecretUnavailable
from lambda_src.neon.migrations import handler
from local.certificates import server_certificate
from local.neon.servers import Neon
from local.postgres import Server
from local.postgres.server import SUPERUSER
from tests.conftest import PASSWORD
from tests.debian import program

DATABASE, OWNER = "neondb", "neondb_owner"
TIMEOUTS = ["idle_in_transaction_session_timeout=2000ms", "statement_timeout=2000ms"]


@pytest.fixture(scope="module")
def neon(certificates, tmp_path_factory):
    """What a user has of Neon before the first deployment."""
    program("pgbouncer", package="pgbouncer")
    server_certificate(certificates, "localhost")
    directory = tmp_path_factory.mktemp("neon")
    # A password in a statement is in the log of statements: tests/conftest.py looks into every log but PostgreSQL's.
    with (
        Server(directory / "postgres", {"log_statement": "all"}) as server,
        Neon(server, certificates, directory) as running,
    ):
        yield running


@pytest.fixture
def administrator(neon):
    """A superuser, and a new database with its owner and no other role."""
    with as_superuser(neon, "postgres") as opened:
        database, owner = sql.Identifier(DATABASE), sql.Identifier(OWNER)
        opened.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        for role in ("application", "owner", "reports", OWNER):
            opened.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
        create = sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}")
        opened.execute(create.format(owner, sql.Literal(PASSWORD)))
        opened.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
        yield opened


@pytest.fixture
def run(neon, administrator, local_aws, certificates, monkeypatch):
    """Run the migrations with these secrets: of the functions, and of the migrations alone."""
    client = local_aws.client("secretsmanager")
    variables = {
        "AWS_ENDPOINT_URL": local_aws.endpoint,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SSL_CERT_FILE": str(certificates / "ca.pem"),
        "DB_SECRET_NAME": "headroom/migrated",
        "DB_STATEMENT_TIMEOUT_SECONDS": "2",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def put(name, value):
        text = value if isinstance(value, str) else json.dumps(value)
        try:
            client.put_secret_value(SecretId=name, SecretString=text)
        except client.exceptions.ResourceNotFoundException:
            client.create_secret(Name=name, SecretString=text)

    def migrate(value, own=None):
        put("headroom/migrated", value)
        if own is not None:
            put("headroom/migrations", own)
            monkeypatch.setenv("DB_MIGRATIONS_SECRET_NAME", "headroom/migrations")
        return handler({}, None)

    return migrate


def as_superuser(neon, database=DATABASE):
    host = str(neon.server.socket_directory)
    return psycopg.connect(host=host, user=SUPERUSER, dbname=database, autocommit=True)


def url(neon, user, password, port=None):
    return neon.url(user, password, DATABASE, port=port)


def direct(neon):
    return url(neon, OWNER, PASSWORD, neon.direct_port)


def as_function(text, certificates):
    return psycopg.connect(text, sslmode="verify-full", sslrootcert=certificates / "ca.pem", autocommit=True)


def settings_of(administrator, role):
    row = administrator.execute("SELECT rolconfig FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    return sorted(row[0] or []) if row else None


def test_the_role_of_the_url_gets_its_password_and_may_only_use_the_tables(neon, run, administrator, certificates):
    through_pooler = url(neon, "application", "made up by whoever made the secret")
    assert run({"url": through_pooler, "direct_url": direct(neon)}) == {"applied": ["0001_projects.sql"]}
    assert settings_of(administrator, "application") == TIMEOUTS
    with as_function(through_pooler, certificates) as application:
        assert application.execute("SELECT count(*) FROM project").fetchone() == (0,)
        assert application.execute("SHOW statement_timeout").fetchone() == ("2s",)
        for forbidden in (
            "DROP TABLE project",
            "CREATE TABLE mine (id int)",
            "SET ROLE owner",
            "CREATE TEMPORARY TABLE t ()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(forbidden)


def test_a_second_run_changes_nothing_and_sends_no_password(neon, run):
    secret = {"url": url(neon, "application", "a password"), "direct_url": direct(neon)}
    run(secret)
    size = neon.server.log.stat().st_size
    assert run(secret) == {"applied": []}
    added = neon.server.log.read_bytes()[size:].decode()
    assert re.findall(r"ALTER ROLE .*PASSWORD", added) == []
    assert "a password" not in added


def test_another_password_in_the_secret_is_the_roles_after_the_next_run(neon, run, certificates):
    for password in ("first", "second"):
        secret = {"url": url(neon, "application", password), "direct_url": direct(neon)}
        run(secret)
        as_function(secret["url"], certificates).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        as_function(url(neon, "application", "first"), certificates)


def test_the_migrations_secret_may_be_one_that_functions_cannot_read(neon, run, certificates):
    through_pooler = url(neon, "application", "a password")
    assert run(through_pooler, own=direct(neon))["applied"]
    as_function(through_pooler, certificates).close()


def test_a_role_of_the_providers_own_gets_what_migrations_grant(neon, run, administrator, certificates):
    """One URL, as the provider's console shows it: good for a first try."""
    assert run({"url": url(neon, OWNER, PASSWORD), "direct_url": direct(neon)})["applied"]
    with as_function(url(neon, OWNER, PASSWORD), certificates) as owner:
        assert owner.execute("SELECT count(*) FROM project").fetchone() == (0,)
    assert settings_of(administrator, OWNER) == []
    assert settings_of(administrator, "application") == TIMEOUTS


def test_another_role_of_the_users_own_gets_what_migrations_grant_and_no_more(neon, run, administrator, certificates):
    administrator.execute(f"CREATE ROLE reports LOGIN PASSWORD '{PASSWORD}'")
    assert run({"url": url(neon, "reports", PASSWORD), "direct_url": direct(neon)})["applied"]
    with as_function(url(neon, "reports", PASSWORD), certificates) as reports:
        assert reports.execute("SELECT count(*) FROM project").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reports.execute("DROP TABLE project")


def test_planetscales_users_are_roles_with_a_branch(neon, run, certificates, monkeypatch):
    for front in neon.fronts.values():
        monkeypatch.setattr(front, "branch", "nk35mx55qq")
    through_pooler = url(neon, "application.nk35mx55qq", "a password")
    owner = url(neon, f"{OWNER}.nk35mx55qq", PASSWORD, neon.direct_port)
    assert run({"url": through_pooler, "direct_url": owner})["applied"]
    with as_function(through_pooler, certificates) as application:
        assert application.execute("SELECT current_user").fetchone() == ("application",)
        assert application.execute("SELECT count(*) FROM project").fetchone() == (0,)


def test_a_direct_url_that_is_wrong_fails_the_deployment_without_its_password(neon, run):
    wrong = url(neon, OWNER, "confidential", neon.direct_port)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed") as caught:
        run({"url": url(neon, "application", "a password"), "direct_url": wrong})
    assert "confidential" not in str(caught.value)
    with pytest.raises(SecretUnavailable, match=r"headroom/migrated: the URL begins with mysql://"):
        run({"url": url(neon, "application", "a password"), "direct_url": "mysql://a:confidential@b/c"})

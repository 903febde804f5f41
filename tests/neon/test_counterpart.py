"""What stands in for Neon refuses what Neon refuses, and its PgBouncer is one that shares connections."""

import json
import subprocess
import sys

import psycopg
import pytest

from tests.conftest import APPLICATION, DATABASE, PASSWORD, ROOT


@pytest.fixture
def connect(neon, certificates):
    """Connect as the application, with some parameters changed."""

    def connect(text=neon.url, **changed):
        tls = {"sslmode": "verify-full", "sslrootcert": str(certificates / "ca.pem")}
        return psycopg.connect(text, **{**tls, "autocommit": True, "prepare_threshold": None, **changed})

    return connect


def test_clients_share_server_connections(connect):
    clients = [connect() for _ in range(10)]
    try:
        backends = {client.execute("SELECT pg_backend_pid()").fetchone() for client in clients}
    finally:
        for client in clients:
            client.close()
    assert len(backends) < len(clients)


def test_a_named_prepared_statement_fails_as_through_any_old_pgbouncer(connect):
    """Why prepare_threshold is None: a client's statement is not there on its next server connection."""
    with connect() as holder, connect(prepare_threshold=0) as client:
        client.execute("SELECT 1")
        holder.execute("BEGIN")
        holder.execute("SELECT 1")  # has the server connection that the client had
        with pytest.raises(psycopg.Error):
            client.execute("SELECT 1")


def test_a_plain_client_is_refused(connect):
    with pytest.raises(psycopg.OperationalError, match="connection is insecure"):
        connect(sslmode="disable", channel_binding="prefer")


def test_a_client_that_names_no_host_is_refused(connect, neon):
    with pytest.raises(psycopg.OperationalError, match="Endpoint ID is not specified"):
        connect(neon.url.replace("localhost", "127.0.0.1"), sslmode="require")


@pytest.mark.parametrize(("user", "password"), [(APPLICATION, "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_password_and_an_unknown_role_are_told_the_same(connect, neon, user, password):
    with pytest.raises(psycopg.OperationalError, match=f"password authentication failed for user '{user}'"):
        connect(neon.neon.url(user, password, DATABASE))


def test_startup_options_are_refused_by_the_pooler_and_taken_by_the_database(connect, neon):
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
        connect(options="-c lock_timeout=5s")
    direct = neon.neon.url(APPLICATION, PASSWORD, DATABASE, port=neon.neon.direct_port)
    with connect(direct, options="-c lock_timeout=5s") as client:
        assert client.execute("SHOW lock_timeout").fetchone() == ("5s",)


def test_channel_binding_is_to_this_certificate(connect):
    """libpq verifies the server's proof over its own hash of the certificate: a relay with another would fail."""
    with connect(channel_binding="require") as client:
        assert client.pgconn.used_password
    with connect(channel_binding="disable") as client:
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_a_machine_without_pgbouncer_is_told_how_to_get_it(tmp_path):
    program = (
        "import local.debian, runpy; local.debian.SYSTEM = (); local.debian.WRAPPED = local.debian.Path('/nowhere');"
        "runpy.run_module('local.neon', run_name='__main__')"
    )
    description = {
        "state": str(tmp_path),
        "certificates": str(tmp_path),
        "endpoint": "http://127.0.0.1:9",
        "region": "x",
        "secret_name": "x",
        "migrations_secret_name": None,
    }
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        input=json.dumps(description),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 1
    assert "pgbouncer is not on this machine" in found.stderr
    assert "Traceback" not in found.stderr

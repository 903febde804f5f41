"""Who gets the password: only the server whose certificate is for the URL's host, and only over TLS."""

import contextlib
import socket
import ssl
import threading

import pymysql
import pytest
from pymysql.err import OperationalError

from lambda_src.database.settings import InvalidSettings
from lambda_src.deadline import Deadline
from lambda_src.planetscale.connection import Connection, tls_context
from lambda_src.planetscale.database import Database, DatabaseUnavailable
from lambda_src.planetscale.settings import VARIABLES, Login, Settings
from local.certificates import root_bundle
from tests.planetscale.fixtures import APPLICATION, DATABASE, PASSWORD, LocalPlanetScale, mariadb_server, url


@pytest.fixture(scope="module")
def unknown_authority(tmp_path_factory):
    directory = tmp_path_factory.mktemp("unknown-authority")
    root_bundle(directory)
    return directory


@pytest.fixture(scope="module")
def impostor(unknown_authority, tmp_path_factory):
    """A MariaDB whose certificate nobody here trusts."""
    with mariadb_server(tmp_path_factory.mktemp("impostor"), unknown_authority) as running:
        yield running


@pytest.fixture(scope="module")
def plain(certificates, tmp_path_factory):
    """A MariaDB that speaks no TLS."""
    settings = {"require-secure-transport": "OFF", "ssl": "OFF"}
    with mariadb_server(tmp_path_factory.mktemp("plain"), certificates, **settings) as running:
        with running.administrator() as administrator, administrator.cursor() as cursor:
            cursor.execute(f"ALTER USER '{APPLICATION}'@'%' REQUIRE NONE")
        yield running


def log_in(server, certificates, *, host="127.0.0.1", **changed):
    values = {"host": host, "port": server.instance.port, "database": DATABASE, "user": APPLICATION}
    login = Login(**{**values, "password": PASSWORD, **changed})
    tls = tls_context(str(certificates / "ca.pem"))
    with Connection.to(login, "127.0.0.1", tls, Deadline(5)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
        return cursor.fetchone()[1]


def test_a_session_speaks_tls(mariadb, certificates):
    assert log_in(mariadb, certificates) in ("TLSv1.2", "TLSv1.3")


def test_a_certificate_of_an_unknown_authority_is_refused(impostor, certificates):
    with pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        log_in(impostor, certificates)


def test_a_certificate_for_another_host_is_refused(mariadb, certificates):
    with pytest.raises(OperationalError, match="Hostname mismatch"):
        log_in(mariadb, certificates, host="aws.connect.psdb.cloud")


def test_a_server_without_tls_is_refused(plain, certificates):
    with pytest.raises(OperationalError, match="SSL is required"):
        log_in(plain, certificates)


@pytest.mark.parametrize("changed", [{"password": "wrong"}, {"user": "nobody"}, {"database": "mysql"}])
def test_what_the_server_does_not_know_is_refused(mariadb, certificates, changed):
    with pytest.raises(OperationalError, match=r"1045|1044"):
        log_in(mariadb, certificates, **changed)


@pytest.mark.parametrize("server", ["impostor", "plain"])
def test_pymysql_without_arguments_tells_the_password_to_anybody(server, request):
    """Why the arguments are there."""
    instance = request.getfixturevalue(server).instance
    with pymysql.connect(
        host=instance.address, port=instance.port, user=APPLICATION, password=PASSWORD.encode(), database=DATABASE
    ) as connection:
        assert connection.open


def test_the_functions_context_verifies_certificate_and_name(certificates):
    context = tls_context(str(certificates / "ca.pem"))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_an_impostor_is_unavailable_and_never_hears_the_password(impostor, mariadb, local_aws, monkeypatch, caplog):
    planetscale = LocalPlanetScale(mariadb, local_aws)
    planetscale.put_secret(url("127.0.0.1", impostor.instance.port))
    for name, value in planetscale.variables.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(DatabaseUnavailable, match="CERTIFICATE_VERIFY_FAILED"),
        Database(Settings.from_environment()).session(Deadline(2)) as session,
    ):
        session.run("SELECT 1", {}, idempotent=True)
    assert PASSWORD not in caplog.text


def test_a_secrets_manager_that_does_not_answer_is_unavailable_at_the_deadline(mariadb, local_aws, monkeypatch):
    planetscale = LocalPlanetScale(mariadb, local_aws)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        variables = {**planetscale.variables, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with (
            pytest.raises(DatabaseUnavailable, match="SecretUnavailable"),
            Database(Settings.from_environment()).session(Deadline(0.5)) as session,
        ):
            session.run("SELECT 1", {}, idempotent=True)


@contextlib.contextmanager
def dripping_server():
    """Says one byte at a time, for as long as somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            client, _ = listener.accept()
            with client, contextlib.suppress(OSError):
                client.sendall(b"\xff\xff\x00\x00\x0a")
                client.settimeout(0.05)
                while True:
                    client.sendall(b"1")
                    with contextlib.suppress(TimeoutError):
                        if not client.recv(1):
                            return

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.timeout(10)
def test_a_server_that_drips_is_given_up_at_the_deadline(certificates):
    with dripping_server() as port:
        login = Login(host="127.0.0.1", port=port, database="d", user="u", password="p")
        with pytest.raises(OperationalError, match="timed out"):
            Connection.to(login, "127.0.0.1", tls_context(str(certificates / "ca.pem")), Deadline(0.4))


def test_a_url_is_read_with_what_it_quotes():
    login = Login.of(f"{url('aws.connect.psdb.cloud', 3306)}?sslaccept=strict")
    assert login == Login(
        host="aws.connect.psdb.cloud", port=3306, database=DATABASE, user=APPLICATION, password=PASSWORD
    )
    assert Login.of('mysql://u:p@h/d?ssl={"rejectUnauthorized": true}').port == 3306
    assert PASSWORD not in repr(login)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("postgresql://user:hidden@h/d", "begins with postgresql://; mysql://user:password@host/database is needed"),
        ("mysql://h/d", "has no user, no password"),
        ("mysql://user:hidden@/d", "has no host"),
        ("mysql://user:hidden@h", "has no database"),
        ("mysql://user:hidden@h:port/d", "host or port is malformed"),
        ("mysql://user:hidden@[h/d", "host or port is malformed"),
        ("mysql://user:hidden@hö/d", "no ASCII name"),
        ("'mysql://user:hidden@h/d'", "something stands before the URL: leave out quotes"),
        ("mysql://user:hidden@h/d?sslaccept=accept_invalid_certs", "parameter sslaccept is not known here"),
        ('mysql://user:hidden@h/d?ssl={"rejectUnauthorized":false}', "parameter ssl is not known here"),
    ],
)
def test_a_url_that_is_of_no_use_is_refused_without_being_shown(text, message):
    with pytest.raises(ValueError, match=message) as error:
        Login.of(text)
    assert "hidden" not in str(error.value)


def test_every_variable_that_is_missing_or_wrong_is_named(certificates):
    with pytest.raises(InvalidSettings, match="DB_CONNECT_TIMEOUT_SECONDS, DB_DEADLINE_SECONDS"):
        Settings.from_environment({"DB_SECRET_NAME": "s"})
    values = {**dict.fromkeys(VARIABLES, "none"), "SSL_CERT_FILE": str(certificates / "ca.pem")}
    with pytest.raises(InvalidSettings, match=r"DB_CONNECT_TIMEOUT_SECONDS is 'none'.*DB_DEADLINE_SECONDS is 'none'"):
        Settings.from_environment(values)

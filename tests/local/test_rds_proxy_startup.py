"""Who is let in, and what the others are told."""

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any

import asyncpg
import psycopg
import pytest

from local.rds_proxy.messages import CANCEL_REQUEST, GSS_REQUEST, SSL_REQUEST, Answer
from tests.local.conftest import HOST, ROLES, Database, RawClient, RunningProxy, eventually

UNSUPPORTED = "Feature not supported: RDS Proxy currently doesn't support "


def refusal(proxy: RunningProxy, **parameters: Any) -> str:
    with pytest.raises(psycopg.OperationalError) as caught:
        proxy.connect(**parameters)
    return str(caught.value)


def test_a_client_without_tls_is_refused(proxy: RunningProxy) -> None:
    assert "FATAL:  This RDS Proxy requires TLS connections" in refusal(proxy, sslmode="disable")
    with RawClient(proxy, tls=False, log_in=False) as client:
        client.greet({"user": "app"})
        assert client.error() == ("28000", "This RDS Proxy requires TLS connections")
        assert client.is_closed()


def test_iam_authentication_needs_tls_even_where_the_proxy_does_not(start_proxy: Callable[..., RunningProxy]) -> None:
    proxy = start_proxy(require_tls=False)
    assert "IAM authentication is allowed only with SSL connections." in refusal(proxy, sslmode="disable")


def test_a_client_that_offers_x25519_only_is_served(proxy: RunningProxy, database: Database) -> None:
    context = ssl.create_default_context(cafile=database.certificates / "ca.pem")
    context.set_ecdh_curve("X25519")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # Python 3.13's default
    with handshake(proxy, context) as client:
        assert client.version() == "TLSv1.3"


def test_tls_1_1_is_not_spoken(proxy: RunningProxy) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    failed = proxy.metrics()["ClientConnectionsSetupFailedAuth"]
    with pytest.raises(ssl.SSLError):
        handshake(proxy, context)
    eventually(lambda: proxy.metrics()["ClientConnectionsSetupFailedAuth"] > failed)


def handshake(proxy: RunningProxy, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((HOST, proxy.port), timeout=10)
    try:
        plain.sendall(struct.pack("!II", 8, SSL_REQUEST))
        assert plain.recv(1) == b"S"
        return context.wrap_socket(plain, server_hostname=HOST)
    except BaseException:
        plain.close()
        raise


def test_direct_ssl_negotiation_is_closed(proxy: RunningProxy) -> None:
    message = refusal(proxy, sslnegotiation="direct")
    assert "requires TLS" not in message
    assert "does not support direct SSL negotiation" in proxy.log


def test_a_gss_request_is_declined_and_the_client_goes_on(proxy: RunningProxy) -> None:
    with RawClient(proxy, tls=False, log_in=False) as client:
        client.send(struct.pack("!II", 8, GSS_REQUEST))
        assert client.socket.recv(1) == b"N"
        client.send(struct.pack("!II", 8, SSL_REQUEST))
        assert client.socket.recv(1) == b"S"


def test_plaintext_behind_an_ssl_request_is_refused(proxy: RunningProxy) -> None:
    with RawClient(proxy, tls=False, log_in=False) as client:
        client.send(struct.pack("!II", 8, SSL_REQUEST) + b"put there by someone in the middle")
        assert client.is_closed()


def test_a_cancel_request_is_closed_and_the_statement_goes_on(proxy: RunningProxy) -> None:
    connection = proxy.connect()
    result: list[Any] = []
    worker = threading.Thread(target=lambda: result.append(connection.execute("SELECT pg_sleep(0.3), 7").fetchone()))
    worker.start()
    eventually(lambda: proxy.metrics()["DatabaseConnectionsCurrentlyBorrowed"])
    with RawClient(proxy, tls=False, log_in=False) as client:
        client.send(struct.pack("!IIII", 16, CANCEL_REQUEST, connection.info.backend_pid, 0))
        assert client.is_closed()
    worker.join()
    assert result[0][1] == 7
    assert "RDS Proxy does not support CancelRequest" in proxy.log


@pytest.mark.parametrize("protocol", [(3, 2), (3, 9999), (2, 0), (4, 0)])
def test_only_protocol_3_0_is_spoken(proxy: RunningProxy, protocol: tuple[int, int]) -> None:
    with RawClient(proxy, log_in=False) as client:
        client.greet({"user": "app"}, protocol[0] << 16 | protocol[1])
        text = "Feature not supported: RDS Proxy supports only version 3.0 of the PostgreSQL messaging protocol."
        assert client.error() == ("0A000", text)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"options": "-c statement_timeout=1"}, UNSUPPORTED + "command-line options."),
        ({"replication": "database"}, UNSUPPORTED + "streaming replication mode."),
        ({"statement_timeout": "1000"}, UNSUPPORTED + "the option statement_timeout."),
        ({"work_mem": "1MB", "application_name": "x"}, UNSUPPORTED + "the option work_mem."),
        ({"_pq_.something": "1"}, UNSUPPORTED + "the option _pq_.something."),
    ],
)
def test_other_startup_parameters_are_refused(proxy: RunningProxy, parameters: dict[str, str], text: str) -> None:
    with RawClient(proxy, log_in=False) as client:
        client.greet({"user": "app", "database": "one", **parameters})
        assert client.error() == ("0A000", text)
        assert client.is_closed()


def test_a_startup_message_without_a_user_is_refused(proxy: RunningProxy) -> None:
    with RawClient(proxy, log_in=False) as client:
        client.greet({"database": "one"})
        code, text = client.error()
    assert code == "28000"
    assert text.startswith("A user name is missing from the connection startup packet.")


def test_the_documented_startup_parameters_take_effect(proxy: RunningProxy, database: Database) -> None:
    context = ssl.create_default_context(cafile=database.certificates / "ca.pem")
    settings = {
        "application_name": "my app",
        "DateStyle": "German, DMY",
        "TimeZone": "Asia/Tokyo",
        "extra_float_digits": "0",
        "search_path": "pg_catalog",
    }

    async def shown() -> dict[str, str]:
        connection = await asyncpg.connect(
            host=HOST,
            port=proxy.port,
            user="app",
            database="one",
            ssl=context,
            password=proxy.token(),
            server_settings=settings,
            statement_cache_size=0,
        )
        found = {name: await connection.fetchval(f"SHOW {name}") for name in settings}
        found["reported"] = connection.get_settings().application_name
        await connection.close()
        return found

    assert asyncio.run(shown()) == {**settings, "reported": "my app"}


def test_two_clients_with_other_settings_never_share_a_server_connection(
    start_proxy: Callable[..., RunningProxy],
) -> None:
    proxy = start_proxy(max_connections_percent=10)
    first, second = proxy.connect(application_name="first"), proxy.connect(application_name="second")
    for _ in range(3):
        for connection, name in ((first, "first"), (second, "second")):
            assert connection.execute("SHOW application_name").fetchone() == (name,)
            assert connection.info.parameter_status("application_name") == name
    assert proxy.metrics()["DatabaseConnections"] == 2


def test_the_database_is_the_users_name_when_none_is_given(proxy: RunningProxy) -> None:
    with RawClient(proxy, log_in=False) as client:
        client.greet({"user": "app"})
        client.give_password(proxy.token())
        assert client.error() == ("3D000", 'Request returned an error: database "app" does not exist')


def test_a_user_without_credentials_is_refused(proxy: RunningProxy) -> None:
    text = "This RDS proxy has no credentials for the role nobody. Check the credentials for this role and try again."
    assert text in refusal(proxy, user="nobody")


@pytest.mark.parametrize("password", ["app's password", "", "x" * 5000, "127.0.0.1:1/?Action=connect", "\x01\x7f"])
def test_a_password_that_is_no_token_is_refused(proxy: RunningProxy, password: str) -> None:
    failed = proxy.metrics()["ClientConnectionsSetupFailedAuth"]
    with RawClient(proxy, log_in=False) as client:
        client.greet({"user": "app", "database": "one"})
        client.give_password(password)
        text = "The IAM authentication failed for the role app. Check the IAM token for this role and try again."
        assert client.error() == ("28P01", text)
        assert client.is_closed()
    assert proxy.metrics()["ClientConnectionsSetupFailedAuth"] == failed + 1


def test_why_a_token_was_refused_is_in_the_log_and_the_token_is_not(proxy: RunningProxy) -> None:
    token = proxy.token(region="us-east-2")
    message = refusal(proxy, password=token)
    assert "The IAM authentication failed for the role app." in message
    assert "us-east-2" not in message
    assert "it was made for the region 'us-east-2', and this is eu-west-1" in proxy.log
    signature = token.rpartition("=")[2]
    assert signature not in proxy.log


def test_a_token_of_1300_bytes_is_accepted(start_proxy: Callable[..., RunningProxy], database: Database) -> None:
    """Temporary credentials carry a session token of about 900 bytes."""
    keys = json.loads(database.access_keys.read_text())
    keys["ASIATEMPORARY"] = {"secret_access_key": "s3cret", "session_token": "t/+=" * 240}
    database.access_keys.write_text(json.dumps(keys))
    proxy = start_proxy()
    token = proxy.token(key_id="ASIATEMPORARY", secret="s3cret", session_token="t/+=" * 240)
    assert len(token) > 1300
    assert proxy.connect(password=token).execute("SELECT current_user").fetchone() == ("app",)


def test_an_access_key_made_later_is_found(proxy: RunningProxy, database: Database) -> None:
    token = proxy.token(key_id="AKIALATER", secret="later")
    assert "The IAM authentication failed" in refusal(proxy, password=token)
    keys = json.loads(database.access_keys.read_text())
    database.access_keys.write_text(json.dumps({**keys, "AKIALATER": {"secret_access_key": "later"}}))
    proxy.connect(password=token)


def test_the_token_is_only_asked_for_at_login(start_proxy: Callable[..., RunningProxy]) -> None:
    now = [0.0]
    proxy = start_proxy(clock=lambda: __import__("time").time() + now[0])
    token = proxy.token()
    connection = proxy.connect(password=token)
    now[0] = 901
    assert "The IAM authentication failed" in refusal(proxy, password=token)
    assert connection.execute("SELECT 1").fetchone() == (1,)
    assert "it is 90" in proxy.log
    assert "s old, and a token lives 900 s" in proxy.log


@pytest.mark.parametrize(
    ("user", "password", "is_right"),
    [("app", ROLES["app"], True), ("app", "wrong", False), ("other", ROLES["other"], True)],
)
def test_without_iam_the_roles_password_is_asked_for_by_scram(
    start_proxy: Callable[..., RunningProxy], user: str, password: str, is_right: bool
) -> None:
    proxy = start_proxy(iam_auth=False)
    if is_right:
        values = {"user": user, "password": password, "require_auth": "scram-sha-256"}
        assert proxy.connect(**values).execute("SELECT current_user").fetchone() == (user,)
    else:
        text = f"The password that was provided for the role {user} is wrong."
        assert text in refusal(proxy, user=user, password=password)


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n\r\n", bytes(8), b"\0\0\0\x08\0\x03", b"\xff" * 20_000])
def test_what_is_not_postgresql_is_closed(proxy: RunningProxy, noise: bytes) -> None:
    with RawClient(proxy, tls=False, log_in=False) as client:
        client.send(noise)
        client.socket.shutdown(socket.SHUT_WR)
        with pytest.raises((AssertionError, ConnectionError)):
            client.read()
    assert proxy.connect().execute("SELECT 1").fetchone() == (1,)


def test_a_client_that_leaves_while_it_logs_in_leaves_nothing(proxy: RunningProxy) -> None:
    with RawClient(proxy, log_in=False) as client:
        client.greet({"user": "app"})
        assert client.read()[0] == Answer.AUTHENTICATION
    eventually(lambda: "left while it logged in" in proxy.log)

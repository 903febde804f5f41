"""The URL of a database outside the account: how it is asked for, what it says, and what is said of a wrong one."""

import json
import socket
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.database import secret_url
from lambda_src.database.secret_url import SecretUnavailable, read, read_fields
from lambda_src.database.signature import sign
from lambda_src.neon.settings import VARIABLES, Settings
from lambda_src.neon.url import Url

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
KEYS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=20)
MOMENT = datetime(2026, 11, 22, 12, 30, 15, tzinfo=UTC)
HOST = "secretsmanager.eu-west-1.amazonaws.com"
NEON = "postgresql://alex:p%40ss%2Fw@ep-cool-darkness-123456-pooler.us-east-2.aws.neon.tech/neondb"


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=100), KEYS, TEXT, st.none() | TEXT)
def test_our_signature_equals_botocores(body, key_id, secret, session_token):
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": secret_url.TARGET}
    request = AWSRequest("POST", f"https://{HOST}/", headers=dict(headers), data=body)
    with patch("botocore.auth.get_current_datetime", return_value=MOMENT.replace(tzinfo=None)):
        SigV4Auth(Credentials(key_id, secret, session_token), "secretsmanager", "eu-west-1").add_auth(request)
    environment = {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "eu-west-1"}
    if session_token:
        environment["AWS_SESSION_TOKEN"] = session_token
    ours = sign({**headers, "host": HOST}, body, "secretsmanager", environment, MOMENT.timestamp())
    assert ours["authorization"] == request.headers["Authorization"]


@pytest.fixture
def secret(local_aws, monkeypatch):
    """Put a text into a secret; returns its name."""
    client = local_aws.client("secretsmanager")
    variables = {
        "AWS_ENDPOINT_URL": local_aws.endpoint,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def put(text, name="headroom/secret-url"):
        try:
            client.put_secret_value(SecretId=name, SecretString=text)
        except client.exceptions.ResourceNotFoundException:
            client.create_secret(Name=name, SecretString=text)
        return name

    return put


@pytest.mark.parametrize("text", [NEON, f"  {NEON}\n", json.dumps({"url": f"{NEON} \n", "port": 5432})])
def test_a_secret_is_a_url_or_json_with_one(secret, text):
    assert read(secret(text)) == NEON


def test_the_same_is_read_with_credentials_that_only_boto3_finds(secret, monkeypatch, tmp_path):
    name = secret(NEON)
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = test\naws_secret_access_key = test\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert read(name) == NEON


@pytest.mark.parametrize(
    "text", [" ", "confidential", '{"confidential', '{"password": "confidential"}', '["confidential"]']
)
def test_a_secret_without_a_url_is_refused_without_its_value(secret, text):
    with pytest.raises(SecretUnavailable) as caught:
        read(secret(text, "headroom/no-url"))
    assert "headroom/no-url" in str(caught.value)
    assert "confidential" not in str(caught.value)


def test_a_secret_that_is_not_there_is_named_with_what_aws_says(secret):
    secret(NEON)
    with pytest.raises(SecretUnavailable, match=r"secret headroom/none: 400 ResourceNotFoundException"):
        read("headroom/none")


def test_a_secrets_manager_that_is_out_of_reach_is_an_error_in_time(monkeypatch):
    variables = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    endpoint = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://127.0.0.1:9"}
    with pytest.raises(SecretUnavailable, match="ConnectionRefusedError"):
        read_fields("headroom/none", 1, {**variables, **endpoint})


def test_a_secrets_manager_that_says_nothing_is_an_error_in_time():
    variables = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts for it
        for scheme in ("http", "https"):
            endpoint = {"AWS_ENDPOINT_URL": f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"}
            with pytest.raises(SecretUnavailable, match="TimeoutError"):
                read_fields("headroom/none", 0.1, {**variables, **endpoint})


def test_secrets_manager_is_asked_in_the_functions_region():
    assert secret_url._endpoint({"AWS_REGION": "eu-west-1"}) == f"https://{HOST}"
    assert secret_url._endpoint({"AWS_REGION": "cn-north-1"}).endswith("cn-north-1.amazonaws.com.cn")


def test_the_parts_of_neons_url():
    url = Url.of(f"{NEON}?sslmode=require&channel_binding=require")
    assert url == (
        "ep-cool-darkness-123456-pooler.us-east-2.aws.neon.tech", 5432, "neondb", "alex", "p@ss/w", "require"
    )  # fmt: skip
    assert url.direct.host == "ep-cool-darkness-123456.us-east-2.aws.neon.tech"
    assert url.direct.port == 5432
    assert url.sql_endpoint == "https://api.us-east-2.aws.neon.tech/sql"
    assert url.role == "alex"


def test_the_parts_of_planetscales_url():
    url = Url.of("postgresql://application.nk35mx55qq:pw@us-east-3.pg.psdb.cloud:6432/postgres?channel_binding=prefer")
    assert (url.port, url.role, url.channel_binding) == (6432, "application", "prefer")
    assert (url.direct.host, url.direct.port) == ("us-east-3.pg.psdb.cloud", 5432)
    assert url.sql_endpoint == "https://us-east-3.pg.psdb.cloud/sql"


def test_channel_binding_is_required_unless_the_url_says_otherwise():
    assert Url.of(NEON).channel_binding == "require"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "mysql://alex:confidential@host/db",
            "begins with mysql://; postgresql://user:password@host/database is needed",
        ),
        ("postgresql://host/db", "has no user, no password"),
        ("postgresql://alex:confidential@host", "has no database"),
        ("postgresql://alex:confidential@host:port/db", "host or port is malformed"),
        ("postgresql://alex:confidential@[host/db", "host or port is malformed"),
        ("postgresql://alex:confidential-ü@host/db", "is not ASCII: percent-encode"),
        ("postgresql://alex:confidential%00@host/db", "has a %00"),
        ("psql 'postgresql://alex:confidential@host/db'", "something stands before the URL: leave out quotes"),
        ("DATABASE_URL=postgresql://alex:confidential@host/db", "something stands before the URL: leave out quotes"),
        ("postgresql://alex:confidential@host/db?options=-c", "has the parameter options, which poolers refuse"),
        (
            "postgresql://alex:confidential@host/db?channel_binding=disable",
            "channel_binding is 'disable', allowed is require",
        ),
    ],
)
def test_a_url_that_is_wrong_is_refused_with_a_reason_and_without_its_password(secret, monkeypatch, url, message):
    for name in VARIABLES:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("DB_SECRET_NAME", secret(url, "headroom/wrong-url"))
    monkeypatch.setenv("NEON_MODE", "connection")
    with pytest.raises(SecretUnavailable) as caught:
        Settings.from_environment().login(2)
    assert message in str(caught.value)
    assert "confidential" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_settings_that_are_wrong_are_named_all_at_once():
    from lambda_src.database.settings import InvalidSettings

    with pytest.raises(InvalidSettings, match="missing environment variables: DB_SECRET_NAME, DB_CONNECT_TIMEOUT"):
        Settings.from_environment({})
    wrong = dict.fromkeys((*VARIABLES, "AWS_REGION"), "x")
    with pytest.raises(
        InvalidSettings, match=r"DB_CONNECT_TIMEOUT_SECONDS is 'x'.*NEON_MODE is 'x': connection or http"
    ):
        Settings.from_environment(wrong)

"""A token lets in its user, at its endpoint, for 15 minutes, and nobody else."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.rds_proxy.iam import AccessKeys, TokenRefused, TokenVerifier
from tests.local.conftest import KEY_ID, REGION, SECRET, make_token

ENDPOINT, PORT = "database.proxy.example", 5432
SESSION = "FwoGZXIvYXdzE//////////wEaDK+=="


@pytest.fixture(scope="module")
def access_keys(tmp_path_factory: pytest.TempPathFactory) -> AccessKeys:
    path: Path = tmp_path_factory.mktemp("keys") / "access-keys.json"
    temporary = {"secret_access_key": SECRET, "session_token": SESSION}
    path.write_text(json.dumps({KEY_ID: {"secret_access_key": SECRET}, "ASIA": temporary}))
    return AccessKeys(path)


def verifier(access_keys: AccessKeys, clock: Callable[[], float] = time.time) -> TokenVerifier:
    return TokenVerifier(access_keys, region=REGION, hosts=frozenset({ENDPOINT}), port=PORT, clock=clock)


def refusal(access_keys: AccessKeys, token: str, user: str = "app", age: float = 0) -> str:
    with pytest.raises(TokenRefused) as caught:
        verifier(access_keys, lambda: time.time() + age).verify(token, user)
    return str(caught.value)


@settings(max_examples=50, deadline=None)
@given(user=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=63))
def test_every_users_token_is_accepted(access_keys: AccessKeys, user: str) -> None:
    verifier(access_keys).verify(make_token(ENDPOINT, PORT, user), user)


def test_a_token_of_temporary_credentials_is_accepted(access_keys: AccessKeys) -> None:
    verifier(access_keys).verify(make_token(ENDPOINT, PORT, "app", key_id="ASIA", session_token=SESSION), "app")


@pytest.mark.parametrize("age", [-299, 0, 890])
def test_a_token_lives_15_minutes(access_keys: AccessKeys, age: float) -> None:
    verifier(access_keys, lambda: time.time() + age).verify(make_token(ENDPOINT, PORT, "app"), "app")


@pytest.mark.parametrize(("age", "reason"), [(902, "s old, and a token lives 900 s"), (-302, "s in the future")])
def test_a_token_is_refused_before_and_after_its_life(access_keys: AccessKeys, age: float, reason: str) -> None:
    assert reason in refusal(access_keys, make_token(ENDPOINT, PORT, "app"), age=age)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (make_token("elsewhere.example", PORT, "app"), "made for 'elsewhere.example:5432'"),
        (make_token(ENDPOINT.upper(), PORT, "app"), "made for 'DATABASE.PROXY.EXAMPLE:5432'"),
        (make_token(ENDPOINT, 5433, "app"), "this endpoint is database.proxy.example:5432"),
        (make_token(ENDPOINT, PORT, "other"), "made for the user 'other', not for 'app'"),
        (make_token(ENDPOINT, PORT, "app", region="us-east-1"), "made for the region 'us-east-1'"),
        (make_token(ENDPOINT, PORT, "app", key_id="AKIAFOREIGN"), "the access key AKIAFOREIGN is not known here"),
        (make_token(ENDPOINT, PORT, "app", secret="guess"), "not made with the secret"),
        (make_token(ENDPOINT, PORT, "app", session_token=SESSION), "session token does not fit"),
        (make_token(ENDPOINT, PORT, "app", key_id="ASIA"), "session token does not fit"),
        (make_token(ENDPOINT, PORT, "app", key_id="ASIA", session_token="x"), "session token is not the access key's"),
        (quote(make_token(ENDPOINT, PORT, "app")), "not an IAM authentication token"),
        ("", "not an IAM authentication token"),
        (f"{ENDPOINT}:{PORT}/?Action=connect", "missing or repeated: DBUser"),
        (make_token(ENDPOINT, PORT, "app") + "&DBUser=app", "missing or repeated: repeated"),
        (make_token(ENDPOINT, PORT, "app") + "&%", "malformed"),
    ],
)
def test_a_foreign_token_is_refused(access_keys: AccessKeys, token: str, reason: str) -> None:
    assert reason in refusal(access_keys, token)


@pytest.mark.parametrize(
    ("part", "other", "reason"),
    [
        ("Action=connect", "Action=delete", "its action is 'delete'"),
        ("X-Amz-Expires=900", "X-Amz-Expires=604800", "not made with the secret"),
        ("X-Amz-Expires=900", "X-Amz-Expires=soon", "its date or its life"),
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", "not signed with"),
        ("rds-db", "s3", "credential scope"),
        ("X-Amz-Signature=", "X-Amz-Signature=0", "not made with the secret"),
        ("X-Amz-Date=2", "X-Amz-Date=3", "its date differs"),
    ],
)
def test_a_token_that_was_changed_is_refused(access_keys: AccessKeys, part: str, other: str, reason: str) -> None:
    token = make_token(ENDPOINT, PORT, "app")
    assert part in token
    assert reason in refusal(access_keys, token.replace(part, other))


def test_a_long_life_makes_no_token_older_than_15_minutes_valid(access_keys: AccessKeys) -> None:
    token = make_token(ENDPOINT, PORT, "app").replace("X-Amz-Expires=900", "X-Amz-Expires=604800")
    assert "a token lives 900 s" in refusal(access_keys, token, age=1000)

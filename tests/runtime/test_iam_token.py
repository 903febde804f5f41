"""The token that we sign is the token that botocore signs."""

from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import boto3
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.database import iam_token

TEXT = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#?/@[]\\"), min_size=1, max_size=40
)
KEYS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=20)
HOSTS = st.from_regex(r"[a-z][a-z0-9-]{0,20}\.proxy-[a-z0-9]{8}\.eu-west-1\.rds\.amazonaws\.com", fullmatch=True)
MOMENT = datetime(2026, 11, 22, 12, 30, 15, tzinfo=UTC)


def pieces(token: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(f"https://{token}")
    return f"{parts.netloc}{parts.path}", dict(parse_qsl(parts.query, keep_blank_values=True))


@settings(max_examples=60, deadline=None)
@given(HOSTS, st.integers(1, 65535), TEXT, KEYS, TEXT, st.none() | TEXT)
def test_our_token_equals_botocores(host, port, user, key_id, secret, session_token):
    environment = {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}
    if session_token:
        environment["AWS_SESSION_TOKEN"] = session_token
    ours = iam_token.mint(host, port, user, "eu-west-1", environment, MOMENT.timestamp())

    client = boto3.client(
        "rds",
        region_name="eu-west-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=session_token,
    )
    with patch("botocore.auth.get_current_datetime", return_value=MOMENT.replace(tzinfo=None)):
        theirs = client.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    assert pieces(ours) == pieces(theirs)


def test_without_credentials_in_the_environment_botocore_finds_them(monkeypatch, tmp_path):
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = file\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    token = iam_token.mint("db.example.org", 5432, "application", "eu-west-1", {})
    assert "X-Amz-Credential=AKIAFILE%2F" in token

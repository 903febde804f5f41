"""The password for IAM database authentication: a request signed here, without a call to AWS and without boto3."""

import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from urllib.parse import quote, urlencode

LIFE = 900  # seconds; the longest that RDS accepts


def mint(
    host: str, port: int, user: str, region: str, environment: Mapping[str, str] = os.environ, now: float | None = None
) -> str:
    """A token that lets `user` log in to the database or proxy at `host`:`port` during the next 15 minutes.

    It is a Signature Version 4 presigned URL without its scheme, made from the execution role's credentials in
    `environment`; where these are not there (outside Lambda) botocore looks for others. `now` is in seconds since 1970.
    Source: Amazon RDS User Guide, "Connecting to your DB instance using IAM authentication", and botocore's
    `generate_db_auth_token`, which gives the same.
    """
    key_id, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not (key_id and secret):
        return _from_botocore(host, port, user, region)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{stamp[:8]}/{region}/rds-db/aws4_request"
    query = {
        "Action": "connect",
        "DBUser": user,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key_id}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(LIFE),
        "X-Amz-SignedHeaders": "host",
    }
    if session_token := environment.get("AWS_SESSION_TOKEN"):
        query["X-Amz-Security-Token"] = session_token
    canonical = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
    empty = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{canonical}\nhost:{host}:{port}\n\nhost\n{empty}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(signing_key(secret, scope), to_sign.encode(), "sha256").hex()
    return f"{host}:{port}/?{canonical}&X-Amz-Signature={signature}"


def signing_key(secret: str, scope: str) -> bytes:
    """The key of Signature Version 4 for a scope such as 20261122/eu-west-1/rds-db/aws4_request."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _from_botocore(host: str, port: int, user: str, region: str) -> str:
    import boto3  # 100 ms of imports that a function with a role never needs

    client = boto3.client("rds", region_name=region)
    return str(client.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user))

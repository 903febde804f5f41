"""A request to an AWS service, signed here: without boto3, whose imports cost more than all others of a cold start."""

import hashlib
import hmac
import time
from collections.abc import Mapping

from lambda_src.database.iam_token import signing_key


def sign(
    headers: Mapping[str, str], body: bytes, service: str, environment: Mapping[str, str], now: float | None = None
) -> dict[str, str]:
    """The headers of a POST to `/` (names in lower case, `host` among them), and those that sign it.

    It is Signature Version 4, made from the execution role's credentials in `environment`; `now` is in seconds since
    1970. Source: AWS Identity and Access Management User Guide, "Create a signed AWS API request", and botocore's
    SigV4Auth, which gives the same.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    signed = {**headers, "x-amz-date": stamp}
    if session_token := environment.get("AWS_SESSION_TOKEN"):
        signed["x-amz-security-token"] = session_token
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{environment['AWS_REGION']}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = signing_key(environment["AWS_SECRET_ACCESS_KEY"], scope)
    value = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{environment['AWS_ACCESS_KEY_ID']}/{scope}"
    return {
        **signed,
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={value}",
    }

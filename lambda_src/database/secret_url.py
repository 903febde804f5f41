"""The URL of a database outside the account, from Secrets Manager: read when it is asked for, and kept by the caller.

A caller reads it once, and again when the database refuses the password that it holds: it may have been rotated.
"""

import http.client
import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lambda_src.database.https import Https
from lambda_src.database.settings import root_bundle
from lambda_src.database.signature import sign
from lambda_src.deadline import Deadline
from lambda_src.explained import Explained

TIMEOUT = 2.0  # seconds
SERVICE, TARGET = "secretsmanager", "secretsmanager.GetSecretValue"


class SecretUnavailable(Explained, OSError):
    """The secret can't be read, or holds no URL; the message names it and never shows its value."""

    heading = "function-settings"


def read(secret_name: str) -> str:
    """The URL that the secret `secret_name` holds, as it is or as JSON with the key "url".

    Takes about 2 s at most; raises SecretUnavailable.
    """
    return read_fields(secret_name, TIMEOUT)["url"]


def read_fields(secret_name: str, timeout: float, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the secret holds: the fields of its JSON that are text, or `url` alone.

    `timeout` is in seconds, for connecting and asking together. Raises SecretUnavailable, also where there is
    no URL under `url`.
    """
    try:
        status, answer = _ask(secret_name, timeout, environment)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SecretUnavailable(f"secret {secret_name}: {type(error).__name__}: {error}") from None
    if status != 200:
        raise SecretUnavailable(f"secret {secret_name}: {status} {str(answer.get('__type', '')).rpartition('#')[2]}")
    return _fields(secret_name, str(answer.get("SecretString") or "").strip())


def _ask(secret_name: str, timeout: float, environment: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of GetSecretValue's answer."""
    if not (environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY")):
        return 200, _from_boto3(secret_name)
    endpoint = urlsplit(_endpoint(environment))
    connection = Https(
        endpoint.hostname or "",
        endpoint.port,
        root_bundle=root_bundle(environment),
        timeout=timeout,
        scheme=endpoint.scheme,
    )
    body = json.dumps({"SecretId": secret_name}).encode()
    headers = {"content-type": "application/x-amz-json-1.1", "host": endpoint.netloc, "x-amz-target": TARGET}
    deadline = Deadline(timeout)
    try:
        connection.connect()
        connection.within(deadline)
        connection.request("POST", "/", body, sign(headers, body, SERVICE, environment))
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    finally:
        connection.close()
    return response.status, answer


def _endpoint(environment: Mapping[str, str]) -> str:
    """Where Secrets Manager is. The two variables are those of every AWS SDK."""
    for name in ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"):
        if url := environment.get(name):
            return url
    region = environment["AWS_REGION"]
    return f"https://{SERVICE}.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def _from_boto3(secret_name: str) -> dict[str, Any]:
    """For whoever has no credentials in the environment, which functions always have."""
    import boto3  # 100 ms and more of imports
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer: dict[str, Any] = boto3.client("secretsmanager").get_secret_value(SecretId=secret_name)
    except ClientError as error:
        raise OSError(error.response["Error"].get("Code")) from None
    except BotoCoreError as error:
        raise OSError(type(error).__name__) from None
    return answer


def _fields(secret_name: str, text: str) -> dict[str, str]:
    """The fields of a secret's text, which is in no message: it has a password."""
    found: object = {"url": text}
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            raise SecretUnavailable(f"secret {secret_name} begins as JSON and is none") from None
    fields = (
        {str(key): value.strip() for key, value in found.items() if isinstance(value, str)}
        if isinstance(found, dict)
        else {}
    )
    if "://" not in fields.get("url", ""):
        raise SecretUnavailable(f"secret {secret_name} holds no URL, neither as it is nor as JSON with the key url")
    return fields

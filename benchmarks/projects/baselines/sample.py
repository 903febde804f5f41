"""What all of these have in common: the question, the answer, the token, and where the database is."""

import json
import os
from collections.abc import Sequence
from typing import Any

HOST, PORT, DATABASE, USER = (os.environ[f"DB_{name}"] for name in ("HOST", "PORT", "NAME", "USER"))
COLUMNS = ("tenant", "id", "name", "version", "created_at", "updated_at")
QUERY = f"SELECT {', '.join(COLUMNS)} FROM project WHERE tenant = %s AND id = %s"  # noqa: S608 (constants)
TLS: dict[str, Any] = {"sslmode": "verify-full", "sslrootcert": os.environ["SSL_CERT_FILE"]}


def key(event: dict[str, Any]) -> tuple[str, str]:
    """The tenant and the id that a request asks for."""
    return event["pathParameters"]["tenant"], event["pathParameters"]["id"]


def answer(row: Sequence[Any] | None) -> dict[str, Any]:
    """A row as API Gateway wants it."""
    if row is None:
        return {"statusCode": 404, "body": "{}"}
    return {"statusCode": 200, "body": json.dumps(dict(zip(COLUMNS, row, strict=True)), default=str)}

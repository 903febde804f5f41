"""pg8000 and a boto3 token: one connection made when the function starts, used with its defaults."""

import ssl
from typing import Any

import pg8000.dbapi  # type: ignore[import-untyped]

from benchmarks.projects.baselines.rds_token import token
from benchmarks.projects.baselines.sample import DATABASE, HOST, PORT, QUERY, TLS, USER, answer, key

connection = pg8000.dbapi.connect(
    user=USER,
    host=HOST,
    port=int(PORT),
    database=DATABASE,
    password=token(),
    ssl_context=ssl.create_default_context(cafile=TLS["sslrootcert"]),
)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Read one project."""
    cursor = connection.cursor()
    cursor.execute(QUERY, key(event))
    row = cursor.fetchone()
    connection.commit()
    return answer(row)

"""psycopg and a boto3 token: a connection for each request, closed after it."""

from typing import Any

import psycopg

from benchmarks.projects.baselines.rds_token import token
from benchmarks.projects.baselines.sample import DATABASE, HOST, PORT, QUERY, TLS, USER, answer, key


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Read one project."""
    with psycopg.connect(host=HOST, port=PORT, dbname=DATABASE, user=USER, password=token(), **TLS) as connection:
        return answer(connection.execute(QUERY, key(event)).fetchone())

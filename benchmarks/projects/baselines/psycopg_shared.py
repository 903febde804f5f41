"""psycopg and a boto3 token: one connection made when the function starts, used with its defaults."""

from typing import Any

import psycopg

from benchmarks.projects.baselines.rds_token import token
from benchmarks.projects.baselines.sample import DATABASE, HOST, PORT, QUERY, TLS, USER, answer, key

connection = psycopg.connect(host=HOST, port=PORT, dbname=DATABASE, user=USER, password=token(), **TLS)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Read one project."""
    with connection.cursor() as cursor:
        row = cursor.execute(QUERY, key(event)).fetchone()
    connection.commit()
    return answer(row)

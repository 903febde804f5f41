"""psycopg2 and a boto3 token: one connection, asked `SELECT 1` before each use, made again when it does not answer."""

from typing import Any

import psycopg2  # type: ignore[import-untyped]

from benchmarks.projects.baselines.rds_token import token
from benchmarks.projects.baselines.sample import DATABASE, HOST, PORT, QUERY, TLS, USER, answer, key

connection: Any = None


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Read one project."""
    with alive() as live, live.cursor() as cursor:
        cursor.execute(QUERY, key(event))
        return answer(cursor.fetchone())


def alive() -> Any:
    """The connection, if it still answers, or a new one."""
    global connection
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (AttributeError, psycopg2.Error):
        connection = psycopg2.connect(host=HOST, port=PORT, dbname=DATABASE, user=USER, password=token(), **TLS)
    return connection

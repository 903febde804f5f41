# ruff: noqa: S608 (statements are put together from constants; values are parameters)
"""What a list costs on its way from PostgreSQL's rows to the body of an answer: `python -m benchmarks serialization`.

Every way gives the same items. Client CPU is from the request to the text that the runtime client sends, its own
encoding of the answer included; PostgreSQL's CPU is that of the session's process. Bytes are what PostgreSQL sends.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from benchmarks.data_plane import DATABASE, TENANT, database, fill
from benchmarks.forwarder import Forwarder
from benchmarks.measure import cpu_seconds_of, interleave, ratio, table
from local.postgres.server import SUPERUSER

SIZES = (25, 500)
ITERATIONS = {25: 200, 500: 20}
ROWS: LiteralString = "FROM project WHERE tenant = %(tenant)s ORDER BY created_at, id LIMIT %(limit)s"
PAGE: LiteralString = f"(SELECT tenant, id, name, version, created_at, updated_at {ROWS}) p"
TIMES: LiteralString = """to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
    to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS updated_at"""
# Times become text outside: beside ORDER BY created_at, PostgreSQL would take the text as the order and sort all rows.
TEXT: LiteralString = f"SELECT tenant, id::text, name, version, {TIMES} FROM {PAGE}"
OBJECT: LiteralString = """json_build_object('tenant', p.tenant, 'id', p.id, 'name', p.name, 'version', p.version,
    'created_at', to_char(p.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'updated_at', to_char(p.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))"""

Connection = psycopg.Connection[Any]
Way = Callable[[Connection, int], str]


@dataclass(frozen=True, slots=True)
class Project:
    """As the sample service has it."""

    tenant: str
    id: str
    name: str
    version: int
    created_at: str
    updated_at: str


def columns_to_dicts(connection: Connection, limit: int) -> str:
    """Columns in PostgreSQL's types, made into dicts and text in Python."""
    rows = _rows(connection, f"SELECT tenant, id, name, version, created_at, updated_at {ROWS}", limit)
    items = [
        {
            "tenant": tenant,
            "id": str(id),
            "name": name,
            "version": version,
            "created_at": _iso(a),
            "updated_at": _iso(b),
        }
        for tenant, id, name, version, a, b in rows
    ]
    return json.dumps({"items": items})


def text_to_dict_rows(connection: Connection, limit: int) -> str:
    """Columns as text, by psycopg's own dict_row."""
    with connection.cursor(row_factory=dict_row) as cursor:
        items = cursor.execute(TEXT, _parameters(limit)).fetchall()
    return json.dumps({"items": items})


def text_to_tuples(connection: Connection, limit: int) -> str:
    """Columns as text, tuples by psycopg, dicts by us."""
    names = ("tenant", "id", "name", "version", "created_at", "updated_at")
    rows = _rows(connection, TEXT, limit)
    return json.dumps({"items": [dict(zip(names, row, strict=True)) for row in rows]})


def json_to_objects(connection: Connection, limit: int) -> str:
    """JSON from PostgreSQL, parsed, made into dataclasses, and written again."""
    items = _rows(connection, f"SELECT coalesce(json_agg({OBJECT}), '[]') FROM {PAGE}", limit)[0][0]
    return json.dumps({"items": [asdict(Project(**item)) for item in items]})


def json_to_dicts(connection: Connection, limit: int) -> str:
    """JSON from PostgreSQL, parsed and written again."""
    items = _rows(connection, f"SELECT coalesce(json_agg({OBJECT}), '[]') FROM {PAGE}", limit)[0][0]
    return json.dumps({"items": items})


def json_as_text(connection: Connection, limit: int) -> str:
    """JSON built by json_build_object and json_agg, passed on as text."""
    text = _rows(connection, f"SELECT coalesce(json_agg({OBJECT}), '[]')::text FROM {PAGE}", limit)[0][0]
    return '{"items": ' + str(text) + "}"


def records_as_text(connection: Connection, limit: int) -> str:
    """JSON built by row_to_json and json_agg, passed on as text."""
    text = _rows(connection, f"SELECT coalesce(json_agg(row_to_json(p)), '[]')::text FROM ({TEXT}) p", limit)[0][0]
    return '{"items": ' + str(text) + "}"


def records_joined_as_text(connection: Connection, limit: int) -> str:
    """JSON built by row_to_json and string_agg, passed on as text."""
    query: LiteralString = f"SELECT coalesce(string_agg(row_to_json(p)::text, ','), '') FROM ({TEXT}) p"
    return '{"items": [' + str(_rows(connection, query, limit)[0][0]) + "]}"


def record_rows_as_text(connection: Connection, limit: int) -> str:
    """A row of JSON text for each project, joined in Python."""
    rows = _rows(connection, f"SELECT row_to_json(p)::text FROM ({TEXT}) p", limit)
    return '{"items": [' + ",".join([row[0] for row in rows]) + "]}"


WAYS: dict[str, Way] = {
    "columns, dicts in Python": columns_to_dicts,
    "text columns, dict_row": text_to_dict_rows,
    "text columns, tuples": text_to_tuples,
    "JSON, parsed to dataclasses": json_to_objects,
    "JSON, parsed to dicts": json_to_dicts,
    "json_build_object + json_agg, as text": json_as_text,
    "row_to_json + json_agg, as text": records_as_text,
    "row_to_json + string_agg, as text": records_joined_as_text,
    "row_to_json per row, as text": record_rows_as_text,
}
BASELINE = "JSON, parsed to dataclasses"


def run(rounds: int) -> dict[str, object]:
    """Measure every way for every size; the figures under plain names."""
    with tempfile.TemporaryDirectory() as temporary, database(Path(temporary)) as server:
        fill(server, 2 * max(SIZES))
        with Forwarder(server.socket_directory / ".s.PGSQL.5432") as forwarder, _client(forwarder) as connection:
            sizes = {f"{size} projects": _measure(connection, forwarder, size, rounds) for size in SIZES}
    return {"serialization": sizes}


def _measure(connection: Connection, forwarder: Forwarder, size: int, rounds: int) -> dict[str, dict[str, object]]:
    expected = json.loads(columns_to_dicts(connection, size))
    sent = {}
    for name, way in WAYS.items():
        if json.loads(way(connection, size)) != expected:
            raise AssertionError(f"{name} gives other items")
        sent[name] = forwarder.count(lambda way=way: way(connection, size)).bytes_from_server  # type: ignore[misc]
    in_database: dict[str, list[float]] = {name: [] for name in WAYS}
    pid = connection.info.backend_pid

    def client_cpu(name: str) -> float:
        before, started = cpu_seconds_of(pid), time.process_time()
        for _ in range(ITERATIONS[size]):
            json.dumps(
                {"statusCode": 200, "body": WAYS[name](connection, size)}, ensure_ascii=False
            )  # as the runtime client does
        spent = time.process_time() - started
        in_database[name].append((cpu_seconds_of(pid) - before) / ITERATIONS[size])
        return spent / ITERATIONS[size]

    found = interleave({name: lambda name=name: client_cpu(name) for name in WAYS}, rounds, title=f"{size} projects")  # type: ignore[misc]
    _print(size, found, in_database, sent)
    return {
        name: {
            "client_cpu_microseconds_median": _microseconds(found[name]),
            "client_cpu_ratio_of_medians": round(ratio(found[name], found[BASELINE]).of_medians, 3),
            "client_cpu_ratio_of_minima": round(ratio(found[name], found[BASELINE]).of_minima, 3),
            "database_cpu_microseconds_median": _microseconds(in_database[name]),
            "bytes_from_database": sent[name],
        }
        for name in WAYS
    }


def _print(size: int, found: dict[str, list[float]], in_database: dict[str, list[float]], sent: dict[str, int]) -> None:
    rows = [
        (
            name,
            ratio(found[name], found[BASELINE]),
            _microseconds(found[name]),
            _microseconds(in_database[name]),
            sent[name],
        )
        for name in WAYS
    ]
    header = (f"{size} projects", "client CPU, ratio", "client CPU, us", "PostgreSQL CPU, us", "bytes")
    print(f"\n{table(rows, header)}")


def _client(forwarder: Forwarder) -> Connection:
    host, port = forwarder.address
    connection = psycopg.connect(
        host=host, port=port, user=SUPERUSER, dbname=DATABASE, sslmode="disable", autocommit=True
    )
    connection.prepare_threshold = None
    return connection


def _rows(connection: Connection, query: LiteralString, limit: int) -> list[tuple[Any, ...]]:
    return connection.execute(query, _parameters(limit)).fetchall()


def _parameters(limit: int) -> dict[str, Any]:
    return {"tenant": TENANT, "limit": limit}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _microseconds(seconds: list[float]) -> int:
    return round(1e6 * statistics.median(seconds))


if __name__ == "__main__":
    os.nice(5)
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 9)

"""schema.prisma describes what the SQL migrations make, and the TypeScript is right."""

import re
import subprocess

import pytest

from local.postgres.server import SUPERUSER, binaries
from local.prisma.node import node
from stacks.options.prisma.build import BUILD, SOURCE, built, installed
from tests.conftest import DATABASE, ROOT, as_superuser

SCHEMA = SOURCE / "schema.prisma"
TABLES = re.findall(r'@@map\("(\w+)"\)', SCHEMA.read_text())
OTHER = "by_prisma"


@pytest.fixture(scope="module")
def databases(postgres):
    """The database of the migrations, and one that is made of schema.prisma alone."""
    ddl = run(
        node(), ROOT / "tests/prisma/ddl.mjs", installed(), SCHEMA, postgres.socket_directory, SUPERUSER, DATABASE
    )
    with as_superuser(postgres) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {OTHER}")
        connection.execute(f"CREATE DATABASE {OTHER}")
    with as_superuser(postgres, OTHER) as connection:
        connection.execute(ddl)
    return postgres


@pytest.mark.parametrize("table", TABLES)
def test_a_model_is_the_table_that_the_migrations_make(databases, table):
    assert dumped(databases, OTHER, table) == dumped(databases, DATABASE, table)


def dumped(server, database, table):
    options = ["--schema-only", "--no-owner", "--no-privileges", f"--table=public.{table}"]
    where = ["--host", server.socket_directory, "--username", SUPERUSER, "--dbname", database]
    lines = run(binaries() / "pg_dump", *options, *where).splitlines()
    # psql's own commands hold a random word
    return [line for line in lines if line and not line.startswith(("--", "\\"))]


def test_a_dump_sees_every_change(databases):
    """Or the comparison above would hold nothing."""
    before = dumped(databases, OTHER, "project")
    for change in (
        "ALTER COLUMN version TYPE bigint",
        "ALTER COLUMN name DROP NOT NULL",
        "ALTER COLUMN name SET DEFAULT 1",
    ):
        with as_superuser(databases, OTHER) as connection:
            connection.execute("BEGIN")
            connection.execute(f"ALTER TABLE project {change}")
            connection.execute("COMMIT")
            after = dumped(databases, OTHER, "project")
            assert after != before, change
            before = after


def test_the_typescript_is_right_by_its_strict_compiler():
    built()
    assert (BUILD / "work" / "src" / "generated").is_dir()
    run(node(), BUILD / "node_modules" / "typescript" / "bin" / "tsc", "--noEmit", "--project", BUILD / "work")


def run(*words):
    found = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout

"""The sample's tables: the keys of cursors, which are only read, and a column that docs/migrations.md renames."""

import re
import shutil

import psycopg
import pytest

from lambda_src.migrations.handler import MIGRATIONS
from lambda_src.migrations.runner import migrate, read
from tests.conftest import ROOT


def test_the_application_may_read_the_keys_of_cursors(application):
    assert application.execute("SELECT secret FROM cursor_key").fetchall()


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM cursor_key", "INSERT INTO cursor_key (secret) VALUES (repeat('x', 32)::bytea)"],
)
def test_the_application_may_not_change_them(application, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(statement)


def test_the_documented_example_of_expand_then_contract_works_for_old_and_new_code(database, tmp_path):
    text = (ROOT / "docs" / "migrations.md").read_text()
    expand, move, contract = re.findall(r"```sql\n(-- \d{4}_\w+\.sql\n.*?)```", text, re.DOTALL)
    shutil.copy(MIGRATIONS / "0001_projects.sql", tmp_path)
    insert = "INSERT INTO project (tenant, id, {0}, version, created_at, updated_at) "
    insert += "VALUES ('acme', gen_random_uuid(), 'written as {0}', 1, now(), now())"

    def deploy(migration):
        name = migration.splitlines()[0].removeprefix("-- ")
        (tmp_path / name).write_text(migration)
        assert migrate(database, read(tmp_path))[-1] == name

    migrate(database, read(tmp_path))
    database.execute(insert.format("name"))
    deploy(expand)
    database.execute(insert.format("name"))
    database.execute(insert.format("title").replace("(tenant", "(name, tenant").replace("('acme'", "(NULL, 'acme'"))
    deploy(move)
    database.execute("UPDATE project SET name = 'renamed by old code' WHERE name = 'written as title'")
    deploy(contract)
    titles = database.execute("SELECT title FROM project ORDER BY title").fetchall()
    assert titles == [("renamed by old code",), ("written as name",), ("written as name",)]

"""The sample is deleted and a resource put in its place: what tests the way to the database goes on, asking that one.

The resource is the one of docs/fork.md, in a copy without options: an option's store implements the sample.
"""

import re

import pytest

from tests.copies import broken_imports, broken_links, files, run
from tests.fork.test_fork import Fork

REPLACE = r'''
```console
$ rm -r {lambda_src,tests,benchmarks}/projects lambda_src/migrations/sql/0001_projects.sql
$ perl -i -ne 'print unless /projects/i' lambda_src/routes.py stacks/api.py
$ perl -i -pe 's/lambda_src\.projects\.postgres_store/lambda_src.database.store/' stacks/config.py
$ perl -0 -i -pe 's{^  /tenants/\S*/projects:\n.*?(?=^  /tenants/\S*/notes:)}{}ms' docs/openapi.yaml
$ perl -0 -i -pe 's{^    Project:\n.*?(?=^    \w)}{}ms' docs/openapi.yaml
$ perl -i -ne 'print unless m{/problems/(project-|version-conflict)}' docs/openapi.yaml
```

```diff
--- a/local/resource.py
+++ b/local/resource.py
@@ -10,13 +10,12 @@
-ROUTE: LiteralString = "/tenants/{tenant}/projects"  # POST creates one and answers 201, GET lists them as `items`
-TABLE: LiteralString = "project"
-TEXT: LiteralString = "name"  # the column with the text, which is also the field of a request and of its answer
-CHANGE: str | None = "PATCH"  # how its text is changed, with the same body; None where nothing changes it
+ROUTE: LiteralString = "/tenants/{tenant}/notes"  # POST creates one and answers 201, GET lists them as `items`
+TABLE: LiteralString = "note"
+TEXT: LiteralString = "text"  # the column with the text, which is also the field of a request and of its answer
+CHANGE: str | None = None  # how its text is changed, with the same body; None where nothing changes it
 # As the application may do it: the whole row, of a tenant, an id and a text.
 ADD: LiteralString = f"""
-    INSERT INTO {TABLE} (tenant, id, {TEXT}, version, created_at, updated_at)
-    VALUES (%(tenant)s, %(id)s, %(text)s, 1, now(), now())
+    INSERT INTO {TABLE} (tenant, id, {TEXT}) VALUES (%(tenant)s, %(id)s, %(text)s)
 """  # noqa: S608 (constants)
```
'''
# What asks the resource without deploying it, and what looks for routes, paths and links in documents.
ASKING = """
    tests/contract tests/runtime/test_cold_start.py tests/runtime/test_faults.py tests/runtime/test_layers.py
    tests/runtime/test_migrations.py tests/runtime/test_round_trips.py tests/infrastructure/test_api.py
    tests/infrastructure/test_commands.py
"""
DEPLOYED = "tests/rehearsal/test_local_run.py tests/rehearsal/test_spike_and_drill.py"
WORKERS = "--numprocesses 2 --dist loadscope --no-loadscope-reorder"


@pytest.fixture
def fork(tmp_path):
    made = Fork(tmp_path, {})
    made.delete_every_option()
    made.follow("Write your own resource")
    return made


def test_what_tests_the_way_to_the_database_asks_the_resource_that_replaced_the_sample(fork):
    before = files(fork.directory)
    fork.carry_out(REPLACE)
    gone = before - files(fork.directory)
    assert {"lambda_src/projects/routes.py", "tests/projects/test_contract.py", "benchmarks/projects/handler.py"} < gone
    run("ruff check . && ruff format --check . && mypy", fork.directory)
    assert broken_imports(fork.directory) == []
    assert broken_links(fork.directory) == []
    assert "round_trips" not in run("python -m benchmarks --help", fork.directory)
    run("python -m pytest -q --collect-only", fork.directory)
    said = run(f"python -m pytest -q {WORKERS} {' '.join(ASKING.split())}", fork.directory, seconds=900)
    assert re.search(r"^\d{3,} passed", said, re.MULTILINE), said[-500:]
    run(f"python -m pytest -q {DEPLOYED} -k 'a_row or curl or loses or shows'", fork.directory, seconds=900)

"""The sample knows no store but in its own store's module, and nothing else knows the sample.

What names it: its own folders, what a fork edits to have its resource instead, and names that are frozen.
"""

import re

import pytest

from stacks.options import OPTIONS
from tests.conftest import ROOT
from tests.runtime.test_layers import SOURCE, knows_a_store

SAMPLE = re.compile(r"(?i)\bprojects\b|(?<!\bthe )(?<!\bthis )\bproject\b")
TESTS = ("contract", "infrastructure", "local", "rehearsal", "runtime")
FOLDERS = ("lambda_src", "stacks", "local", "benchmarks", *(f"tests/{folder}" for folder in TESTS))
EDITED = {"lambda_src/routes.py", "local/resource.py", "stacks/api.py", "stacks/config.py"}
# Another name would replace the database and the function's log group; the first release is as it was.
FROZEN = {
    "stacks/postgres/database.py",
    "stacks/service.py",
    "tests/copies.py",
    "tests/rehearsal/test_the_end.py",
}


def test_only_its_own_folders_and_what_a_fork_edits_name_the_sample():
    found = [*(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")), *(ROOT / "tests").glob("*.py")]
    others = [path for each in found if not {"projects", *OPTIONS} & {*(path := each.relative_to(ROOT)).parts}]
    assert {path.as_posix() for path in others if SAMPLE.search((ROOT / path).read_text())} == EDITED | FROZEN


@pytest.mark.parametrize("name", ["model", "request", "routes"])
def test_a_module_that_every_store_uses_knows_none(name):
    assert knows_a_store(SOURCE / "projects" / f"{name}.py") == []


def test_every_other_module_is_postgresqls():
    modules = {path.stem for path in (SOURCE / "projects").glob("*.py")}
    assert modules == {"__init__", "model", "request", "routes", "postgres_store"}

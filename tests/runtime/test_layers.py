"""Who may know whom in the service's code: what every resource stands on no store, and no option another."""

import ast
import re

import pytest

from stacks.options import OPTIONS
from tests.conftest import ROOT

SOURCE = ROOT / "lambda_src"
WORDS = r"(?i)psycopg|postgres|sqlstate|\bsql\b|\bselect\b|mysql|dynamo|boto|\bgsi|neon|planetscale|prisma"
PARTS = ("database", "migrations", "rotation", *OPTIONS)
RESOURCES = [path.parent for path in sorted(SOURCE.glob("*/routes.py"))]  # folders: what has routes
OF_EVERY_STORE = [SOURCE / "handler.py", SOURCE / "routes.py", *sorted(SOURCE.glob("api/*.py"))]


def imported(path):
    """The modules of lambda_src that a file imports, without that word."""
    found = {each.module for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.ImportFrom)}
    return {each.removeprefix("lambda_src.") for each in found if each and each.startswith("lambda_src.")}


def parts_that(folder, *, know):
    """The files of a folder that import one of these, with what they import."""
    files = (SOURCE / folder).rglob("*.py")
    return {path: found for path in files if (found := {each for each in imported(path) if each.startswith(know)})}


def knows_a_store(path):
    """What a file says of stores, in words and in imports."""
    modules = {each for each in imported(path) if each.startswith(PARTS) or each.endswith("store")}
    return [*re.findall(WORDS, path.read_text()), *modules]


@pytest.mark.parametrize("path", OF_EVERY_STORE, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_what_every_store_uses_knows_none(path):
    assert knows_a_store(path) == []


def test_what_a_fork_keeps_knows_no_resource():
    resources = tuple(folder.name for folder in RESOURCES)
    assert {"api", "database", "migrations", "rotation"} < {path.name for path in SOURCE.iterdir()}
    for folder in ("api", "database", "migrations", "rotation"):
        assert not parts_that(folder, know=resources)


def test_an_option_is_imported_by_nothing_but_itself():
    for path in SOURCE.rglob("*.py"):
        folder = path.relative_to(SOURCE).parts[0]
        foreign = {each for each in imported(path) if each.partition(".")[0] in {*OPTIONS} - {folder}}
        assert not foreign, path

"""What of the service's code knows which store it runs on: the stores, each in a module that the template names."""

import ast
import re

import pytest

from stacks.options import OPTIONS
from tests.conftest import ROOT

PROJECTS = ROOT / "lambda_src" / "projects"
OF_EVERY_STORE = ("cursor", "handler", "model", "problem", "request", "routes")
WORDS = r"(?i)psycopg|postgres|sqlstate|\bsql\b|\bselect\b|mysql|dynamo|boto|\bgsi|neon|planetscale|prisma"


def imported(path):
    """The modules of lambda_src that a file imports, without that word."""
    found = {each.module for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.ImportFrom)}
    return {each.removeprefix("lambda_src.") for each in found if each and each.startswith("lambda_src.")}


@pytest.mark.parametrize("name", OF_EVERY_STORE)
def test_what_every_store_uses_knows_none(name):
    assert re.findall(WORDS, (PROJECTS / f"{name}.py").read_text()) == []
    # A fork's own resources are folders beside these, which routes.py names.
    of_stores = {
        each
        for each in imported(PROJECTS / f"{name}.py")
        if each.startswith(("projects.", "database", "migrations", *OPTIONS))
    }
    assert of_stores <= {f"projects.{each}" for each in OF_EVERY_STORE}


def test_every_other_module_of_the_service_is_postgresqls():
    others = {path.stem for path in PROJECTS.glob("*.py")} - {"__init__", "stores", *OF_EVERY_STORE}
    assert others == {"postgres_store"}


def test_an_option_is_imported_by_nothing_but_itself():
    for path in (ROOT / "lambda_src").rglob("*.py"):
        folder = path.relative_to(ROOT / "lambda_src").parts[0]
        foreign = {each for each in imported(path) if each.partition(".")[0] in {*OPTIONS} - {folder}}
        assert not foreign, path

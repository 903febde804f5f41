"""What of the service's code knows which store it runs on: the stores, and the one line that each has in stores.py."""

import ast
import re

import pytest

from lambda_src.projects.stores import STORES
from tests.conftest import ROOT

PROJECTS = ROOT / "lambda_src" / "projects"
OF_EVERY_STORE = ("cursor", "handler", "model", "problem", "request", "routes")
WORDS = r"(?i)psycopg|postgres|sqlstate|\bsql\b|\bselect\b|mysql|dynamo|boto|\bgsi|neon|planetscale|prisma"


@pytest.mark.parametrize("name", OF_EVERY_STORE)
def test_what_every_store_uses_knows_none(name):
    source = (PROJECTS / f"{name}.py").read_text()
    assert re.findall(WORDS, source) == []
    imported = {each.module for each in ast.walk(ast.parse(source)) if isinstance(each, ast.ImportFrom)}
    own = {each.removeprefix("lambda_src.") for each in imported if each and each.startswith("lambda_src.")}
    # A fork's own resources are folders beside these, which routes.py names.
    of_stores = {
        each for each in own if each.startswith(("projects.", "database", "migrations", "neon", "planetscale"))
    }
    assert of_stores <= {f"projects.{each}" for each in OF_EVERY_STORE}


def test_every_other_module_of_the_service_is_of_one_store():
    others = {path.stem for path in PROJECTS.glob("*.py")} - {"__init__", "stores", *OF_EVERY_STORE}
    stores = {module.rpartition(".")[2].removesuffix("_store") for module in STORES.values()}
    assert [name for name in sorted(others) if not name.startswith(tuple(stores))] == []

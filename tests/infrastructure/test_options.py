"""What asks the list of options: nothing of one is imported that nobody asked for, and `make up` knows each."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from local.up import options as of_make_up
from local.up.options import POSTGRES, STORES, local, own
from stacks.config import Throttle
from stacks.options import OPTIONS, ROOT
from stacks.runtime import this_machine
from tests.environments import PROD

UNUSED = """
import sys
from tests import environments
sys.modules["stacks.environments"] = environments  # a fork's own may be on any of them
from app import build
build([environments.DEV], repository=None, context={"aws:cdk:bundling-stacks": []})
print([name for name in sys.modules if name.startswith(("stacks.options.", "stacks.external"))])
"""


def test_a_template_imports_nothing_of_an_option_that_it_is_not_on():
    found = subprocess.run([sys.executable, "-c", UNUSED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_what_every_store_shares_imports_nothing_of_one():
    stores = ("external/", "options/", "postgres/", "environments.py")  # a fork's environments name their stores
    shared = {str(path.relative_to(ROOT / "stacks")): path.read_text() for path in (ROOT / "stacks").rglob("*.py")}
    of_a_store = re.compile(r"^\s*(from|import) stacks\.(external|options\.|postgres)", re.MULTILINE)
    assert "stage.py" in shared
    assert [name for name, text in shared.items() if not name.startswith(stores) and of_a_store.search(text)] == []


def test_every_folder_of_an_option_has_its_line():
    folders = {path.name for path in (ROOT / "stacks" / "options").iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders <= {*OPTIONS}


@pytest.mark.parametrize("before", STORES)
def test_the_environment_local_can_be_on_every_store_of_make_up_whatever_its_own_is(monkeypatch, before):
    monkeypatch.setattr(of_make_up, "LOCAL", local(before))
    assert own() == before
    assert local(before) == of_make_up.LOCAL
    for store in STORES:
        monkeypatch.setattr(of_make_up, "LOCAL", local(store))
        assert (own(), of_make_up.LOCAL.name, of_make_up.LOCAL.runtime) == (store, "local", this_machine())


def test_an_environment_that_reserves_much_is_small_on_another_store_than_its_own(monkeypatch):
    large = replace(PROD, name="local", throttle=Throttle(rate=600, burst=90))
    monkeypatch.setattr(of_make_up, "LOCAL", large)
    assert (own(), local(POSTGRES)) == (POSTGRES, large)
    for store in STORES[1:]:
        assert local(store).api.reserved_concurrency == 5

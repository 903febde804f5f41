"""What asks the list of options: nothing of one is imported that nobody asked for, and `make up` knows each."""

import subprocess
import sys

import pytest

from local.up.options import POSTGRES, STORES, local
from stacks.options import OPTIONS, ROOT

UNUSED = """
import sys
from app import build
from stacks.environments import DEV
build([DEV], repository=None, context={"aws:cdk:bundling-stacks": []})
print([name for name in sys.modules if name.startswith(("stacks.options.", "stacks.external"))])
"""


def test_a_template_imports_nothing_of_an_option_that_it_is_not_on():
    found = subprocess.run([sys.executable, "-c", UNUSED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_every_folder_of_an_option_has_its_line():
    folders = {path.name for path in (ROOT / "stacks" / "options").iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders <= {*OPTIONS}


@pytest.mark.parametrize("store", STORES)
def test_the_environment_local_can_be_on_every_store_of_make_up(store):
    if store != POSTGRES:
        assert local(store).name == "local"

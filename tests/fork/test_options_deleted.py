"""Each option can be deleted as its page says: its files by name, and one line. Then the tests that remain are run.

Without one option: nothing left names or imports what is gone, no document has a broken link, every test file that is
left can be imported (a warning is an error), what asks the list of options is right, and each store left answers.
Without any: everything that deploys nothing, as `make test-fast`. It is not run for each option, since it takes minutes
and an option imports no other: tests/runtime/test_layers.py holds that.
"""

import re
import sys

import pytest

from tests.conftest import ROOT
from tests.copies import (
    blocks,
    broken_imports,
    broken_links,
    commands,
    copy_of_template,
    files,
    mentions,
    option_pages,
    run,
    section,
)

PAGES = option_pages(ROOT)
# What asks the list of options: documents, snapshots, `make up`, and a request to each store in tests/contract.
OF_THE_LIST = "test_documents or test_snapshots or test_pages or test_layers or test_options or test_what_was_created"
PYTEST = f"{sys.executable} -m pytest -q -p no:cacheprovider --ignore=tests/fork --ignore-glob='tests/*rehearsal*'"
WORKERS = "--numprocesses 2 --dist loadscope --no-loadscope-reorder"


@pytest.fixture
def copy(tmp_path):
    """A copy of the template; what registries gave to this folder need not come a second time."""
    made = copy_of_template(tmp_path)
    (made / "build").mkdir()
    for name in ("debian", "prisma"):
        (ROOT / "build" / name).mkdir(parents=True, exist_ok=True)
        (made / "build" / name).symlink_to(ROOT / "build" / name)
    return made


def delete(copy, page):
    """What a page says; the files that are gone."""
    before = files(copy)
    for block in blocks(section(page.read_text(), "Delete it")):
        for command in commands(block):
            run(command, copy)
    gone = before - files(copy)
    assert page.relative_to(ROOT).as_posix() in gone, "the page itself goes too"
    return gone


def nothing_is_missing(copy, gone):
    """Nothing in a copy needs the files that are gone, once the documents are made anew."""
    run(f"{sys.executable} -m stacks.runbook", copy)
    assert broken_imports(copy) == []
    assert mentions(copy, gone) == []
    assert broken_links(copy) == []
    run("ruff check --no-cache . && ruff format --no-cache --check .", copy)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_an_option_is_deleted_as_its_page_says_and_nothing_else_notices(copy, page):
    nothing_is_missing(copy, delete(copy, page))
    run(f"{PYTEST} -k '{OF_THE_LIST}'", copy)


@pytest.mark.skipif(not PAGES, reason="no option is left, so `make test-fast` is the same")
def test_what_remains_without_any_option_holds(copy):
    gone = {name for page in PAGES for name in delete(copy, page)}
    nothing_is_missing(copy, gone)
    said = run(f"{PYTEST} {WORKERS}", copy, seconds=1800)
    assert re.search(r"^\d{3,} passed", said, re.MULTILINE), said[-500:]


def test_every_option_has_a_page_and_one_line():
    listed = re.findall(r'^    "(\w+)",$', (ROOT / "stacks" / "options" / "__init__.py").read_text(), re.MULTILINE)
    assert sorted(listed) == [page.stem for page in PAGES]

"""Each option can be deleted as its page says: by name, and by one line wherever options are listed."""

import subprocess
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
ASKS_A_REGISTRY = "make lock"
MADE_ANEW = ("docs/decisions/README.md", "docs/options/README.md")  # by `make runbook`


@pytest.fixture(params=PAGES, ids=lambda page: page.stem)
def without(request, tmp_path):
    """A copy without one option, the files that are gone, and the links that were broken before."""
    copy = copy_of_template(tmp_path)
    before, broken = files(copy), broken_links(copy)
    for block in blocks(section(request.param.read_text(), "Delete it")):
        if block.language == "console":
            for command in commands(block):
                if not command.startswith(ASKS_A_REGISTRY):
                    run(command, copy)
    return copy, before - files(copy), broken


def test_an_option_is_deleted_as_its_page_says_and_nothing_else_notices(without):
    copy, gone, broken = without
    assert any(name.startswith("docs/options/") for name in gone), "the page itself goes too"
    assert broken_imports(copy) == []
    assert [each for each in mentions(copy, gone) if not each.startswith(MADE_ANEW)] == []
    assert [each for each in broken_links(copy) if each not in broken and not each.startswith(MADE_ANEW)] == []
    found = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "F", "--output-format", "concise", "."],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout

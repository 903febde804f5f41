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
    run,
    section,
)

PAGES = sorted((ROOT / "docs" / "options").glob("*.md"))
ASKS_A_REGISTRY = "make lock"


@pytest.fixture(params=PAGES, ids=lambda page: page.stem)
def without(request, tmp_path):
    """A copy without one option, and the files that are gone."""
    copy = copy_of_template(tmp_path)
    before = files(copy)
    for block in blocks(section(request.param.read_text(), "Delete it")):
        if block.language == "console":
            for command in commands(block):
                if not command.startswith(ASKS_A_REGISTRY):
                    run(command, copy)
    return copy, before - files(copy)


def test_an_option_is_deleted_as_its_page_says_and_nothing_else_notices(without):
    copy, gone = without
    assert any(name.startswith("docs/options/") for name in gone), "the page itself goes too"
    assert broken_imports(copy) == []
    # The list of decisions is made anew by `make runbook`.
    assert [each for each in mentions(copy, gone) if not each.startswith("docs/decisions/README.md")] == []
    assert [each for each in broken_links(copy) if not each.startswith("docs/decisions/README.md")] == []
    found = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "F", "--output-format", "concise", "."],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout

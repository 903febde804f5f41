"""Each option can be deleted as its page says: by name, and by one line wherever options are listed."""

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.copies import (
    ASK_A_REGISTRY,
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
MADE_ANEW = ("docs/decisions/README.md", "docs/options/README.md")  # by `make runbook`


@pytest.fixture(params=PAGES, ids=lambda page: page.stem)
def without(request, tmp_path):
    """A copy without one option, the files that are gone, and what was wrong before."""
    copy = copy_of_template(tmp_path)
    before, wrong = files(copy), [*broken_links(copy), *unused(copy)]
    for block in blocks(section(request.param.read_text(), "Delete it")):
        if block.language == "console":
            for command in commands(block):
                if not command.startswith(ASK_A_REGISTRY):
                    run(command, copy)
    return copy, before - files(copy), wrong


def unused(copy):
    """Names that nothing uses, and names that nothing makes."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "F", "--output-format", "concise", "."]
    found = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    return [line for line in found.stdout.splitlines() if re.match(r"\S+:\d+:\d+: ", line)]


def test_an_option_is_deleted_as_its_page_says_and_nothing_else_notices(without):
    copy, gone, before = without
    assert any(name.startswith("docs/options/") for name in gone), "the page itself goes too"
    assert broken_imports(copy) == []
    assert [each for each in mentions(copy, gone) if not each.startswith(MADE_ANEW)] == []
    assert [each for each in broken_links(copy) if each not in before and not each.startswith(MADE_ANEW)] == []
    assert [each for each in unused(copy) if each not in before] == []

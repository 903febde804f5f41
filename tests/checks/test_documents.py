"""README.md's table of rules and docs/checks.md are what the code says.

`python -m tests.checks.test_documents` writes the table of rules.
"""

import re
from pathlib import Path

from stacks.checks import catalogue
from stacks.checks.catalogue import CATALOGUE

from .compare import PAGE
from .suite import WRONG

README = Path(catalogue.__file__).parent / "README.md"
BEGIN, END = "<!-- rules -->\n", "<!-- end of rules -->"


def table() -> str:
    rows = [f"| {rule.id} | {rule.severity.value} | {rule.sentence} | {rule.source} |\n" for rule in CATALOGUE]
    return "".join(["| rule | severity | what must hold | source |\n|---|---|---|---|\n", *rows])


def test_the_readme_lists_the_rules():
    assert README.read_text().partition(BEGIN)[2].partition(END)[0] == table(), "python -m tests.checks.test_documents"


def test_the_comparison_lists_the_wrong_stacks_of_the_suite_with_their_rules():
    rows = re.findall(r"^\| ([a-z0-9 ]+) \| ([A-Z]\d\d) \|", PAGE.read_text(), flags=re.MULTILINE)
    assert sorted(rows) == sorted((case.name.replace("_", " "), case.rule) for case in WRONG), (
        "see tests/checks/compare.py"
    )


def test_the_comparison_says_that_correct_stacks_are_silent():
    own = re.search(r"^\| correct stacks with no finding, of (\d+) \| (\d+) \|", PAGE.read_text(), flags=re.MULTILINE)
    assert own
    assert own[1] == own[2]


if __name__ == "__main__":
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(before + BEGIN + table() + END + rest.partition(END)[2])

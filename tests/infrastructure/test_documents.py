"""The runbook and the budget for a terminal say what the environments say."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from stacks import budget as budget_package
from stacks import environments as own
from stacks.budget import __main__ as terminal
from stacks.budget import prices
from stacks.budget.instance_classes import instance_class
from stacks.budget.report import Estimate, columns
from stacks.budget.summary import ladder, plain
from stacks.capacity import Budget
from stacks.config import Function
from stacks.documents import report
from stacks.postgres import costs
from stacks.postgres.runbook_texts import ERRORS, PAGES
from stacks.runbook.__main__ import documents, main, of_environments, stale, write
from stacks.runbook.pages import slug
from stacks.runbook.picture import picture
from stacks.runbook.templates import synthesized
from tests.environments import DEV, ENVIRONMENTS, PROD

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def texts():
    """What is generated of this project."""
    return documents(synthesized(own.ENVIRONMENTS))


@pytest.fixture(scope="module")
def pages():
    """The pages of the environments that these tests are about."""
    return of_environments(ENVIRONMENTS)


def test_the_documents_are_what_the_environments_say(texts):
    assert stale(texts) == [], "run `make runbook`"


def test_every_environment_has_a_page_and_a_picture(texts):
    for environment in own.ENVIRONMENTS:
        assert {f"docs/environments/{environment.name}.{kind}" for kind in ("md", "svg")} <= texts.keys()


def test_a_page_that_nobody_wrote_or_that_says_something_else_is_found_and_mended(texts, tmp_path):
    assert write(texts, tmp_path) == sorted(texts)
    (tmp_path / "docs" / "environments" / "gone.md").write_text("an environment that is no more")
    (tmp_path / "docs" / "runbook.md").write_text("by hand")
    assert stale(texts, tmp_path) == ["docs/environments/gone.md", "docs/runbook.md"]
    assert write(texts, tmp_path) == ["docs/environments/gone.md", "docs/runbook.md"]
    assert stale(texts, tmp_path) == []


def test_a_check_changes_nothing(capsys):
    before = {path: path.stat().st_mtime_ns for path in (ROOT / "docs").rglob("*")}
    assert main(["--check"]) == 0
    assert {path: path.stat().st_mtime_ns for path in (ROOT / "docs").rglob("*")} == before


def test_every_number_of_the_budget_is_on_the_page(pages):
    for environment in ENVIRONMENTS:
        text = pages[f"docs/environments/{environment.name}.md"]
        for row in (row for rows in report(environment).tables().values() for row in rows):
            assert f"| `{row.name}` | {row.value} | {row.meaning} |" in text


def test_every_link_of_the_documents_leads_somewhere(texts):
    for name in [each for each in texts if each.endswith(".md")]:
        for target in re.findall(r"\]\(([^)]+)\)", texts[name]):
            path, _, anchor = target.partition("#")
            if "://" in path:
                continue
            file = os.path.normpath(Path(name).parent / path) if path else name
            assert file in texts or (ROOT / file).exists(), (name, target)
            assert not anchor or anchor in headings(texts.get(file) or (ROOT / file).read_text()), (name, target)


def headings(text):
    return {slug(title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def test_every_error_text_leads_to_a_page():
    assert {page for _, _, page in ERRORS} <= PAGES.keys()


def test_every_table_has_as_many_cells_in_each_line(texts):
    for name, text in texts.items():
        for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
            counts = {len(re.split(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(counts) == 1, (name, block)


def test_the_picture_is_to_scale():
    image = ET.fromstring(picture(report(PROD).charts()))
    space = "{http://www.w3.org/2000/svg}"
    bars = [float(each.get("width")) for each in image.iter(f"{space}rect")]
    labels = [each.text for each in image.iter(f"{space}text")]
    assert labels[1:3] == ["clients", str(PROD.budget.clients)]
    most, pool = PROD.budget.max_connections, PROD.budget.pool
    assert bars[7] / bars[4] == pytest.approx(most / pool, rel=0.01)
    assert max(bars) + 210 < float(image.get("width"))
    assert len(bars) == 8 + len(ladder(PROD.budget))


def test_the_estimate_is_the_sum_of_its_lines():
    lines = costs.monthly(PROD, PROD.budget)
    assert Estimate("each month", lines).total == pytest.approx(sum(each.dollars for each in lines))
    by_name = {each.what: each.dollars for each in lines}
    assert by_name["db.r8g.large and its standby"] == pytest.approx(2 * 0.24 * 730)
    assert by_name["RDS Proxy, 2 vCPUs"] == pytest.approx(2 * 0.015 * 730)


def test_a_class_without_a_price_leaves_the_sum_open():
    budget = Budget.of(PROD.budget.plan.changed({"instance": "x2g.large"}))
    assert costs.instance_price(instance_class("x2g.large")) is None
    assert Estimate("each month", costs.monthly(PROD, budget)).total is None


def test_a_larger_class_costs_in_proportion():
    large, larger = (costs.instance_price(instance_class(name)) for name in ("r8g.large", "r8g.4xlarge"))
    assert larger.dollars == pytest.approx(8 * large.dollars)


def test_the_estimate_says_of_when_and_where_its_prices_are_and_which_are_not_verified(pages):
    text = pages["docs/environments/prod.md"]
    assert f"list prices of {prices.REGION} from {prices.DATE}" in text
    assert prices.NOT_VERIFIED in text


# The budget for a terminal.


@pytest.fixture
def ask(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(terminal, "BUILD", tmp_path / "build")
    monkeypatch.setattr(own, "ENVIRONMENTS", ENVIRONMENTS)

    def run(*arguments):
        status = terminal.main(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_the_budget_of_an_environment_is_printed_with_its_file_last(ask):
    status, out, _ = ask("prod")
    assert status == 0
    assert out.startswith("prod: pin-safe\n")
    assert out.splitlines()[-1].endswith("build/budget-prod.json")
    data = json.loads(Path(out.splitlines()[-1]).read_text())
    assert data["needed_connections"] == PROD.budget.needed
    assert data["connection_borrow_timeout_seconds"] == 2
    assert data["holds"] is True


def test_a_what_if_changes_the_answer_and_no_file_of_the_project(ask):
    status, out, _ = ask("dev", "reserved_concurrency=200", "seconds_in_database=0.04", "seconds=0.08")
    assert status == 1
    assert out.startswith("dev, if reserved_concurrency=200 seconds_in_database=0.04 seconds=0.08: refused\n")
    assert "A06 200 reserved need 151 pooled connections" in out
    data = json.loads(Path(out.splitlines()[-1]).read_text())
    assert data["changes"] == {"reserved_concurrency": 200, "seconds_in_database": 0.04, "seconds": 0.08}
    (error,) = [each for each in data["findings"] if each["severity"] == "error"]
    assert {"input": "instance", "value": "t4g.small"} in error["repairs"]


def test_the_readme_shows_what_a_what_if_prints(ask):
    session = r'^\$ make budget ENV=(\w+) SET="?([^"\n]*)"?\n((?:[^$`].*\n)*)'
    for name, changes, shown in re.findall(session, (ROOT / "README.md").read_text(), re.MULTILINE):
        _, out, _ = ask(name, *changes.split())
        assert [line for line in shown.splitlines() if line not in ("…", *out.splitlines())] == []


def test_a_what_if_may_ask_for_the_derived_value(ask):
    status, out, _ = ask("dev", "account_concurrency=none")
    assert status == 0
    assert "B02 account_concurrency is not given" in out


def test_a_what_if_of_other_credentials_changes_all_that_hangs_on_them(ask):
    """As if the file were edited: no rotation reserves concurrency, or has an alarm, and no secret is paid for."""
    _, out, _ = ask("dev", "credentials=iam", "instance=t4g.medium", "account_concurrency=106")
    edited = replace(DEV, account_concurrency=106, store=replace(DEV.store, credentials="iam", instance="t4g.medium"))
    assert out.partition("\n")[2].rpartition("\n\n")[0] == terminal.text(report(edited), []).partition("\n")[2].rstrip()


def test_a_what_if_that_an_error_refuses_begins_with_that(ask):
    status, out, _ = ask("dev", "account_concurrency=10")
    assert (status, out.splitlines()[0]) == (1, "dev, if account_concurrency=10: refused")
    assert "of 0 that an account of 10 can reserve" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["dev", "connect_timeout_seconds=5", "connection_borrow_timeout=5"],
            "allowed is at most deadline_seconds (3)",
        ),
        (["production"], "'production' is no environment, there are " + ", ".join(each.name for each in ENVIRONMENTS)),
        (["dev", "reserved=5"], "'reserved' is no input of the budget, known are"),
        (["dev", "reserved_concurrency"], "'reserved_concurrency' is no change, a change is name=value"),
        (["dev", "reserved_concurrency=many"], "reserved_concurrency is 'many', allowed is a whole number from 1"),
        (["dev", "instance=t4g.nano"], "instance is 't4g.nano', known are"),
        (["dev", "instance=5"], "instance is 5, known are"),
        (["dev", "alarm_address=5"], "alarm_address is 5, allowed is an address"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_with_a_sentence(ask, arguments, message):
    status, out, err = ask(*arguments)
    assert status == 2
    assert out == ""
    assert message in err


def test_an_environment_that_does_not_fit_is_a_sentence_and_no_traceback(tmp_path):
    """As `make budget` sees it: with an environment that is refused when it is built."""
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "tests" / "environments.py").read_text()
    broken = text.replace("Pool(debug_logging=True)", "Pool(connection_borrow_timeout=120)")
    (tmp_path / "stacks" / "environments.py").write_text(broken)
    command = [sys.executable, "-m", "stacks.budget", "dev"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("dev: C03 connection_borrow_timeout is 120 s, and the function ends after 25 s")
    assert "Traceback" not in done.stderr


def test_columns_are_aligned():
    assert columns([("a", "1", "x"), ("bbb", "22", "")]) == "  a    1   x\n  bbb  22"


def test_columns_of_a_narrow_terminal_go_on_under_themselves():
    shown = columns([("a", "1", "one two three four five six"), ("bbb", "22", "")], 24 + 11)
    assert shown == "  a    1   one two three four five\n           six\n  bbb  22"
    lines = terminal.text(report(PROD), [], 80).splitlines()
    assert max(map(len, lines)) <= 80 < max(map(len, terminal.text(report(PROD), []).splitlines()))


def test_a_page_of_the_largest_shows_whole_numbers_and_no_growth_beyond_what_a_function_can_reserve():
    store = replace(PROD.store, instance="r8g.16xlarge")
    large = replace(PROD, store=store, api=Function(reserved_concurrency=3000), account_concurrency=5000)
    assert [row[0] for row in report(large).growth().rows] == ["3000", "6000"]
    memory = next(each for each in report(large).alarms() if each.id == "DatabaseMemory")
    assert "< 137,438,953,472," in memory.condition


def test_plain_data_names_its_units():
    data = plain(DEV.budget)
    for name, value in data.items():
        if "timeout" in name or name in ("deadline_seconds", "longest_answer_seconds"):
            assert name.endswith("_seconds")
            assert isinstance(value, int | float)
    assert json.loads(json.dumps(data)) == json.loads(json.dumps(plain(replace(DEV).budget)))
    assert budget_package.__doc__

"""Every store has a budget, a cost table and a page, and the runbook has what its alarms lead to."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from stacks import environments
from stacks.budget import __main__ as terminal
from stacks.budget import prices
from stacks.documents import report
from stacks.runbook.__main__ import DOCS, of_environments
from stacks.runbook.pages import slug
from stacks.stage import EnvironmentStage

from .synthesis import OPTIONS, synthesize

NAMES = [each.name for each in OPTIONS]


@pytest.fixture(scope="module")
def texts():
    return of_environments(OPTIONS)


@pytest.fixture
def ask(monkeypatch, tmp_path, capsys):
    """`make budget` in a fork whose environments are on these stores."""
    monkeypatch.setattr(environments, "ENVIRONMENTS", OPTIONS)
    monkeypatch.setattr(terminal, "BUILD", tmp_path / "build")

    def run(*arguments):
        status = terminal.main(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.mark.parametrize("option", OPTIONS, ids=NAMES)
def test_every_number_finding_alarm_and_cost_is_on_the_page(texts, option):
    found, page = report(option), texts[f"docs/environments/{option.name}.md"]
    for row in (row for rows in found.tables().values() for row in rows):
        assert f"| `{row.name}` | {row.value} | {row.meaning} |" in page
    for each in found.findings():
        assert f"| {each.id} | {each.severity} |" in page
    for alarm in found.alarms():
        assert f"| {alarm.id} |" in page
    for line in (line for estimate in found.estimates() for line in estimate.lines):
        assert f"| {line.what} | {line.dollars:,.2f} | {line.read} |" in page
    assert f"list prices of {prices.REGION} from {prices.DATE}" in page


@pytest.mark.parametrize("option", OPTIONS, ids=NAMES)
def test_every_alarm_of_a_page_leads_to_a_heading(texts, option):
    page = texts[f"docs/environments/{option.name}.md"]
    links = re.findall(r"\]\(\.\./([^)#]+)#([^)]+)\)", page)
    assert links
    for file, anchor in links:
        text = texts.get(f"docs/{file}") or (DOCS / file).read_text()
        assert anchor in {slug(title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}, (file, anchor)


@pytest.mark.parametrize("option", OPTIONS, ids=NAMES)
def test_every_chart_of_the_picture_is_to_scale(texts, option):
    space = "{http://www.w3.org/2000/svg}"
    image = ET.fromstring(texts[f"docs/environments/{option.name}.svg"])
    widths = [float(each.get("width")) for each in image.iter(f"{space}rect")]
    charts = report(option).charts()
    assert len(widths) == sum(map(len, charts.values()))
    for bars in charts.values():
        drawn, widths = widths[: len(bars)], widths[len(bars) :]
        longest = max(bar.length for bar in bars)
        assert drawn == pytest.approx([max(1, max(drawn) * bar.length / longest) for bar in bars], abs=0.1)


def test_every_table_of_a_page_has_as_many_cells_in_each_line(texts):
    for name, text in texts.items():
        for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
            assert len({len(re.split(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, (name, block)


@pytest.mark.parametrize("name", NAMES)
def test_the_budget_for_a_terminal_knows_every_store(ask, name):
    status, out, _ = ask(name)
    assert status == 0
    assert out.startswith(f"{name}: ")
    assert "Dollars each million requests" in out
    data = json.loads(Path(out.splitlines()[-1]).read_text())
    assert (data["environment"], data["holds"]) == (name, True)
    assert data["estimated_dollars_a_month"] == pytest.approx(sum(data["estimated_dollars_a_month_by_item"].values()))


@pytest.mark.parametrize("name", NAMES)
def test_a_what_if_of_any_store_changes_the_answer(ask, name):
    _, before, _ = ask(name)
    status, after, _ = ask(name, "reserved_concurrency=6")
    assert status == 0
    assert after.startswith(f"{name}, if reserved_concurrency=6: ")
    assert after.splitlines()[1:-1] != before.splitlines()[1:-1]
    status, out, error = ask(name, "reserved=6")
    assert (status, out) == (2, "")
    assert error.startswith("'reserved' is no input of the budget, known are ")


def test_a_warning_of_any_store_is_said_at_synth(tmp_path):
    told = [replace(each, alarm_address="operations@example.com") for each in OPTIONS]
    stages = [each for each in synthesize(tmp_path, told).node.children if isinstance(each, EnvironmentStage)]
    assert [each.node.id for each in stages] == NAMES
    for stage in stages:
        assert any("J06" in str(each.data) for each in stage.service.node.metadata), stage.node.id


def test_the_budget_needs_no_cdk():
    """It would take a second more."""
    program = "import sys, stacks.budget.__main__; print('aws_cdk' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=DOCS.parent)
    assert found.stdout == "False\n"

"""The pages that are made from templates, contract and figures hold what those hold, and can be opened anywhere."""

import ast
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

from benchmarks.figures import collect
from lambda_src.migrations.files import MigrationFailed
from stacks.documents import report
from stacks.refusal import PAGE, refuse
from stacks.runbook import api_page, architecture, iam_page, indexes
from stacks.runbook.figures import figures
from stacks.runbook.markdown import filled
from stacks.runbook.picture import picture
from stacks.service import FUNCTION
from tests.checks.suite import WRONG
from tests.conftest import ROOT

from .synthesis import of_type
from .test_commands import anchors, tracked

SVG = "{http://www.w3.org/2000/svg}"
NO_MESSAGES = {"what-our-own-messages-mean", "rules"}  # the title; a rule's finding names its rule and its source
EXPLAINED = ("ci/", "lambda_src/migrations/", "lambda_src/rotation/", "lambda_src/database/se")  # settings, secrets
TOPIC = re.compile(r"(?:\bsee\(|^    heading = )[\"']([\w-]+)[\"']", re.MULTILINE)
SOURCES = [
    name for name in tracked("*.py") if name.startswith(("stacks/", "local/", "lambda_src/", "benchmarks/", "ci/"))
]


@pytest.fixture
def templates(synthesized, environment):
    return {stack: synthesized[environment.name, stack] for stack in ("data", "service")}


def effects(value):
    """How many statements a template has, counted in another way than the page does."""
    text = json.dumps(value)
    return text.count('"Effect": "Allow"') + text.count('"Effect": "Deny"') + text.count('"AWS::Lambda::Permission"')


def test_every_statement_of_the_templates_is_on_the_page(templates, environment):
    page = iam_page.page(environment.name, templates)
    rows = re.findall(r"^\| [^|]+ \| (?:Allow|Deny) \|", page, re.MULTILINE)
    assert len(rows) == sum(map(effects, templates.values())) > 20


def test_every_connection_that_a_security_group_allows_is_on_the_page(templates, environment):
    page = iam_page.page(environment.name, templates)
    rules = of_type(templates["data"], "AWS::EC2::SecurityGroupIngress")
    rows = page.partition("### Connections")[2].partition("## ")[0].strip().splitlines()[2:]
    assert len(rows) == len(rules)
    assert f"| `Clients` | `Proxy` | {environment.store.port} | to the proxy |" in rows


def test_a_statement_says_whom_what_and_where(synthesized):
    page = iam_page.page("prod", {"service": synthesized["prod", "service"]})
    user = r"`arn:aws:rds-db:[\w-]+:\${AWS::AccountId}:dbuser:"
    assert re.search(rf"^\| `{FUNCTION}Role` \| Allow \|  \| `rds-db:connect` \| {user}", page, re.MULTILINE)


def test_every_log_group_is_in_the_list(templates, environment):
    text = (ROOT / "docs" / "aws.md").read_text()
    for stack in templates.values():
        for id, group in of_type(stack, "AWS::Logs::LogGroup").items():
            name = group["Properties"].get("LogGroupName", f"…{id[:-8]}…").replace(environment.prefix, "<service>-dev")
            assert f"| `{re.sub('-[0-9a-f]{8}$', '-…', name)}` |" in text


def test_the_picture_shows_the_parts_and_the_connections_of_the_templates(templates, environment):
    image = ET.fromstring(architecture.picture(environment.name, templates))
    texts = {each.text for each in image.iter(f"{SVG}text")}
    assert {"Client", "HTTP API", "Function", "RDS Proxy", "Migrations"} <= texts
    assert ("Secrets Manager" in texts) is (not environment.store.uses_iam)
    assert any(f"db.{environment.store.instance}" in (text or "") for text in texts)
    arrows = len([*image.iter(f"{SVG}line")])
    assert arrows == 2 + len(of_type(templates["data"], "AWS::EC2::SecurityGroupIngress"))


@pytest.mark.parametrize("drawn", ["architecture", "charts"])
def test_a_picture_is_readable_in_light_and_dark(templates, environment, drawn):
    found = architecture.picture(environment.name, templates)
    text = found if drawn == "architecture" else picture(report(environment).charts())
    assert "@media (prefers-color-scheme: dark)" in text
    outside = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-f]{6}", outside), "a colour that does not follow the scheme"


def test_the_apis_page_needs_nothing_but_itself():
    page = (ROOT / "docs" / "api.html").read_text()
    assert not re.search(r"<script|<link|<img|src=|url\(|https?:", page)


def test_the_apis_page_has_every_operation_and_every_link_leads_to_one():
    contract = (ROOT / "docs" / "openapi.yaml").read_text()
    page = api_page.page(contract)
    ids = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r"operationId: (\w+)", contract)) <= ids
    assert set(re.findall(r'href="#([^"]+)"', page)) <= ids


def test_a_reference_that_leads_nowhere_is_named():
    contract = (
        (ROOT / "docs" / "openapi.yaml").read_text().replace("  parameters:\n    tenant:", "  parameters:\n    owner:")
    )
    with pytest.raises(ValueError, match="refers to #/components/parameters/tenant, which is not there"):
        api_page.page(contract)


@pytest.mark.parametrize("folder", ["decisions", "options"])
def test_every_page_of_a_folder_is_in_its_list(folder):
    directory = ROOT / "docs" / folder
    text = getattr(indexes, folder)(directory)
    linked = set(re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", text, re.MULTILINE))
    assert linked == {path.name for path in directory.glob("*.md")} - {"README.md"}


def test_a_document_without_a_region_stays_as_it_is():
    assert filled("# Mine\n", "figures", "x") == "# Mine\n"
    assert filled("<!-- a -->\nold\n<!-- /a -->\n", "a", "new") == "<!-- a -->\n\nnew\n\n<!-- /a -->\n"


def test_figures_that_were_not_measured_again_are_kept(tmp_path):
    kept = tmp_path / "figures.json"
    shutil.copy(ROOT / "docs" / "figures.json", kept)
    before = json.loads(kept.read_text())
    faults = [{"as_expected": True}, {"as_expected": False}]
    drill = {"requests": 1200, "lost_rows": 0, "duplicated_rows": 0, "faults": faults}
    (tmp_path / "drill.json").write_text(json.dumps(drill))
    (tmp_path / "bench.json").write_text(json.dumps({"cold_start": {}}))  # a run of some benchmarks only
    assert collect(tmp_path, kept) == ["drill"]
    after = json.loads(kept.read_text())
    assert after["bench"] == before["bench"]
    assert "2 faults under load, 1,200 requests: rows lost, rows duplicated | 0, 0 | `make drill`" in figures(after)


def test_the_readme_counts_the_wrong_stacks():
    text = (ROOT / "README.md").read_text()
    assert [int(each) for each in re.findall(r"(\d+) wrong stacks", text)] in ([], [len(WRONG)])


# What our own programs say.


def test_every_message_that_names_a_page_names_one_that_is_there():
    linked = {
        (found[1], found[2])
        for name in [*SOURCES, "Makefile"]
        for found in re.finditer(r"((?:docs|stacks)/[\w/.-]+\.md)\\?#([\w-]+)", (ROOT / name).read_text())
    } | {(PAGE, topic) for name in SOURCES for topic in TOPIC.findall((ROOT / name).read_text())}
    assert {topic for page, topic in linked if page == PAGE} == anchors((ROOT / PAGE).read_text()) - NO_MESSAGES
    missing = [f"{page}#{topic}" for page, topic in linked if topic not in anchors((ROOT / page).read_text())]
    assert missing == []


def test_what_a_workflow_runs_and_what_fails_a_deployment_ends_with_its_page():
    """Their messages are made by ci.refusal, and by what derives from Explained."""
    trees = {name: ast.parse((ROOT / name).read_text()) for name in SOURCES if name.startswith(EXPLAINED)}
    found = {name: [*map(ast.unparse, ended_or_defined(tree))] for name, tree in trees.items()}
    assert {name: each for name, each in found.items() if each} == {
        "ci/audit.py": ["sys.exit(main())"],
        "ci/refusal.py": ["SystemExit(f\"{message}\\n{see('workflows')}\")"],
    }
    assert str(MigrationFailed("0002_a.sql: no")) == f"0002_a.sql: no; see {PAGE}#migrations"


def ended_or_defined(tree):
    """Where a program ends, and exceptions that say nothing but their message."""
    for each in ast.walk(tree):
        if isinstance(each, ast.Call) and ast.unparse(each.func) in ("sys.exit", "SystemExit"):
            yield each
        if isinstance(each, ast.ClassDef) and {"Exception", "OSError"} & {*map(ast.unparse, each.bases[:1])}:
            yield ast.Name(each.name)


def test_a_refusal_ends_with_its_page():
    with pytest.raises(ValueError, match=r"\n  see docs/errors\.md#configuration\Z"):
        refuse("dev", ["region is 'Ireland'"])


def test_our_own_programs_write_no_colours():
    """What others write (cdk, pytest, ruff, mypy) follows the terminal and NO_COLOR by itself."""
    colours = re.compile(r"\\x1b|\\033|\\u001b|colorama|termcolor")
    assert [name for name in SOURCES if colours.search((ROOT / name).read_text())] == []


def make(*words, **changed):
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        **changed,
    )


def test_make_alone_says_how_to_begin_and_what_there_is():
    said = make().stdout
    assert said.startswith("usage: make <target> [NAME=value]\nBegin with `make up`")
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert re.findall(r"^  make ([a-z-]+) ", said, re.MULTILINE) == targets
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (None, "Python 3.11 or newer is needed and there is no "),
        ('[ "$1" = --version ] && echo Python 3.8.1', "Python 3.11 or newer is needed and "),
        ('case "$2" in *ensurepip*) exit 1;; esac', " has no module venv"),
    ],
)
def test_a_missing_tool_is_named_with_the_command_that_installs_it(tmp_path, program, why):
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / "python"
    if program:
        python.write_text(f"#!/bin/sh\n{program}\n")
        python.chmod(0o755)
    found = subprocess.run(
        ["make", f"PYTHON={python}", ".venv/bin/uv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert found.returncode != 0
    sentence = found.stderr.splitlines()[0]
    assert why in sentence
    assert re.search(r": install it with `(?:apt-get|dnf|brew) install [^`]+`\. See docs/errors\.md#setup$", sentence)

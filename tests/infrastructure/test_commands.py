"""Every command, path and link in every document leads somewhere: it is executed by a test, or resolved here."""

import importlib.util
import re
import shlex
import subprocess
from functools import cache

import botocore.session
import pytest
from botocore import xform_name

from tests.conftest import ROOT
from tests.copies import Block, blocks, commands

# Written for a reader's copy of the template, and carried out there by tests/fork/test_fork.py.
IN_A_COPY = {"docs/fork.md"}
# Commands that need nothing of this project, or that a test executes: "Delete it" in test_options_deleted.py.
NOT_OURS = {"cat", "cd", "curl", "git", "neonctl", "perl", "pscale", "psql", "rm", "."}
CDK = {"bootstrap", "deploy", "destroy", "diff", "drift", "import", "list", "ls", "synth"}
# Commands of the AWS CLI that are no operation of a service.
OF_THE_AWS_CLI = {"logs": {"tail": {"follow"}}, "rds": {"generate-db-auth-token": {"hostname", "port", "username"}}}
OF_MAKE = re.compile(r"^([A-Z]+)=")
FOLDERS = ("app.py", "stacks/", "lambda_src/", "local/", "docs/", "tests/", "benchmarks/", "ci/", ".github/", ".ci/")


def tracked(pattern):
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return sorted(name for name in names if name and (ROOT / name).exists())


DOCUMENTS = tracked("*.md")


def spans(text):
    """What stands between backticks outside of blocks."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def told(text):
    """The commands of a document: those of console blocks, and those between backticks that begin like one."""
    for block in blocks(text):
        if block.language == "console":
            yield from commands(block)
    yield from (each for each in spans(text) if re.match(r"(make|npx|cdk|aws|python -m|gh|uv)( |$)", each))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_is_one(name):
    text = (ROOT / name).read_text()
    wrong = [f"{command}: {why}" for command in told(text) if (why := problem(command))]
    assert wrong == []


def problem(command):
    """Nothing, or what is wrong with a command."""
    for part in re.split(r" && | \| ", command):
        words = shlex.split(part.replace("…", "x"), comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        if words and (why := _problem(words)):
            return why
    return None


def _problem(words):
    program, *rest = words or [""]
    if program.startswith(".venv"):
        program = program.rpartition("/")[2]
    match program:
        case "make":
            return _of_make(rest)
        case "npx":
            return _problem(rest)
        case "cdk":
            return None if not rest or rest[0] in CDK else f"cdk has no command {rest[0]}"
        case "python" | "python3":
            return _of_module(rest[1:]) if rest[:1] == ["-m"] else None
        case "aws":
            return _of_aws(rest)
        case "ruff" | "uv" | "pyenv" | "gh":
            return None
    return None if not program or program in NOT_OURS or (ROOT / program).exists() else f"nothing resolves {program}"


def _of_make(words):
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        if variable := OF_MAKE.match(word):
            if f"$({variable[1]})" not in makefile:
                return f"the Makefile has no variable {variable[1]}"
        elif not word.startswith("-") and not re.search(rf"^{re.escape(word)}:", makefile, re.MULTILINE):
            return f"the Makefile has no target {word}"
    return None


def _of_module(words):
    module, *rest = words
    found = importlib.util.find_spec(module)
    if found is None:
        return f"there is no module {module}"
    folder = [*found.submodule_search_locations] if found.submodule_search_locations else []
    sources = [
        ROOT / f"{module.replace('.', '/')}.py",
        *(path for each in folder for path in sorted(ROOT.glob(f"{each.removeprefix(str(ROOT) + '/')}/*.py"))),
    ]
    text = "".join(path.read_text() for path in sources if path.exists())
    unknown = [word for word in rest if word.startswith("--") and f'"{word.partition("=")[0]}"' not in text]
    return f"{module} has no {' or '.join(unknown)}" if unknown and module.split(".")[0] != "pytest" else None


@cache
def _operations(service):
    model = botocore.session.get_session().get_service_model(service)
    return {
        xform_name(each, "-"): {
            xform_name(name, "-")
            for name in (
                model.operation_model(each).input_shape.members if model.operation_model(each).input_shape else ()
            )
        }
        for each in model.operation_names
    } | OF_THE_AWS_CLI.get(service, {})


def _of_aws(words):
    words = [word for word in words if not word.startswith("<")]
    if len(words) < 2:
        return None
    service, operation, *rest = words
    if service not in botocore.session.get_session().get_available_services():
        return f"AWS has no service {service}"
    if operation not in _operations(service):
        return f"{service} has no operation {operation}"
    members = _operations(service)[operation]
    for word in rest:
        if word.startswith("--") and word.removeprefix("--").removeprefix("no-") not in members | {
            "query",
            "output",
            "region",
        }:
            return f"aws {service} {operation} has no {word}"
    return None


@pytest.mark.parametrize("name", [each for each in DOCUMENTS if each not in IN_A_COPY])
def test_every_path_is_there(name):
    text = (ROOT / name).read_text()
    paths = {span for span in spans(text) if span.startswith(FOLDERS) and re.fullmatch(r"[\w./*-]+", span)}
    assert [path for path in sorted(paths) if not any(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name):
    text = re.sub(r"^```.*?^```$", "", (ROOT / name).read_text(), flags=re.MULTILINE | re.DOTALL)
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            wrong.append(target)
    assert wrong == []


def anchors(text):
    """The anchors that Git hosts give the headings of a document."""
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", plain, re.MULTILINE)
    }


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("make upp", "no target upp"),
        ("make budget ENVIRONMENT=prod", "no variable ENVIRONMENT"),
        ("python -m stacks.runbok", "no module stacks.runbok"),
        ("python -m stacks.runbook --chek", "has no --chek"),
        ("npx cdk deplyo 'dev/*'", "no command deplyo"),
        ("aws rds reboot-db-instanse", "no operation reboot-db-instanse"),
        ("aws rds reboot-db-instance --forced", "has no --forced"),
        ("terraform apply", "nothing resolves terraform"),
    ],
)
def test_a_command_that_is_none_is_found(command, why):
    assert why in problem(command)


def test_a_block_of_commands_is_read_with_its_continued_lines():
    assert commands(Block("console", "$ rm a \\\n    b\n  output\n$ make up\n", None)) == ["rm a      b", "make up"]

"""docs/fork.md, word for word: its commands, its files and its changes, in a copy that is deployed at the end."""

import re
import shutil
import subprocess

import pytest

from stacks import environments as own
from tests import environments as samples
from tests.conftest import ROOT, free_port
from tests.copies import (
    Block,
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

PAGE = ROOT / "docs" / "fork.md"
# `make test` is this test's own, and minutes long: what a fork of its own name and resource could break, stands for it.
# What asks the resource without deploying it, and what looks for routes, paths and links; then it is deployed.
TESTS = """
    tests/notes tests/contract tests/runtime/test_cold_start.py tests/runtime/test_faults.py
    tests/runtime/test_layers.py tests/runtime/test_migrations.py tests/runtime/test_round_trips.py
    tests/infrastructure/test_api.py tests/infrastructure/test_commands.py tests/infrastructure/test_functions.py
    tests/infrastructure/test_logical_ids.py tests/infrastructure/test_snapshots.py
"""
DEPLOYED = "tests/rehearsal/test_local_run.py tests/rehearsal/test_spike_and_drill.py"
PYTEST = "python -m pytest -q --numprocesses 2 --dist loadscope --no-loadscope-reorder"
MAKE_TEST = f"{PYTEST} {' '.join(TESTS.split())} && {PYTEST} {DEPLOYED} -k 'a_row or curl or loses or shows'"
OTHER_WORDS = {"acme-billing": "corner-shop", "Acme billing": "Corner shop", "note": "ticket", "Note": "Ticket"}
# Where the service's own name must not stand; "headroom:J06" and Headroom are the template's.
CODE = (
    "app.py",
    "stacks/",
    "lambda_src/",
    "local/",
    "docs/environments/",
    "docs/runbook.md",
    "tests/infrastructure/snapshots/",
)
# Every kind of store, other names, sizes and regions; none that the template comes with but prod, which is another.
ENVIRONMENTS = '''"""The environments of this service: the one file that a fork edits."""

from stacks.config import Environment, Function, RdsPostgres
from stacks.local import on_this_machine
from stacks.options.dynamodb import DynamoDb
from stacks.options.neon import Neon
from stacks.options.planetscale import PlanetScale

SERVICE = "corner-shop"
REGION = "us-east-1"
REPOSITORY: str | None = "corner/shop"

TEST = Environment(
    service=SERVICE,
    name="test",
    region=REGION,
    retain=False,
    store=DynamoDb(max_read_request_units=4000, max_write_request_units=4000),
    api=Function(reserved_concurrency=40),
)

LIVE = Environment(
    service=SERVICE,
    name="live",
    region="ap-southeast-2",
    retain=True,
    availability_zones=3,
    alarm_address="people@corner.test",
    store=RdsPostgres(
        instance="r8g.4xlarge",
        credentials="iam",
        multi_az=True,
        allocated_storage_gib=400,
        max_allocated_storage_gib=1000,
    ),
    api=Function(reserved_concurrency=300, memory_mb=1024),
)

EVENTS = Environment(
    service=SERVICE,
    name="events",
    region=REGION,
    retain=True,
    store=Neon(secret_name=f"{SERVICE}/events", mode="http"),
    api=Function(reserved_concurrency=10),
)

OUTSIDE = Environment(
    service=SERVICE,
    name="prod",
    region=REGION,
    retain=True,
    alarm_address="people@corner.test",
    store=PlanetScale(secret_name=f"{SERVICE}/prod"),
    api=Function(reserved_concurrency=10),
)

LOCAL = on_this_machine(TEST)

ENVIRONMENTS = (TEST, LIVE, EVENTS, OUTSIDE, LOCAL)
'''
# What looks at the environments of stacks/environments.py; that every other file can be imported is seen without them.
OF_ENVIRONMENTS = """
    tests/infrastructure/test_capacity.py::test_who_does_what_a_refusal_says_has_an_environment_that_is_none
    tests/infrastructure/test_checks.py tests/infrastructure/test_deployment.py tests/infrastructure/test_documents.py
    tests/infrastructure/test_environments.py tests/infrastructure/test_logical_ids.py
    tests/infrastructure/test_options.py tests/infrastructure/test_snapshots.py tests/checks/test_environments.py
    tests/ci/test_environments.py tests/runtime/test_rds_authorities.py
"""
SAMPLE = re.compile(r"\b[Pp]rojects\b|\bTABLE project\b")
# What is about the template and its first release, or has the sample as one example of many.
OF_THE_TEMPLATE = """
    README.md CHANGELOG.md docs/fork.md docs/decisions/ docs/benchmarks.md docs/migrations.md
    tests/copies.py tests/fork/ tests/checks/ tests/rehearsal/test_the_end.py
"""
OLD_NAME = re.compile(r"""headroom[-_/]|["']headroom["']""")


class Fork:
    """A copy of the template that becomes somebody's service."""

    def __init__(self, directory, words):
        self.directory = copy_of_template(directory)
        if (ROOT / ".mypy_cache").is_dir():  # as it is in a folder in which `make check` has run before
            shutil.copytree(ROOT / ".mypy_cache", directory / ".mypy_cache", ignore_dangling_symlinks=True)
        self.words = words
        self.port = free_port()
        self.deleted = set()
        self.url = ""

    def text(self):
        """The page, with the reader's own words."""
        text = PAGE.read_text()
        for ours, theirs in self.words.items():
            text = text.replace(ours, theirs)
        return text

    def follow(self, title):
        """Do what a section says: write its files, apply its changes, run its commands."""
        for block in blocks(section(self.text(), title)):
            if block.path:
                file = self.directory / block.path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text)
            elif block.language == "diff":
                apply = ["git", "apply", "--recount", "-"]
                found = subprocess.run(
                    apply, cwd=self.directory, input=block.text, capture_output=True, text=True, check=False
                )
                assert found.returncode == 0, f"{block.text}\n{found.stderr}"
            elif block.language == "console":
                self.type(block)

    def type(self, block: Block):
        """The commands of a block; returns what they said."""
        said = ""
        for command in commands(block):
            environment = {"PORT": str(self.port), "MAKEFLAGS": ""}
            said += run(self.stands_for(command), self.directory, environment)
        return said

    def stands_for(self, command):
        if command == "make runbook snapshot" and self.words:
            return "true"  # once is enough: it takes seconds, and shows nothing of the words
        return command if command != "make test" else MAKE_TEST

    def delete_every_option(self):
        before = files(self.directory)
        for page in option_pages(self.directory):
            for block in blocks(section(page.read_text(), "Delete it")):
                if block.language == "console":
                    self.type(block)
        self.deleted = before - files(self.directory)


@pytest.fixture
def fork(tmp_path, request):
    return Fork(tmp_path, request.param)


def old_names(directory):
    return [
        f"{name}: {line.strip()}"
        for name in sorted(files(directory))
        if name.startswith(CODE)
        for line in (directory / name).read_text(errors="replace").splitlines()
        if OLD_NAME.search(line) and "prefix=" not in line and "package" not in name
    ]


def of_the_sample(directory):
    """The lines that still name the sample."""
    return [
        f"{name}: {line.strip()}"
        for name in sorted(files(directory))
        if not name.startswith(tuple(OF_THE_TEMPLATE.split()))
        for line in (directory / name).read_text(errors="replace").splitlines()
        if SAMPLE.search(line)
    ]


@pytest.mark.parametrize("fork", [{}], indirect=True)
def test_the_page_leads_from_a_copy_to_a_deployed_service_of_ones_own(fork):
    fork.follow("Name it")
    fork.follow("Choose a database for each environment")
    fork.delete_every_option()
    fork.follow("Write your own resource")
    fork.follow("Delete the sample")
    fork.follow("Bring it up to date")
    assert old_names(fork.directory) == []
    assert of_the_sample(fork.directory) == []
    assert mentions(fork.directory, fork.deleted) == []
    assert broken_imports(fork.directory) == []
    run("python -m pytest -q --collect-only && python -m benchmarks --help", fork.directory)
    try:
        fork.follow("Test it, and run it here")
    finally:
        run("make down", fork.directory)
    fork.follow("Make it yours")
    assert broken_links(fork.directory) == []


@pytest.mark.parametrize("fork", [OTHER_WORDS], indirect=True)
def test_the_page_holds_for_other_words(fork):
    fork.follow("Name it")
    fork.follow("Write your own resource")
    fork.follow("Bring it up to date")
    run("ruff check . && ruff format --check .", fork.directory)
    run("python -m pytest -q tests/tickets", fork.directory)
    # With options that were kept: their stores do not know the resource, and are not asked about it.
    run("python -m pytest -q tests/contract/test_openapi.py -k 'dynamodb and tickets'", fork.directory)


def test_the_template_comes_with_the_environments_that_its_tests_are_about():
    assert own.ENVIRONMENTS == samples.ENVIRONMENTS


@pytest.mark.parametrize("fork", [{}], indirect=True)
def test_the_tests_hold_on_any_store_and_with_any_name(fork):
    (fork.directory / "stacks" / "environments.py").write_text(ENVIRONMENTS)
    run("python -m stacks.runbook && python -m tests.infrastructure.snapshots --write", fork.directory)
    run("ruff check . && ruff format --check . && mypy", fork.directory)
    run("python -m pytest -q --collect-only", fork.directory)
    run(f"python -m pytest -q {' '.join(OF_ENVIRONMENTS.split())}", fork.directory)
    assert broken_links(fork.directory) == []


def test_at_most_two_files_are_edited_before_the_first_deployment():
    text = PAGE.read_text()
    before = text.partition("## Write your own resource")[0]
    edited = {
        command.split()[-1]
        for block in blocks(before)
        if block.language == "console"
        for command in commands(block)
        if "perl" in command
    }
    assert edited == {"stacks/environments.py"}
    assert {block.path for block in blocks(section(text, "Make it yours")) if block.path} == {"README.md"}

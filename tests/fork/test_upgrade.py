"""A fork takes a newer template, as docs/upgrade.md says; and what CHANGELOG.md says of versions."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib

import pytest

from tests.conftest import ROOT
from tests.copies import first_release
from tests.infrastructure.test_feature_flags import replaced

RELEASES = ROOT / "tests" / "rehearsal" / "releases"
OLDEST = RELEASES / "0.1.0.tar.gz"
IN_A_RELEASE = ("app.py", "cdk.json", "stacks", "lambda_src")
HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (Unreleased|\d{4}-\d\d-\d\d)$", re.MULTILINE)
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def git(directory, *words, check=True):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    command = ["git", *identity, *words]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=check)


def commit(directory, message):
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", message)


@pytest.fixture
def template(tmp_path):
    """The template's repository: its first release, tagged, and after it what it is now."""
    directory = tmp_path / "template"
    directory.mkdir()
    git(directory, "init", "--quiet", "--initial-branch=main")
    with tarfile.open(OLDEST) as archive:
        archive.extractall(directory, filter="data")
    commit(directory, "0.1.0")
    git(directory, "tag", "v0.1.0")
    for name in IN_A_RELEASE:
        path = directory / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, path)
    commit(directory, "now")
    return directory


def test_a_fork_of_the_first_release_takes_this_one_and_only_its_own_file_may_conflict(template, tmp_path):
    fork = tmp_path / "fork"
    git(tmp_path, "clone", "--quiet", "--branch", "v0.1.0", str(template), str(fork))
    git(fork, "switch", "--quiet", "--create", "main")
    environments = fork / "stacks" / "environments.py"
    environments.write_text(environments.read_text().replace('SERVICE = "headroom"', 'SERVICE = "acme-billing"'))
    migration = fork / "lambda_src" / "migrations" / "sql" / "0002_invoices.sql"
    migration.write_text("CREATE TABLE invoice (id uuid PRIMARY KEY);\n")
    commit(fork, "ours")

    told = re.findall(r"^\$ git (.+)$", (ROOT / "docs" / "upgrade.md").read_text(), re.MULTILINE)
    results = [
        git(fork, *(str(template) if word.startswith("<") else word for word in words(line)), check=False)
        for line in told
    ]
    assert [each.returncode for each in results[:2]] == [0, 0], results
    conflicts = git(fork, "diff", "--name-only", "--diff-filter=U").stdout.split()
    assert set(conflicts) <= {"stacks/environments.py"}
    assert migration.exists()
    assert 'SERVICE = "acme-billing"' in environments.read_text()
    assert (fork / "stacks" / "capacity.py").exists()


def words(line):
    """The words of a command, where <…> is one."""
    return re.findall(r"<[^>]+>|\S+", line)


# staging of the first release, word for word but for its service: a fork has it, and this version takes it.
SYNTHESIZE = """
import json, sys
sys.path.insert(0, ".")
from pathlib import Path
from aws_cdk import App
from stacks.config import Environment, Function, Pool, RdsPostgres, Throttle
from stacks.stage import EnvironmentStage

context = {**json.loads(Path("cdk.json").read_text())["context"], "aws:cdk:bundling-stacks": []}
for name, given in json.loads(sys.argv[2]).items():
    app = App(analytics_reporting=False, context=context, outdir=f"{sys.argv[1]}/{name}")
    pool = Pool(max_connections_percent=85, max_idle_connections_percent=40, idle_client_timeout=600)
    environment = Environment(
        service="shop",
        name="staging",
        region="eu-west-1",
        retain=True,
        cidr="10.20.0.0/20",
        store=RdsPostgres(instance="t4g.medium", pool=pool, **given),
        api=Function(reserved_concurrency=20),
        throttle=Throttle(rate=160, burst=40),
    )
    EnvironmentStage(app, environment=environment)
    app.synth()
"""


@pytest.fixture(scope="module")
def assemblies(tmp_path_factory):
    """The same environment by the first release, by this one, and by this one with what CHANGELOG.md says to write."""
    directory = tmp_path_factory.mktemp("assemblies")
    first = tmp_path_factory.mktemp("first")
    first_release(first)
    told = re.search(r'master_user="(\w+)"', CHANGELOG)[1]
    for source, apps in ((first, {"first": {}}), (ROOT, {"now": {}, "as-told": {"master_user": told}})):
        command = [sys.executable, "-c", SYNTHESIZE, str(directory), json.dumps(apps)]
        variables = {**os.environ, "CDK_VALIDATION": "false"}
        found = subprocess.run(command, cwd=source, env=variables, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr
    return directory


def test_an_upgrade_from_the_first_release_keeps_all_that_holds_state_when_one_does_as_told(assemblies):
    assert replaced(assemblies / "first", assemblies / "as-told") == []


def test_what_one_is_told_is_needed(assemblies):
    found = replaced(assemblies / "first", assemblies / "now")
    assert {loss.type: loss.fate for loss in found} == {"AWS::RDS::DBInstance": "will be replaced"}


def test_the_newest_version_of_the_changelog_is_the_projects():
    versions = HEADING.findall(CHANGELOG)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert versions[0][0] == project
    assert len(re.findall(r"^## ", CHANGELOG, re.MULTILINE)) == len(versions), "each heading is [version] - date"
    numbers = [tuple(map(int, version.split("."))) for version, _ in versions]
    assert numbers == sorted(numbers, reverse=True)
    assert [date for _, date in versions[1:] if date == "Unreleased"] == []


def test_an_upgrade_is_rehearsed_from_the_release_before():
    released = [version for version, date in HEADING.findall(CHANGELOG) if date != "Unreleased"]
    assert (RELEASES / f"{released[0]}.tar.gz").exists(), "see docs/decisions/0033"

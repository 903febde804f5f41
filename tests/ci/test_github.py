"""The files in .github: linted, pinned, and with caches that hold as long as the lock files do."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
LINT = ["zizmor", "--offline", "--strict-collection", "--persona=auditor", "--no-progress", "--quiet"]


def test_the_linter_finds_what_it_should(tmp_path):
    """`make check` lints the workflows; here, that it would say something."""
    workflow = tmp_path / ".github" / "workflows" / "bad.yml"
    workflow.parent.mkdir(parents=True)
    steps = "[{run: 'echo ${{ github.event.pull_request.title }}'}, {uses: 'actions/checkout@v6'}]"
    workflow.write_text(f"on: pull_request\njobs:\n  job:\n    runs-on: ubuntu-24.04\n    steps: {steps}\n")
    found = subprocess.run([*LINT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert found.returncode != 0
    for audit in ("template-injection", "unpinned-uses", "excessive-permissions", "artipacked"):
        assert audit in found.stdout
    assert f"{' '.join(LINT)} .github" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("path", [*WORKFLOWS, GITHUB / "actions/setup/action.yml"], ids=lambda path: path.stem)
def test_an_action_has_one_commit_and_says_which_version_that_is(path):
    pins = re.findall(r"uses: ([^\s$][^\s@]*)@(\S+)(?: # (\S+))?", path.read_text())
    for _, commit, version in pins:
        assert re.fullmatch(r"[0-9a-f]{40}", commit)
        assert re.fullmatch(r"v\d+\.\d+\.\d+", version)
    everywhere = "".join(each.read_text() for each in GITHUB.rglob("*.yml"))
    for action, commit, _ in pins:
        assert set(re.findall(rf"{action}@(\S+)", everywhere)) == {commit}, action


def test_the_caches_key_changes_with_every_lock_file():
    action = yaml.safe_load((GITHUB / "actions/setup/action.yml").read_text())
    (cache,) = [step["with"] for step in action["runs"]["steps"] if "actions/cache@" in step.get("uses", "")]
    patterns = re.findall(r"'([^']+)'", re.search(r"hashFiles\((.+?)\)", cache["key"])[1])
    locks = set(re.findall(r"compile \w+ ([\w./-]+\.txt)", (ROOT / "Makefile").read_text()))
    assert len(locks) >= 6
    of_npm = [path.relative_to(ROOT) for path in ROOT.glob("lambda_src/*/package-lock.json")]
    for lock in (*locks, *of_npm, "package-lock.json", "Makefile"):
        assert any(Path("/", lock).match(pattern) for pattern in patterns), lock
    assert cache["key"].startswith(cache["restore-keys"])


def test_no_job_that_has_credentials_or_makes_what_is_deployed_installs_from_a_cache():
    """The job `update` executes what nobody has looked at, and could leave something in a cache for those."""
    found = {path.stem: yaml.safe_load(path.read_text())["jobs"] for path in WORKFLOWS}
    jobs = {(workflow, name): job for workflow, named in found.items() for name, job in named.items()}
    cached = {
        key
        for key, job in jobs.items()
        for step in job.get("steps", [])
        if step.get("with", {}).get("cache") == "true" or "actions/cache" in step.get("uses", "")
    }
    assert cached == {("check", "check")}
    assert jobs["check", "check"]["permissions"] == {"contents": "read"}
    action = yaml.safe_load((GITHUB / "actions/setup/action.yml").read_text())
    (cache,) = [step for step in action["runs"]["steps"] if "actions/cache" in step.get("uses", "")]
    assert (cache["if"], action["inputs"]["cache"]["default"]) == ("inputs.cache == 'true'", "false")


def test_each_job_has_a_limit_and_says_what_it_may_do():
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {}
        for name, job in workflow["jobs"].items():
            assert "permissions" in job, f"{path.name}: {name}"
            assert "uses" in job or job["timeout-minutes"] <= 120


def test_only_jobs_that_execute_nothing_of_a_pull_request_may_write():
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            writes = {scope for scope, access in job["permissions"].items() if access == "write"} - {"id-token"}
            scripts = "".join(step.get("run", "") for step in job.get("steps", []))
            assert not writes or not re.search(r"make|python|cdk", scripts), f"{path.name}: {name}"


def test_the_path_of_the_interpreter_that_the_workflows_use_is_the_makefiles():
    for path in WORKFLOWS:
        for used in re.findall(r"(\S+/python) -m", path.read_text()):
            assert used == ".venv/bin/python"
    assert Path(".venv/bin").as_posix() in (ROOT / "Makefile").read_text()

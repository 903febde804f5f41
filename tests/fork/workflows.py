"""Runs the workflows of .github here: every `run` as the Git host's runner would, every `uses` as far as it matters."""

import base64
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore import UNSIGNED
from botocore.config import Config

from stacks.deployment import AUDIENCE, ISSUER
from tests.conftest import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"
EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
# Actions that bring files or take them away: here, everything is in one folder.
FILES = {
    "actions/checkout",
    "actions/cache",
    "actions/setup-python",
    "actions/upload-artifact",
    "actions/download-artifact",
}
CREDENTIALS = "aws-actions/configure-aws-credentials"
SECONDS = 300
# GitHub's reference, "Workflow syntax", jobs.<job_id>.steps[*].shell: what is not said is not the same as bash.
SHELLS = {None: ["bash", "-e", "-c"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]}


def load(name: str) -> dict[str, Any]:
    """A workflow; the key `on` is what YAML calls true."""
    return yaml.safe_load((WORKFLOWS / f"{name}.yml").read_text())


def jobs() -> set[tuple[str, str]]:
    """Every job that has steps of its own."""
    return {
        (path.stem, job)
        for path in WORKFLOWS.glob("*.yml")
        for job, found in load(path.stem)["jobs"].items()
        if "steps" in found
    }


@dataclass
class Result:
    """How a job ended, what its steps printed, and its outputs."""

    status: int
    output: str
    outputs: dict[str, str]


@dataclass
class Runner:
    """A checkout, and the variables of a runner's environment."""

    checkout: Path
    repository: str
    variables: dict[str, str] = field(default_factory=dict)
    executed: set[tuple[str, str]] = field(default_factory=set)

    def run(self, workflow: str, job: str, *, event: str = "push", **context: Any) -> Result:
        """Run a job's steps up to the first that fails, and those that run `always()`."""
        found = load(workflow)
        assert found["permissions"] == {}, "a job is given what it says, and nothing else"
        self.executed.add((workflow, job))
        description = found["jobs"][job]
        context = {"steps": {}, "inputs": {}, "vars": {}, "github": {}, **context}
        environment, printed, status = {**self.variables, "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "1"}, [], 0
        for step in description["steps"]:
            if status != 0 and step.get("if") != "always()":
                continue
            if action := step.get("uses", "").partition("@")[0]:
                environment |= self._use(action, step, description, event, context)
                continue
            words = {name: str(evaluate(value, context)) for name, value in step.get("env", {}).items()}
            shell = step.get("shell", found.get("defaults", {}).get("run", {}).get("shell"))
            step_status, output, values = self._execute(step["run"], {**environment, **words}, shell)
            context["steps"][step.get("id")] = {"outputs": values}
            printed.append(output)
            status = status or step_status
        outputs = {name: evaluate(value, context) for name, value in description.get("outputs", {}).items()}
        return Result(status, "".join(printed), outputs)

    def _use(self, action: str, step: Any, job: Any, event: str, context: Any) -> dict[str, str]:
        if action.startswith("$/.github/actions/"):
            composite = yaml.safe_load((ROOT / action.removeprefix("$/") / "action.yml").read_text())
            for each in composite["runs"]["steps"]:
                if "run" in each:
                    status, output, _ = self._execute(each["run"], self.variables, each["shell"])
                    assert status == 0, output
                else:
                    assert each["uses"].partition("@")[0] in FILES
            return {}
        if action == CREDENTIALS:
            options = {name: evaluate(value, context) for name, value in step["with"].items()}
            assert job["permissions"]["id-token"] == "write"
            subject = "pull_request" if event == "pull_request" else "ref:refs/heads/main"
            if "environment" in job:
                subject = f"environment:{evaluate(job['environment'], context)}"
            return credentials(self.variables, options["role-to-assume"], f"repo:{self.repository}:{subject}")
        assert action in FILES, f"what does {action} do?"
        return {}

    def _execute(self, script: str, variables: dict[str, str], shell: str | None) -> tuple[int, str, dict[str, str]]:
        assert "${{" not in script, "an expression in a script is code that somebody else may write"
        output, summary = self.checkout / ".output", self.checkout / ".summary"
        output.write_text("")
        found = subprocess.run(
            [*SHELLS[shell], script],
            cwd=self.checkout,
            env={**variables, "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary), "CI": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        values = dict(line.partition("=")[::2] for line in output.read_text().splitlines())
        return found.returncode, found.stdout, values


def evaluate(value: Any, context: dict[str, Any]) -> Any:
    """A value with its expressions replaced: names with dots, and toJSON and fromJSON of one."""

    def one(expression: str) -> Any:
        if call := re.fullmatch(r"(toJSON|fromJSON)\((.+)\)", expression):
            return (json.dumps if call[1] == "toJSON" else json.loads)(one(call[2]))
        found: Any = context
        for part in expression.split("."):
            assert re.fullmatch(r"[\w-]+", part), f"the runner here does not know `{expression}`"
            found = found.get(part, "") if isinstance(found, dict) else ""
        return found

    if not isinstance(value, str):
        return value
    if whole := EXPRESSION.fullmatch(value):
        return one(whole[1])
    return EXPRESSION.sub(lambda found: str(one(found[1])), value)


def credentials(variables: dict[str, str], role: str, subject: str) -> dict[str, str]:
    """A session of a role for a token of the Git host with this subject; ClientError where it is not trusted."""
    claims = {"iss": f"https://{ISSUER}", "aud": AUDIENCE, "sub": subject}
    token = ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in ({}, claims)), "x"]
    )
    sts = boto3.session.Session().client(
        "sts",
        region_name=variables["AWS_REGION"],
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        config=Config(signature_version=UNSIGNED),
    )
    try:
        found = sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="workflow", WebIdentityToken=token)
    finally:
        sts.close()
    keys = {
        "AWS_ACCESS_KEY_ID": "AccessKeyId",
        "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
        "AWS_SESSION_TOKEN": "SessionToken",
    }
    return {name: found["Credentials"][key] for name, key in keys.items()}


def path_with(directory: Path, **programs: str) -> str:
    """A PATH on which these programs, as lines of a shell, come first."""
    directory.mkdir()
    for name, text in programs.items():
        program = directory / name.replace("_", "-")
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"

"""What a new library recommends must not cost data: its feature flags, tried on every template."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

from aws_cdk import App

from ci.diff import destructive
from ci.losses import STATEFUL
from stacks.stage import EnvironmentStage
from tests.conftest import ROOT

from .synthesis import FIXED, OPTIONS, context
from .test_checks import EXCEPTIONS, recommended


def assembly(directory: Path, flags, environments) -> Path:
    """What `cdk synth` would write with these flags; nothing is validated."""
    unbundled = {**flags, "aws:cdk:bundling-stacks": []}
    app = App(
        analytics_reporting=False, context=unbundled, outdir=str(directory), builtin_cloud_formation_validation=False
    )
    for environment in environments:
        EnvironmentStage(app, environment=environment)
    app.synth()
    return directory


def replaced(before: Path, after: Path):
    """What holds state and would not survive the change from one assembly to the other, as the CDK CLI says."""
    found = []
    for template in sorted(before.glob("assembly-*/*.template.json")):
        new = after / template.relative_to(before)
        if stateful(template) == stateful(new):
            continue
        environment, stack = template.parent.name.removeprefix("assembly-"), new.name[: -len("XXXXXXXX.template.json")]
        output = cdk_diff(template, after, f"{environment}/{stack.removeprefix(environment.replace('-', ''))}")
        found += [loss for loss in destructive(output) if loss.type in STATEFUL]
    return found


def stateful(template: Path):
    resources = json.loads(template.read_text())["Resources"]
    return {name: each for name, each in resources.items() if each["Type"] in STATEFUL}


def cdk_diff(template: Path, app: Path, stack: str) -> str:
    command = [ROOT / "node_modules/.bin/cdk", "diff", stack, "--app", app, "--template", template, "--exclusively"]
    command += ["--no-color", "--fail-on", "destructive"]
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "CDK_DISABLE_CLI_TELEMETRY": "true", "PATH": path}
    done = subprocess.run(command, cwd=app, env=variables, capture_output=True, text=True, check=False)
    assert "Number of stacks with differences" in done.stdout + done.stderr, done.stderr
    return done.stdout + done.stderr


def test_no_recommended_flag_of_the_installed_library_replaces_what_holds_state(tmp_path):
    then = recommended() | EXCEPTIONS
    if then == context():
        return  # the same flags: the same templates
    environments = [*FIXED, *OPTIONS]
    now = assembly(tmp_path / "now", context(), environments)
    found = replaced(now, assembly(tmp_path / "then", then, environments))
    assert not found, "give the flag its old value in EXCEPTIONS, with the reason:\n" + "\n".join(map(str, found))


def test_what_would_be_replaced_is_found(tmp_path):
    """No flag of today's does that to these templates, so a property does here that no update can change."""
    environment = FIXED[0]
    other = replace(environment, store=replace(environment.store, master_user="another"))
    before, after = (assembly(tmp_path / name, context(), [each]) for name, each in (("a", environment), ("b", other)))
    assert "AWS::RDS::DBInstance" in {loss.type for loss in replaced(before, after)}
    assert replaced(before, before) == []

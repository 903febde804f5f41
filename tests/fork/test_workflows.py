"""Every script of the workflows, executed: against the local AWS, with sessions that the deployed roles give out."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from ci.assembly import STACK
from ci.environments import account_variable, matrix
from local.up.aws import ACCOUNT, Account
from tests.conftest import ROOT
from tests.environments import DEV, ENVIRONMENTS
from tests.fork.workflows import Runner, credentials, jobs, path_with
from tests.local.aws_emulator import running_emulator

REPOSITORY = "octo-org@1/octo-repo@2"
# The CLI is started many times, and what it validates has no bearing here.
QUICK = {"CDK_VALIDATION": "false"}
COPIED = ("Makefile", "cdk.json", "package.json", "package-lock.json", "pyproject.toml", "requirements-dev.txt")
# A small service with a table, so that each step takes seconds; the roles are the template's own.
APP = f"""
import aws_cdk as cdk
from aws_cdk import aws_dynamodb, aws_ssm

from stacks.deployment import DeploymentStage
from stacks.environments import DEV, ENVIRONMENTS

KEY = "id"
app = cdk.App(analytics_reporting=False)
stage = cdk.Stage(app, DEV.name, env=cdk.Environment(region=DEV.region))
data = cdk.Stack(stage, "Data", stack_name="{DEV.prefix}-data")
table = aws_dynamodb.TableV2(
    data, "Table", partition_key=aws_dynamodb.Attribute(name=KEY, type=aws_dynamodb.AttributeType.STRING)
)
service = cdk.Stack(stage, "Service", stack_name="{DEV.prefix}-service")
aws_ssm.StringParameter(service, "Name", string_value=table.table_name)
DeploymentStage(app, repository="{REPOSITORY}", environments=ENVIRONMENTS)
app.synth()
"""


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with running_emulator(tmp_path_factory.mktemp("workflows")) as emulator:
        yield Account(int(emulator.endpoint.rpartition(":")[2]), emulator.state, DEV)


@pytest.fixture(scope="module")
def runner(account, tmp_path_factory):
    """A checkout of the project, but with a small app, and a bootstrapped account."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        shutil.copy2(ROOT / name, checkout)
    for name in ("ci", "stacks", ".github", ".ci"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tests" / "environments.py", checkout / "stacks")
    for name in (".venv", ".venv-emulator", "node_modules", "requirements-node.txt", "local", "lambda_src"):
        (checkout / name).symlink_to(ROOT / name)
    (checkout / "app.py").write_text(APP)
    bootstrap(account)
    return Runner(checkout, REPOSITORY, {**account.cdk_environment(), **QUICK})


def bootstrap(account):
    command = [ROOT / "node_modules" / ".bin" / "cdk", "bootstrap", f"aws://{ACCOUNT}/{account.region}"]
    variables = account.cdk_environment()
    found = subprocess.run(command, cwd=account.state, env=variables, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


@pytest.fixture(scope="module")
def synthesized(runner, account):
    """The environments that the job `synth` gives to the others, in an account that has their roles."""
    result = runner.run("synth", "synth", vars={account_variable(DEV.name): ACCOUNT})
    assert result.status == 0, result.output
    cloudformation = account.client("cloudformation")
    stacks = json.loads((runner.checkout / "cdk.out/assembly-deployment/manifest.json").read_text())["artifacts"]
    for stack in (each["properties"] for each in stacks.values() if each["type"] == STACK):
        template = (runner.checkout / "cdk.out/assembly-deployment" / stack["templateFile"]).read_text()
        capabilities = ["CAPABILITY_NAMED_IAM"]
        cloudformation.create_stack(StackName=stack["stackName"], TemplateBody=template, Capabilities=capabilities)
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=stack["stackName"], WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
    return json.loads(result.outputs["environments"])


@pytest.fixture(scope="module")
def deployed(runner, synthesized):
    """The environment, as the job `deploy` deploys it."""
    (environment,) = synthesized
    result = runner.run("deploy", "deploy", matrix={"environment": environment})
    assert result.status == 0, result.output
    return environment


@pytest.fixture(scope="module")
def assemblies(runner, deployed):
    """What was deployed, and what a change makes of it after which the table is another one."""
    now, other, app = (runner.checkout / name for name in ("cdk.out", "other.out", "app.py"))
    now.rename(runner.checkout / "deployed.out")
    app.write_text(APP.replace('KEY = "id"', 'KEY = "other"'))
    assert runner.run("synth", "synth").status == 0
    now.rename(other)
    (runner.checkout / "deployed.out").rename(now)
    return now, other


@pytest.fixture
def another_table(assemblies, deployed):
    """The environment, where what is synthesized would replace its table."""
    now, other = assemblies
    kept = now.rename(now.with_name("kept.out"))
    other.rename(now)
    yield deployed
    now.rename(other)
    kept.rename(now)


def pull_request(runner, environment, text=""):
    github = {"event": {"pull_request": {"body": text}}}
    result = runner.run("diff", "diff", event="pull_request", matrix={"environment": environment}, github=github)
    return result, (runner.checkout / "comments" / f"{environment['name']}.md").read_text()


def physical_id(account, stack, kind):
    resources = account.client("cloudformation").describe_stack_resources(StackName=f"{DEV.prefix}-{stack}")
    (found,) = [each for each in resources["StackResources"] if each["ResourceType"] == kind]
    return found["PhysicalResourceId"]


def key_of(account):
    """The name of the key of the table that the stack has now."""
    name = physical_id(account, "data", "AWS::DynamoDB::GlobalTable")
    return account.client("dynamodb").describe_table(TableName=name)["Table"]["KeySchema"][0]["AttributeName"]


def test_an_environment_takes_part_once_its_account_is_known(synthesized):
    (environment,) = synthesized
    assert environment["name"] == DEV.name
    assert environment["deploy"].startswith(f"arn:aws:iam::{ACCOUNT}:role/{DEV.prefix}")
    assert matrix(ENVIRONMENTS, {}) == []


def test_an_account_is_twelve_digits():
    with pytest.raises(SystemExit, match=r"AWS_ACCOUNT_DEV is '12', allowed is an account's 12 digits"):
        matrix([replace(DEV, name="dev")], {"AWS_ACCOUNT_DEV": "12"})


def test_a_deployment_is_prepared_read_and_executed_and_a_second_one_finds_nothing_to_do(runner, deployed, account):
    stacks = account.client("cloudformation").describe_stacks()["Stacks"]
    assert {each["StackStatus"] for each in stacks if each["StackName"].startswith(f"{DEV.prefix}-")} == {
        "CREATE_COMPLETE"
    }
    result = runner.run("deploy", "deploy", matrix={"environment": deployed})
    assert result.status == 0, result.output
    assert f"{DEV.prefix}-data: nothing changes" in result.output
    assert f"{DEV.prefix}-service: nothing changes" in result.output


def test_a_replaced_table_fails_its_pull_request_until_a_line_accepts_it(runner, another_table, account):
    result, comment = pull_request(runner, another_table, text="I only renamed something")
    assert result.status == 1
    (line,) = [line for line in comment.splitlines() if line.startswith("Accept: ")]
    assert f"`{line.removeprefix('Accept: ')}` AWS::DynamoDB::GlobalTable | **will be replaced** |" in comment
    assert '"AttributeName": "other"' in comment  # the diff itself
    result, comment = pull_request(runner, another_table, text=f"We need it.\n\n{line}\n")
    assert result.status == 0, result.output
    assert "| yes |" in comment


def test_a_replacement_is_not_deployed_until_somebody_names_it(runner, another_table, account):
    result = runner.run("deploy", "deploy", matrix={"environment": another_table})
    assert result.status != 0
    assert "was not executed" in result.output
    assert key_of(account) == "id"
    name = re.search(r"start this workflow by hand with\n  (\S+)\n", result.output)[1]
    inputs = {"environment": DEV.name, "accept": name}
    result = runner.run(
        "deploy", "deploy", event="workflow_dispatch", inputs=inputs, matrix={"environment": another_table}
    )
    assert result.status == 0, result.output
    assert key_of(account) == "other"


def test_drift_is_found(runner, deployed, account):
    parameter = physical_id(account, "service", "AWS::SSM::Parameter")
    account.client("ssm").put_parameter(Name=parameter, Value="by hand", Type="String", Overwrite=True)
    result = runner.run("drift", "drift", event="schedule", matrix={"environment": deployed})
    assert result.status != 0
    assert "by hand" in result.output


@pytest.mark.parametrize(
    ("role", "subject"),
    [
        ("deploy", f"repo:{REPOSITORY}:pull_request"),
        ("deploy", f"repo:{REPOSITORY}:ref:refs/heads/main"),
        ("deploy", f"repo:{REPOSITORY}:environment:prod"),
        ("read", f"repo:{REPOSITORY}:ref:refs/heads/another"),
        ("read", "repo:octo-org@1/octo-repo@22:pull_request"),
    ],
)
def test_nobody_else_gets_a_session_of_a_role(runner, synthesized, role, subject):
    (environment,) = synthesized
    with pytest.raises(ClientError, match="AccessDenied"):
        credentials(runner.variables, environment[role], subject)


def test_the_role_that_reads_deploys_nothing(runner, deployed, another_table):
    keys = credentials(runner.variables, deployed["read"], f"repo:{REPOSITORY}:pull_request")
    found = subprocess.run(
        [ROOT / ".venv" / "bin" / "python", "-m", "ci.deploy", DEV.name],
        cwd=runner.checkout,
        env={**runner.variables, **keys},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode != 0
    assert "could not be used to assume" in found.stdout
    assert "deploy-role" in found.stdout


def test_the_comment_of_all_environments_is_one_and_is_edited(runner, tmp_path):
    # The list of comments is what the file says; everything else that is asked of gh is printed.
    path = path_with(tmp_path / "bin", gh='case "$*" in *--paginate*) cat ids;; *) echo "gh $*"; cat comment.md;; esac')
    there = Runner(tmp_path, REPOSITORY, {"PATH": path}, runner.executed)
    (tmp_path / "comments").mkdir()
    for name in ("dev", "prod"):
        (tmp_path / "comments" / f"{name}.md").write_text(f"### {name}\n")
    text = "<!-- diff -->\n### dev\n### prod\n"
    github = {"repository": "octo/repo", "event": {"pull_request": {"number": 5}}}
    (tmp_path / "ids").write_text("")
    assert there.run("diff", "comment", github=github).output == f"gh pr comment 5 --body-file comment.md\n{text}"
    (tmp_path / "ids").write_text("71\n72\n")
    edited = "gh api --silent --method PATCH repos/octo/repo/issues/comments/71 --field body=@comment.md"
    assert there.run("diff", "comment", github=github).output == f"{edited}\n{text}"


def test_a_push_runs_the_static_gate_and_the_tests(runner, tmp_path):
    path = path_with(tmp_path / "bin", make='echo "make $@"', apt_get="true")
    there = Runner(runner.checkout, REPOSITORY, {"PATH": path}, runner.executed)
    assert there.run("check", "check").output == "make check\nmake test\nmake test-fork\n"


def git(directory, *words):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    return subprocess.run(["git", *identity, *words], cwd=directory, capture_output=True, text=True, check=True).stdout


def test_an_update_moves_library_and_cli_together_and_is_proposed_as_a_branch(runner, tmp_path):
    origin, checkout = tmp_path / "origin.git", tmp_path / "checkout"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    git(tmp_path, "clone", "--quiet", str(origin), str(checkout))
    for name in ("ci", "stacks"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    project, package = ((ROOT / name).read_text() for name in ("pyproject.toml", "package.json"))
    (checkout / "pyproject.toml").write_text(re.sub(r"aws-cdk-lib==[\d.]+", "aws-cdk-lib==2.260.0", project))
    old = json.loads(package)
    old["dependencies"]["aws-cdk"] = "2.1140.0"
    (checkout / "package.json").write_text(json.dumps(old, indent=2) + "\n")
    (checkout / ".gitignore").write_text(".venv\nupdate.patch\n__pycache__\n.output\n")
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "-m", "first")
    git(checkout, "push", "--quiet", "origin", "HEAD:main")
    path = path_with(
        tmp_path / "bin", make='echo "make $@"; touch "new-$1"', gh='test "$2" = list && echo 0 || echo "gh $@"'
    )
    variables = {**os.environ, "PATH": path, "RUNNER_TEMP": str(checkout)}
    there = Runner(checkout, REPOSITORY, variables, runner.executed)

    result = there.run("update", "update")
    if result.status != 0 and "ended with" in result.output and not os.environ.get("CI"):
        runner.executed.add(("update", "propose"))
        pytest.skip(f"the registries are not reachable from here: {result.output[-200:]}")
    assert result.status == 0, result.output
    assert "make lock\nmake synth snapshot runbook\n" in result.output
    git(checkout, "reset", "--quiet", "--hard")

    result = there.run("update", "propose")
    assert result.status == 0, result.output
    assert "gh pr create --head update" in result.output
    assert "gh workflow run check.yml --ref update" in result.output
    assert "aws-cdk-lib==2.260.0" not in git(origin, "show", "update:pyproject.toml")
    assert git(origin, "ls-tree", "--name-only", "update", "new-lock", "new-synth") == "new-lock\nnew-synth\n"
    cli = json.loads(git(origin, "show", "update:package.json"))["dependencies"]["aws-cdk"]
    assert cli.startswith("2.")
    assert cli != "2.1140.0"


def test_every_job_was_run(runner, request):
    """Last in this file: what the tests before it executed is every job that has steps."""
    ran = {item.originalname for item in request.session.items if item.path == Path(__file__)}
    if len(ran) < sum(name.startswith("test_") for name in globals()):
        pytest.skip("only with all the tests of this file")
    assert runner.executed == jobs()

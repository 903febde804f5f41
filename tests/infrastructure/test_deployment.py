"""Who may deploy: the Git host's workflows, and nothing but what `cdk bootstrap` has roles for."""

import json

import pytest
from aws_cdk import App

from app import build
from stacks.deployment import AUDIENCE, ISSUER, DeploymentStage
from tests.environments import ENVIRONMENTS, SERVICE

from .snapshots import DIRECTORY_OF_DEPLOYMENT, differences, texts
from .synthesis import REPOSITORY, context, deployment_templates, of_type


@pytest.fixture(scope="module")
def found():
    return deployment_templates()


def roles(template):
    return {each["Properties"]["RoleName"]: each["Properties"] for each in of_type(template, "AWS::IAM::Role").values()}


def test_the_templates_are_those_that_were_reviewed(found):
    for name, text in texts(found).items():
        path = DIRECTORY_OF_DEPLOYMENT / name
        found_differences = differences(path.read_text() if path.exists() else "", text, name)
        assert not found_differences, f"if this is meant, `make snapshot` and review:\n{found_differences}"
    assert {path.name for path in DIRECTORY_OF_DEPLOYMENT.iterdir()} == texts(found).keys()


def test_there_is_nothing_of_it_until_a_repository_is_named():
    app = build(ENVIRONMENTS[:1], repository=None, context={**context(), "aws:cdk:bundling-stacks": []})
    assert app.node.try_find_child("deployment") is None


def test_the_environment_local_is_not_deployed_from_the_git_host(found):
    assert {stack for _, stack in found} == {"provider"} | {each.name for each in ENVIRONMENTS if each.name != "local"}


def test_an_account_trusts_the_git_host_once_and_keeps_doing_so(found):
    (provider,) = of_type(found["deployment", "provider"], "AWS::IAM::OIDCProvider").values()
    assert provider["Properties"] == {"ClientIdList": [AUDIENCE], "Url": f"https://{ISSUER}"}
    assert provider["DeletionPolicy"] == "Retain"


@pytest.mark.parametrize("environment", [each for each in ENVIRONMENTS if each.name != "local"], ids=lambda e: e.name)
def test_a_role_trusts_jobs_of_one_repository_and_one_environment(found, environment):
    subjects = {
        f"{SERVICE}-{environment.name}-deploy": [f"environment:{environment.name}"],
        f"{SERVICE}-{environment.name}-read": ["pull_request", "ref:refs/heads/main"],
    }
    trusted = roles(found["deployment", environment.name])
    assert trusted.keys() == subjects.keys()
    for name, role in trusted.items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        conditions = statement["Condition"].pop("StringEquals")
        assert not statement["Condition"]
        sub = conditions.pop(f"{ISSUER}:sub")
        assert ([sub] if isinstance(sub, str) else sub) == [f"repo:{REPOSITORY}:{each}" for each in subjects[name]]
        assert conditions == {f"{ISSUER}:aud": AUDIENCE}


@pytest.mark.parametrize("environment", [each for each in ENVIRONMENTS if each.name != "local"], ids=lambda e: e.name)
def test_a_role_may_only_assume_roles_of_the_bootstrap_in_its_region(found, environment):
    template = found["deployment", environment.name]
    policies = [each["Properties"] for each in of_type(template, "AWS::IAM::Policy").values()]
    may = {}
    for policy in policies:
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        (role,) = policy["Roles"]
        may[template["Resources"][role["Ref"]]["Properties"]["RoleName"]] = [text(each) for each in resources]
    arn = f"arn:aws:iam::<account>:role/cdk-hnb659fds-{{}}-role-<account>-{environment.region}"
    assert may == {
        f"{SERVICE}-{environment.name}-deploy": [arn.format(each) for each in ("deploy", "file-publishing", "lookup")],
        f"{SERVICE}-{environment.name}-read": [arn.format("lookup")],
    }
    for role in roles(template).values():
        assert "Policies" not in role
        assert "ManagedPolicyArns" not in role


def text(joined):
    return "".join(part if isinstance(part, str) else "<account>" for part in joined["Fn::Join"][1])


def test_another_qualifier_of_the_bootstrap_is_followed():
    app = App(context={"@aws-cdk/core:bootstrapQualifier": "ours"})
    stage = DeploymentStage(app, repository=REPOSITORY, environments=ENVIRONMENTS[:1])
    (stack,) = stage.roles.values()
    assert "role/cdk-ours-deploy-role-" in json.dumps(stage.synth().get_stack_by_name(stack.stack_name).template)


@pytest.mark.parametrize("repository", ["", "name", "owner/*", "https://github.com/owner/name", "owner/name:ref"])
def test_what_is_no_repository_is_refused(repository):
    with pytest.raises(ValueError, match=r"REPOSITORY: it is .*, allowed is owner/name"):
        DeploymentStage(App(), repository=repository, environments=ENVIRONMENTS)


def test_the_validators_see_these_stacks_too(app):
    """tests/infrastructure/test_checks.py has them find nothing in this app."""
    assert {each.node.id for each in app.node.find_child("deployment").node.children} >= {"provider", "prod"}

"""Each grant in the templates is needed: without it the request or the deployment that needs it is denied.

That all of them together are enough is what every other rehearsal shows. Not enforced here, and so not shown: what
Lambda itself does with a role (network interfaces, logs, X-Ray).
"""

import json
from contextlib import contextmanager

import psycopg
import pytest

from stacks.service import FUNCTION
from tests.environments import PROD
from tests.rehearsal.shapes import wait_until

MIGRATIONS = "lambda_src.migrations.handler.handler"


@contextmanager
def without(shapes, name, stack, role, action, of=""):
    """Take an action (on resources whose ARN ends with `of`) from a role of the deployed stack, and give it back."""
    iam = shapes.client("iam")
    (role_name,) = [
        physical
        for logical, physical in shapes.resources(name, stack, "AWS::IAM::Role").items()
        if logical.startswith(role)
    ]
    policies = iam.list_role_policies(RoleName=role_name)["PolicyNames"]
    originals = {each: iam.get_role_policy(RoleName=role_name, PolicyName=each)["PolicyDocument"] for each in policies}
    reduced = {each: less(document, action, of) for each, document in originals.items()}
    assert reduced != originals, f"{role_name} has no {action}"
    try:
        for policy, document in reduced.items():
            if document["Statement"]:
                iam.put_role_policy(RoleName=role_name, PolicyName=policy, PolicyDocument=json.dumps(document))
            else:
                iam.delete_role_policy(RoleName=role_name, PolicyName=policy)
        yield
    finally:
        for policy, document in originals.items():
            iam.put_role_policy(RoleName=role_name, PolicyName=policy, PolicyDocument=json.dumps(document))


def less(document, action, of):
    statements = []
    for statement in document["Statement"]:
        actions, resources = listed(statement["Action"]), listed(statement["Resource"])
        if statement["Effect"] == "Allow" and action in actions:
            kept = [each for each in resources if of and not each.endswith(of)]
            if kept:
                statements.append({**statement, "Resource": kept})
            actions = [each for each in actions if each != action]
        if actions:
            statements.append({**statement, "Action": actions})
    return {**document, "Statement": statements}


def listed(value):
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_without_its_grant_the_functions_role_does_not_get_into_the_proxy(shapes, name):
    assert shapes.request(name, "GET", "/health")[0] == 200
    found = shapes.resources(name, "service", "AWS::IAM::Role")
    (role,) = [physical for logical, physical in found.items() if logical.startswith(f"{FUNCTION}Role")]
    with (
        without(shapes, name, "service", f"{FUNCTION}Role", "rds-db:connect"),
        pytest.raises(psycopg.OperationalError, match="IAM authentication failed for the role application"),
    ):
        shapes.log_in_to_the_proxy(name, role)
    shapes.log_in_to_the_proxy(name, role)


@pytest.mark.parametrize(("name", "action"), [("dev", "secretsmanager:GetSecretValue"), ("prod", "rds-db:connect")])
def test_without_its_grant_the_proxys_role_does_not_get_into_the_database(shapes, name, action):
    with without(shapes, name, "data", "ProxyRole", action):
        shapes.drop_server_connections(name)
        status, problem = shapes.request(name, "GET", "/health")
        assert (status, problem.get("type")) == (503, "/problems/database-unavailable")
    wait_until(lambda: shapes.request(name, "GET", "/health")[0] == 200)


@pytest.mark.parametrize(
    ("name", "action", "of", "reason"),
    [
        ("dev", "secretsmanager:GetSecretValue", "", "AccessDenied"),
        ("prod", "rds-db:connect", f"/{PROD.master_user}", f'PAM authentication failed for user "{PROD.master_user}"'),
        ("prod", "rds-db:connect", "/migrator", 'PAM authentication failed for user "migrator"'),
    ],
)
def test_without_a_grant_migrations_fail_with_what_is_missing(shapes, name, action, of, reason):
    functions, migrate = shapes.client("lambda"), shapes.function(name, MIGRATIONS)
    with without(shapes, name, "data", "MigrationsMigrateRole", action, of):
        answer = functions.invoke(FunctionName=migrate)
        assert reason in json.load(answer["Payload"])["errorMessage"]
    answer = functions.invoke(FunctionName=migrate)
    assert json.load(answer["Payload"]) == {"applied": []}


@pytest.mark.parametrize("action", ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"])
def test_without_a_grant_a_rotation_fails_and_the_next_one_with_it_succeeds(shapes, action):
    secrets = shapes.client("secretsmanager")
    found = shapes.resources("dev", "data", "AWS::SecretsManager::Secret")
    (arn,) = [physical for logical, physical in found.items() if "Application" in logical]
    log = shapes.log
    told = len(log.read_text())
    with without(shapes, "dev", "data", "RotationRotateRole", f"secretsmanager:{action}"):
        secrets.rotate_secret(SecretId=arn)
        wait_until(lambda: "failed at" in log.read_text()[told:])
    assert f"is not authorized to perform: secretsmanager:{action}" in log.read_text()[told:]
    shapes.drop_server_connections("dev")
    assert shapes.request("dev", "GET", "/health")[0] == 200
    token = secrets.rotate_secret(SecretId=arn)["VersionId"]
    wait_until(lambda: secrets.get_secret_value(SecretId=arn)["VersionId"] == token)
    shapes.drop_server_connections("dev")
    assert shapes.request("dev", "GET", "/health")[0] == 200

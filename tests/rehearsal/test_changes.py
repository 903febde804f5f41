"""A deployed environment is changed while it serves: passwords, pool, schema, credentials."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local import resource
from local.up.aws import ACCESS_KEY, SECRET
from tests.environments import DEV
from tests.rehearsal.shapes import app_of, copy_of_sources, wait_until
from tests.service import HANDLER, event

# What CloudFormation says to the second: the stack is at work, or what was prepared for it is not what it was.
REFUSALS = ("IN_PROGRESS", "InvalidChangeSetStatus", "ChangeSetNotFound", "does not exist", "already exists")
WITH_IAM = 'store=replace(environments.DEV.store, instance="t4g.medium", credentials="iam")'
PAUSE_SECONDS = 0.1
PERCENT = DEV.budget.max_connections_percent


def pool(percent):
    pool = "replace(environments.DEV.store.pool, max_connections_percent={})"
    return f"store=replace(environments.DEV.store, pool={pool.format(percent)})"


LESS, LEAST = pool(PERCENT - 5), pool(PERCENT - 6)


@pytest.fixture(scope="module", autouse=True)
def apps(shapes):
    """What is deployed here, synthesized together."""
    shapes.synthesize(*(app_of("dev", change=each) for each in (LESS, LEAST, WITH_IAM)))


def percent_of(shapes):
    rds = shapes.client("rds")
    (name,) = shapes.resources("dev", "data", "AWS::RDS::DBProxy").values()
    (group,) = rds.describe_db_proxy_target_groups(DBProxyName=name)["TargetGroups"]
    return group["ConnectionPoolConfig"]["MaxConnectionsPercent"]


def test_beyond_reserved_concurrency_lambda_answers_429(shapes):
    functions = boto3.client(
        "lambda",
        endpoint_url=shapes.account.endpoint,
        region_name=shapes.account.region,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET,
        config=Config(max_pool_connections=20, retries={"total_max_attempts": 1}),
    )
    function, beyond = shapes.function("dev", HANDLER), 3

    def invoke(_):
        try:
            functions.invoke(FunctionName=function, Payload=request)
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
        return 200, None

    request = json.dumps(event("GET", resource.path("acme"), None))
    # Whoever was let in waits for the table until its deadline: all of them at once.
    with shapes.database("dev") as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {resource.TABLE}")
        with ThreadPoolExecutor(DEV.api.reserved_concurrency + beyond) as threads:
            answers = list(threads.map(invoke, range(DEV.api.reserved_concurrency + beyond)))
    assert answers.count((429, "TooManyRequestsException")) == beyond
    assert answers.count((200, None)) == DEV.api.reserved_concurrency
    functions.close()


def rotate(secrets, arn):
    token = secrets.rotate_secret(SecretId=arn)["VersionId"]
    wait_until(lambda: secrets.get_secret_value(SecretId=arn)["VersionId"] == token)


def test_a_rotation_under_load_fails_no_request(shapes):
    secrets = shapes.client("secretsmanager")
    with shapes.load("dev") as answers:
        for arn in shapes.resources("dev", "data", "AWS::SecretsManager::Secret").values():
            rotate(secrets, arn)
    assert answers.keys() == {200, 201}, answers
    shapes.drop_server_connections("dev")  # and with the new password the proxy gets in
    assert shapes.request("dev", "GET", "/health")[0] == 200


def test_a_rotation_fails_no_request_even_when_the_pool_must_log_in_again_meanwhile(shapes):
    secrets = shapes.client("secretsmanager")
    found = shapes.resources("dev", "data", "AWS::SecretsManager::Secret")
    (arn,) = [physical for logical, physical in found.items() if "Application" in logical]
    with shapes.load("dev", writes=False) as answers:
        token = secrets.rotate_secret(SecretId=arn)["VersionId"]

        def is_over():
            shapes.drop_server_connections("dev")
            return secrets.get_secret_value(SecretId=arn)["VersionId"] == token

        wait_until(is_over)
        shapes.drop_server_connections("dev")
    assert answers.keys() == {200}, answers


def test_another_pool_percentage_is_all_that_changes_in_what_holds_data(shapes):
    assert shapes.diff("dev") == []
    changes = shapes.diff("dev", LESS)
    assert [each for each in changes if each.startswith("Data")] == ["Data: [~] AWS::RDS::DBProxyTargetGroup"]
    # the alarms and the dashboard have the pool in their numbers
    others = {each.split()[-1] for each in changes if each.startswith("Service")}
    assert others <= {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"}
    shapes.deploy("dev", change=LESS)
    assert percent_of(shapes) == PERCENT - 5
    assert shapes.request("dev", "GET", "/health")[0] == 200
    shapes.deploy("dev")
    assert percent_of(shapes) == PERCENT


def test_a_migration_that_fails_is_rolled_back_and_the_old_version_keeps_serving(shapes, tmp_path):
    sources = copy_of_sources(shapes.sources, tmp_path / "sources")
    bad = sources / "lambda_src" / "migrations" / "sql" / "9001_half.sql"
    bad.write_text("CREATE TABLE half ();\n\nSELECT 1 / 0;\n")
    shapes.synthesize(app_of("dev"), sources=sources)
    with shapes.load("dev", pause_seconds=PAUSE_SECONDS) as answers:
        status, output = shapes.try_to_deploy("dev", sources=sources)
    assert status != 0
    assert "9001_half.sql:3: division by zero [22012]" in output
    assert shapes.stack_status("dev", "data") == "UPDATE_ROLLBACK_COMPLETE"
    assert answers.keys() <= {200, 201, 503}, answers
    assert answers[503] < answers[200] / 20, answers  # none, but for a machine that is busy for seconds
    with shapes.database("dev") as connection:
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)
    shapes.deploy("dev")
    assert shapes.request("dev", "GET", "/health")[0] == 200


def test_of_two_deployments_at_once_one_goes_through_and_the_other_does_or_is_refused(shapes):
    found = []

    def deploy(change, name):
        # With one name for both change sets, a CLI was seen to poll the local AWS without end.
        found.append(shapes.try_to_deploy("dev", change=change, change_set=name))

    threads = [threading.Thread(target=deploy, args=given) for given in ((LESS, "first"), (LEAST, "second"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 in [status for status, _ in found], found
    for status, output in found:
        assert status == 0 or any(each in output for each in REFUSALS), output
    assert shapes.request("dev", "GET", "/health")[0] == 200
    shapes.deploy("dev")
    assert percent_of(shapes) == PERCENT


@pytest.mark.parametrize("credentials", ["iam", "secrets"])
def test_credentials_are_switched_under_load_and_nothing_is_lost(shapes, credentials):
    """There and back: docs/credentials.md. A proxy that must log in between two steps makes its callers wait."""
    status, made = shapes.request("dev", "POST", resource.path("switch"), resource.body(credentials))
    assert status == 201
    with shapes.load("dev", pause_seconds=PAUSE_SECONDS) as answers:
        shapes.deploy("dev", change=WITH_IAM if credentials == "iam" else "")
    assert answers.keys() <= {200, 201, 503}, answers
    shapes.drop_server_connections("dev")
    wait_until(lambda: shapes.request("dev", "GET", "/health")[0] == 200)
    assert shapes.request("dev", "GET", resource.path("switch", made["id"])) == (200, made)
    with shapes.database("dev") as connection:
        passwords = connection.execute("SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL ORDER BY 1")
        expected = [] if credentials == "iam" else [("application",), (DEV.master_user,)]
        assert passwords.fetchall() == expected
    assert len(shapes.resources("dev", "data", "AWS::SecretsManager::Secret")) == len(expected)

"""An environment's life: deployed in its first release, upgraded with its data, destroyed; or kept, whoever asks."""

import shutil

import pytest
from botocore.exceptions import ClientError

from lambda_src.api.ids import new_id
from lambda_src.migrations.handler import MIGRATIONS
from local import resource
from tests.copies import first_release
from tests.environments import DEV, SERVICE
from tests.rehearsal.shapes import app_of, wait_until

# With the names of today: a fork has its own, its own tables too, and its first release had this template's.
FIRST = (
    f'name="first", cidr="10.40.0.0/20", service="{SERVICE}", region="{DEV.region}", '
    f'store=replace(environments.DEV.store, master_user="{DEV.master_user}")'
)


def test_an_environment_of_the_first_release_is_upgraded_with_its_data_and_destroyed_without_a_trace(shapes, tmp_path):
    first_release(tmp_path)
    if resource.TABLE != "project":  # the sample was replaced
        tables = tmp_path / "lambda_src" / "migrations" / "sql"
        shutil.rmtree(tables)
        shutil.copytree(MIGRATIONS, tables)
    shapes.deploy("first", change=FIRST, sources=tmp_path)
    assert shapes.request("first", "GET", "/health")[0] == 200
    id = new_id()
    with shapes.database("first") as connection:
        connection.execute(resource.ADD, {"tenant": "acme", "id": id, "text": "old"})
    before = shapes.resources("first", "data", "AWS::RDS::DBInstance")

    shapes.deploy("first", change=FIRST)
    assert shapes.resources("first", "data", "AWS::RDS::DBInstance") == before
    wait_until(lambda: shapes.request("first", "GET", "/health")[0] == 200)
    status, found = shapes.request("first", "GET", resource.path("acme", id))
    assert (status, found[resource.TEXT]) == (200, "old")
    assert shapes.diff("first", FIRST) == []

    status, output = shapes.cdk("destroy", "first/*", "--force", environments=app_of("first", change=FIRST))
    assert status == 0, output
    assert left_of(shapes, "first") == []


def left_of(shapes, name):
    """What still has the environment's name, but for the log groups that functions of CDK's own write to."""
    client, prefix = shapes.client, f"{SERVICE}-{name}-"
    names = [
        *(each["FunctionName"] for each in client("lambda").list_functions()["Functions"]),
        *(each["RoleName"] for each in client("iam").list_roles(MaxItems=1000)["Roles"]),
        *(each["Name"] for each in client("secretsmanager").list_secrets()["SecretList"]),
        *(each["DBInstanceIdentifier"] for each in client("rds").describe_db_instances()["DBInstances"]),
        *(each["DBProxyName"] for each in client("rds").describe_db_proxies()["DBProxies"]),
        *(each["logGroupName"] for each in client("logs").describe_log_groups()["logGroups"]),
        *(each["Name"] for each in client("apigatewayv2").get_apis()["Items"]),
        *(path.name for path in (shapes.account.state / "rds").iterdir()),
    ]
    return [each for each in names if prefix in each and not each.startswith("/aws/lambda/")]


def test_an_environment_that_is_kept_refuses_to_go_twice_and_keeps_its_database(shapes):
    status, made = shapes.request("staging", "POST", resource.path("acme"), resource.body("kept"))
    assert status == 201
    status, output = shapes.cdk("destroy", "staging/*", "--force", environments=app_of("staging"))
    assert status != 0
    assert "TerminationProtection" in output

    cloudformation = shapes.client("cloudformation")
    for stack in ("service", "data"):
        cloudformation.update_termination_protection(
            StackName=f"{SERVICE}-staging-{stack}", EnableTerminationProtection=False
        )
    status, output = shapes.cdk("destroy", "staging/*", "--force", environments=app_of("staging"))
    assert status != 0
    assert "Cannot delete protected DB Instance" in output
    assert shapes.stack_status("staging", "data") == "DELETE_FAILED"
    with pytest.raises(ClientError, match="does not exist"):
        shapes.stack_status("staging", "service")
    with shapes.database("staging") as connection:
        assert shapes.text_of(connection, made["id"]) == "kept"

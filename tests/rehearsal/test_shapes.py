"""Every environment is deployed as it is, and answers."""

import pytest

from local import resource
from tests.environments import DEV
from tests.rehearsal.shapes import SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_an_environment_answers_through_all_of_its_parts(shapes, name):
    status, made = shapes.request(name, "POST", resource.path("acme"), resource.body("first"))
    assert status == 201, made
    assert shapes.request(name, "GET", resource.path("acme", made["id"])) == (200, made)
    with shapes.database(name) as connection:
        assert shapes.text_of(connection, made["id"]) == "first"
        others = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
        users = connection.execute(f"SELECT DISTINCT usename FROM pg_stat_activity WHERE {others}").fetchall()
    assert users == [("application",)]


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_with_iam_no_password_exists(shapes, name):
    with shapes.database(name) as connection:
        assert connection.execute("SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL").fetchall() == []
    assert shapes.resources(name, "data", "AWS::SecretsManager::Secret") == {}


def test_with_secrets_both_passwords_were_rotated_when_it_was_deployed(shapes):
    secrets = shapes.client("secretsmanager")
    found = shapes.resources("dev", "data", "AWS::SecretsManager::Secret")
    assert len(found) == 2
    for arn in found.values():
        current = secrets.get_secret_value(SecretId=arn)
        assert len(secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"]) > 0
        stages = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
        assert stages[current["VersionId"]] == ["AWSCURRENT"]
        assert "AWSPENDING" not in {each for found in stages.values() for each in found}


def test_the_migrator_cannot_log_in_while_nothing_is_deployed(shapes):
    with shapes.database("dev") as connection:
        query = "SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL ORDER BY 1"
        assert connection.execute(query).fetchall() == [("application",), (DEV.master_user,)]

"""Whatever becomes of a rotation, the current secret goes on letting clients in, and the next rotation finishes."""

import json
import os
import subprocess
import sys

import psycopg
import pytest

from lambda_src.database import instance
from lambda_src.migrations.roles import ensure_roles
from lambda_src.rotation import handler
from lambda_src.rotation.handler import RotationFailed
from lambda_src.rotation.secret import NotRotating, Secret
from tests.conftest import APPLICATION, DATABASE, MASTER, PASSWORD, ROOT
from tests.local.aws_emulator import NETWORK, REGION, function, role, running_emulator

STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]
# What a rotation changes, one after the other: it may end before or after each.
POINTS = {
    "the pending version has a value": ("createSecret", "secret.Secret", "put_pending"),
    "the database is asked whether it would take it": ("testSecret", "handler.instance", "set_password"),
    "the database has it": ("finishSecret", "handler.instance", "set_password"),
    "it is current": ("finishSecret", "secret.Secret", "promote"),
}
PROGRAM = """
import os, sys
from lambda_src.rotation import handler, secret
step, secret_arn, token, where, name, when = sys.argv[1:]
holder = {"secret.Secret": secret.Secret, "handler.instance": handler.instance}[where]
original = getattr(holder, name)
def end(*arguments):
    if when == "after":
        original(*arguments)
    os._exit(9)
setattr(holder, name, end)
handler.handler({"SecretId": secret_arn, "ClientRequestToken": token, "Step": step}, None)
"""
INSTANCE = {
    **NETWORK,
    "Subnets": {
        "Type": "AWS::RDS::DBSubnetGroup",
        "Properties": {"DBSubnetGroupDescription": "-", "SubnetIds": [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]},
    },
    "Instance": {
        "Type": "AWS::RDS::DBInstance",
        "DeletionPolicy": "Delete",
        "Properties": {
            "Engine": "postgres",
            "DBInstanceClass": "db.t4g.small",
            "AllocatedStorage": "20",
            "DBName": DATABASE,
            "Port": "55441",
            "DBSubnetGroupName": {"Ref": "Subnets"},
            "MasterUsername": MASTER,
            "MasterUserPassword": PASSWORD,
        },
    },
    "Secret": {
        "Type": "AWS::SecretsManager::Secret",
        "Properties": {"SecretString": json.dumps({"username": APPLICATION, "password": PASSWORD})},
    },
    "Attachment": {
        "Type": "AWS::SecretsManager::SecretTargetAttachment",
        "Properties": {
            "SecretId": {"Ref": "Secret"},
            "TargetId": {"Ref": "Instance"},
            "TargetType": "AWS::RDS::DBInstance",
        },
    },
    "Role": role("lambda"),
    "Idle": function("def handler(event, context): pass"),  # the steps are called from here
}


class Rotating:
    """A secret of a user of a running instance, and the steps of its rotation, each in a process of its own."""

    def __init__(self, emulator):
        outputs = {"Host": {"Fn::GetAtt": ["Instance", "Endpoint.Address"]}, "Secret": {"Ref": "Secret"}}
        names = emulator.deploy("rotation", INSTANCE, **outputs, Idle={"Fn::GetAtt": ["Idle", "Arn"]})
        self.emulator, self.host, self.arn, self._idle = emulator, names["Host"], names["Secret"], names["Idle"]
        self.secrets = emulator.client("secretsmanager")
        with self.log_in(MASTER, PASSWORD) as master:
            ensure_roles(master, application=APPLICATION, password=PASSWORD, statement_timeout=5)

    def log_in(self, user, password):
        return psycopg.connect(
            host=self.host,
            port=55441,
            user=user,
            password=password,
            dbname=DATABASE,
            sslmode="verify-full",
            sslrootcert=self.emulator.state / "certificates" / "ca.pem",
            autocommit=True,
        )

    def begin(self):
        """A version without a value, as Secrets Manager makes it before the first step; again while one is pending."""
        return self.secrets.rotate_secret(SecretId=self.arn, RotationLambdaARN=self._idle)["VersionId"]

    def variables(self):
        return {
            "AWS_ENDPOINT_URL": self.emulator.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "DB_HOST": self.host,
            "DB_PORT": "55441",
            "DB_NAME": DATABASE,
            "SSL_CERT_FILE": str(self.emulator.state / "certificates" / "ca.pem"),
        }

    def step(self, step, token):
        handler.handler({"SecretId": self.arn, "ClientRequestToken": token, "Step": step}, None)

    def killed_step(self, step, token, where, name, when):
        """The step in a process that ends for good before or after a function is called."""
        command = [sys.executable, "-c", PROGRAM, step, self.arn, token, where, name, when]
        environment = {"PATH": os.environ["PATH"], **self.variables()}
        found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert found.returncode == 9, found.stderr

    def current(self):
        return json.loads(self.secrets.get_secret_value(SecretId=self.arn)["SecretString"])

    def stages(self, token):
        return self.secrets.describe_secret(SecretId=self.arn)["VersionIdsToStages"][token]

    def current_logs_in(self):
        try:
            self.log_in(APPLICATION, self.current()["password"]).close()
        except psycopg.OperationalError:
            return False
        return True


@pytest.fixture(scope="module")
def rotating(tmp_path_factory):
    with running_emulator(tmp_path_factory.mktemp("aws")) as emulator, pytest.MonkeyPatch.context() as patch:
        found = Rotating(emulator)
        for name, value in found.variables().items():
            patch.setenv(name, value)
        yield found


def finish(rotating, token):
    """All four steps, as Secrets Manager does when it tries again."""
    for step in STEPS:
        rotating.step(step, token)
    assert rotating.current_logs_in()
    assert rotating.stages(token) == ["AWSCURRENT"]


def test_the_four_steps_change_the_password_and_nothing_else(rotating):
    before = rotating.current()
    finish(rotating, rotating.begin())
    after = rotating.current()
    assert {name for name in after if after[name] != before[name]} == {"password"}
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        rotating.log_in(APPLICATION, before["password"])


def test_each_step_may_be_repeated_and_until_the_last_the_old_password_works(rotating, monkeypatch):
    token, before = rotating.begin(), rotating.current()
    for step in STEPS:
        for _ in range(2):
            rotating.step(step, token)
            assert rotating.current_logs_in()
            assert (rotating.current() == before) == (step != "finishSecret")
    after = rotating.current()
    monkeypatch.setattr(handler.instance, "connect", None)
    for step in STEPS:
        rotating.step(step, token)  # and after the end they do nothing
    assert rotating.current() == after
    rotating.secrets.update_secret_version_stage(
        SecretId=rotating.arn, VersionStage="AWSPENDING", MoveToVersionId=token
    )
    rotating.step("finishSecret", token)  # but take away what an end between two calls left
    assert rotating.stages(token) == ["AWSCURRENT"]
    assert rotating.current_logs_in()


def test_the_pending_password_stays_the_same_when_it_is_made_twice(rotating):
    token = rotating.begin()
    values = set()
    for _ in range(2):
        rotating.step("createSecret", token)
        values.add(rotating.secrets.get_secret_value(SecretId=rotating.arn, VersionId=token)["SecretString"])
    assert len(values) == 1
    finish(rotating, token)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", POINTS)
def test_a_rotation_that_was_killed_anywhere_is_finished_by_the_next(rotating, point, when):
    step, where, name = POINTS[point]
    token = rotating.begin()
    for earlier in STEPS[: STEPS.index(step)]:
        rotating.step(earlier, token)
    rotating.killed_step(step, token, where, name, when)
    # One instant is left in which nobody can undo: killed with the database changed and the secret not yet.
    between = (point, when) in {("the database has it", "after"), ("it is current", "before")}
    assert rotating.current_logs_in() != between
    finish(rotating, rotating.begin())


@pytest.mark.parametrize("point", POINTS)
def test_a_step_that_fails_leaves_the_old_password_working(rotating, monkeypatch, point):
    failing, where, name = POINTS[point]
    token, before = rotating.begin(), rotating.current()
    holder = {"secret.Secret": Secret, "handler.instance": handler.instance}[where]
    original = getattr(holder, name)

    def fail(*arguments):
        monkeypatch.setattr(holder, name, original)
        raise OSError("made for this test")

    for step in STEPS[: STEPS.index(failing)]:
        rotating.step(step, token)
    monkeypatch.setattr(holder, name, fail)
    with pytest.raises(OSError, match="made for this test"):
        rotating.step(failing, token)
    assert rotating.current() == before
    assert rotating.current_logs_in()
    finish(rotating, token)


def test_a_new_password_that_does_not_log_in_is_taken_back(rotating, monkeypatch):
    token, before = rotating.begin(), rotating.current()
    for step in STEPS[:3]:
        rotating.step(step, token)
    connect = handler.instance.connect

    def refuse(user, password):
        if password != before["password"]:
            raise psycopg.OperationalError("made for this test")
        return connect(user, password)

    monkeypatch.setattr(handler.instance, "connect", refuse)
    with pytest.raises(psycopg.OperationalError, match="made for this test"):
        rotating.step("finishSecret", token)
    monkeypatch.undo()
    assert rotating.current() == before
    assert rotating.current_logs_in()


def test_a_secret_of_another_host_is_refused(rotating, monkeypatch):
    """The proxy's, for instance."""
    token = rotating.begin()
    rotating.step("createSecret", token)
    with monkeypatch.context() as patch:
        patch.setenv("DB_HOST", "127.0.0.99")
        for step in STEPS:
            with pytest.raises(RotationFailed, match="attach the secret to the instance, never to the proxy"):
                rotating.step(step, token)
    finish(rotating, token)


@pytest.mark.parametrize("text", ["confidential", '{"password": "confidential"', '["confidential"]'])
def test_a_secret_that_is_no_json_object_is_refused(rotating, text):
    before = rotating.current()
    rotating.secrets.put_secret_value(SecretId=rotating.arn, SecretString=text)
    with pytest.raises(RotationFailed, match="the secret has no host, username, password"):
        rotating.step("createSecret", rotating.begin())
    rotating.secrets.put_secret_value(SecretId=rotating.arn, SecretString=json.dumps(before))
    finish(rotating, rotating.begin())


def put_password(rotating, password):
    value = json.dumps({**rotating.current(), "password": password})
    rotating.secrets.put_secret_value(SecretId=rotating.arn, SecretString=value)


def test_a_password_that_was_changed_by_hand_is_followed_by_a_new_one_and_not_by_the_one_before(rotating):
    finish(rotating, rotating.begin())
    before = rotating.current()["password"]
    with rotating.log_in(MASTER, PASSWORD) as master:
        handler.instance.set_password(master, APPLICATION, "by hand")
    put_password(rotating, "by hand")
    finish(rotating, rotating.begin())
    assert rotating.current()["password"] not in {before, "by hand"}


def test_a_current_password_that_does_not_log_in_is_refused_also_after_a_rotation(rotating):
    finish(rotating, rotating.begin())
    right = rotating.current()["password"]
    put_password(rotating, "wrong")
    token = rotating.begin()
    rotating.step("createSecret", token)
    for step in STEPS[1:]:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            rotating.step(step, token)
    put_password(rotating, right)
    finish(rotating, token)


def test_a_token_that_nobody_is_rotating_with_is_refused(rotating):
    with pytest.raises(NotRotating, match="is unknown, AWSPENDING is needed"):
        rotating.step("createSecret", "00000000-0000-0000-0000-000000000000")


def test_steps_out_of_order_are_refused(rotating):
    token = rotating.begin()
    for step in STEPS[1:]:
        with pytest.raises(NotRotating, match="createSecret comes first"):
            rotating.step(step, token)
    assert rotating.current_logs_in()
    finish(rotating, token)


def test_a_deployment_waits_for_a_rotation_that_is_changing_the_password(rotating, monkeypatch):
    token = rotating.begin()
    for step in STEPS[:3]:
        rotating.step(step, token)
    promote, seen = Secret.promote, []

    def look(secret):
        with rotating.log_in(MASTER, PASSWORD) as master:
            seen.append(master.execute("SELECT pg_try_advisory_lock(%s)", [handler.instance.PASSWORD_LOCK]).fetchone())
        promote(secret)

    monkeypatch.setattr(Secret, "promote", look)
    rotating.step("finishSecret", token)
    assert seen == [(False,)]


def test_a_pending_version_of_another_user_is_refused(rotating):
    token = rotating.begin()
    other = {**rotating.current(), "username": MASTER, "password": "x"}
    rotating.secrets.put_secret_value(
        SecretId=rotating.arn, ClientRequestToken=token, SecretString=json.dumps(other), VersionStages=["AWSPENDING"]
    )
    with pytest.raises(RotationFailed, match="the pending version has another username"):
        rotating.step("setSecret", token)
    assert rotating.current_logs_in()


def test_a_session_past_the_proxy_has_the_name_of_its_function(rotating, monkeypatch):
    for name, value in {**rotating.variables(), "AWS_LAMBDA_FUNCTION_NAME": "shop-dev-rotate"}.items():
        monkeypatch.setenv(name, value)
    with instance.connect(MASTER, PASSWORD) as connection:
        assert connection.execute("SHOW application_name").fetchone() == ("shop-dev-rotate",)

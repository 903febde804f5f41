"""An instance with IAM database authentication: members of rds_iam log in with tokens, all others with passwords."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from lambda_src.database import iam_token
from local.postgres.iam import user_of
from local.postgres.server import SUPERUSER
from tests.conftest import ROOT, free_port

HOST, REGION, MASTER = "127.0.0.1", "eu-west-1", "master"
KEYS = {"AKIATEST": {"secret_access_key": "secret", "session_token": None}}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret"}
PASSWORD = "made for this test"


class Instance:
    """`python -m local.postgres`, as the local AWS starts it."""

    def __init__(self, directory, certificates, **changed):
        self.directory, self.port, self.root = directory, free_port(), certificates / "ca.pem"
        (directory / "access-keys.json").write_text(json.dumps(KEYS))
        description = {
            "directory": str(directory),
            "address": HOST,
            "port": self.port,
            "certificates": str(certificates),
            "database": "shop",
            "master_user": MASTER,
            "master_password": None,
            "iam": {"access_keys": str(directory / "access-keys.json"), "region": REGION},
            **changed,
        }
        with (directory / "log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local.postgres"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.process.stdin.write(json.dumps(description))
        self.process.stdin.close()
        line = self.process.stdout.readline()
        assert line, (directory / "log").read_text()
        self.socket_directory = json.loads(line)["socket_directory"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()

    def log_in(self, user, password):
        return psycopg.connect(
            host=HOST,
            port=self.port,
            dbname="shop",
            user=user,
            password=password,
            sslmode="verify-full",
            sslrootcert=self.root,
            autocommit=True,
        )

    def token(self, user, **changed):
        return iam_token.mint(HOST, self.port, user, REGION, **{"environment": CREDENTIALS, **changed})


@pytest.fixture(scope="module")
def instance(certificates, tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("instance"), certificates) as instance:
        with instance.log_in(MASTER, instance.token(MASTER)) as master:
            master.execute("CREATE ROLE app LOGIN; GRANT rds_iam TO app")
            master.execute(f"CREATE ROLE old LOGIN PASSWORD '{PASSWORD}'")
        yield instance


def test_the_master_and_members_of_rds_iam_log_in_with_tokens(instance):
    for user in (MASTER, "app"):
        with instance.log_in(user, instance.token(user)) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (user,)


def test_all_others_log_in_with_their_password(instance):
    with instance.log_in("old", PASSWORD) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("old",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        instance.log_in("old", instance.token("old"))


@pytest.mark.parametrize(
    ("user", "changed"),
    [
        ("app", {"now": 0}),
        ("app", {"environment": {**CREDENTIALS, "AWS_SECRET_ACCESS_KEY": "another"}}),
        ("app", {"environment": {**CREDENTIALS, "AWS_ACCESS_KEY_ID": "AKIAUNKNOWN"}}),
        (MASTER, {}),
    ],
)
def test_a_token_that_is_not_this_users_now_is_refused_as_rds_refuses_it(instance, user, changed):
    with pytest.raises(psycopg.OperationalError, match='PAM authentication failed for user "app"'):
        instance.log_in("app", instance.token(user, **changed))


@pytest.mark.parametrize("user", [MASTER, "app"])
def test_a_password_is_no_token(instance, user):
    with pytest.raises(psycopg.OperationalError, match="PAM authentication failed"):
        instance.log_in(user, PASSWORD)


def test_a_cancelled_statement_is_cancelled(instance):
    """A CancelRequest is no login."""
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
    with (
        instance.log_in("app", instance.token("app")) as connection,
        psycopg.connect(host=instance.socket_directory, user=SUPERUSER, dbname="shop", autocommit=True) as other,
        ThreadPoolExecutor(1) as threads,
    ):
        ended = threads.submit(connection.execute, "SELECT pg_sleep(60)")
        while other.execute(sleeping).fetchone() == (0,):
            assert not ended.done()
        connection.cancel_safe(timeout=10)
        with pytest.raises(psycopg.errors.QueryCanceled):
            ended.result()


def test_a_master_with_a_password_keeps_what_it_was_changed_to_when_the_instance_restarts(certificates, tmp_path):
    with (
        Instance(tmp_path, certificates, master_password=PASSWORD) as instance,
        instance.log_in(MASTER, PASSWORD) as master,
    ):
        master.execute(f"ALTER ROLE {MASTER} PASSWORD 'changed since'")
    with Instance(tmp_path, certificates, master_password=PASSWORD) as instance:
        instance.log_in(MASTER, "changed since").close()
    with Instance(tmp_path, certificates, master_password="changed by the template") as instance:
        instance.log_in(MASTER, "changed by the template").close()


def test_without_iam_authentication_a_member_of_rds_iam_does_not_get_in(certificates, tmp_path):
    with Instance(tmp_path, certificates, iam=None, master_password=PASSWORD) as instance:
        with instance.log_in(MASTER, PASSWORD) as master:
            master.execute("CREATE ROLE app LOGIN; GRANT rds_iam TO app")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            instance.log_in("app", instance.token("app"))


def test_only_the_superuser_and_members_of_rds_iam_are_trusted_on_the_socket(instance):
    for user, gets_in in ((SUPERUSER, True), ("app", True), ("old", False)):
        try:
            psycopg.connect(host=instance.socket_directory, user=user, dbname="shop").close()
            assert gets_in
        except psycopg.OperationalError:
            assert not gets_in


def test_the_user_of_a_startup_message():
    body = (3 << 16).to_bytes(4) + b"user\0app\0database\0shop\0\0"
    assert user_of((len(body) + 4).to_bytes(4) + body) == "app"
    assert user_of((16).to_bytes(4) + (80877102).to_bytes(4) + b"12345678") is None

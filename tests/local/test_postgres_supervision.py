"""`python -m local.postgres` keeps its PostgreSQL running, as RDS does."""

import contextlib
import json
import signal
import subprocess
import sys

import psutil
import psycopg
import pytest

from local.postgres.server import SUPERUSER
from tests.conftest import PASSWORD, ROOT, free_port
from tests.local.conftest import eventually


@pytest.fixture(scope="module")
def instance(certificates, tmp_path_factory):
    directory = tmp_path_factory.mktemp("supervised")
    description = {
        "directory": str(directory),
        "address": "127.0.0.1",
        "port": free_port(),
        "certificates": str(certificates),
        "database": "shop",
        "master_user": "master",
        "master_password": PASSWORD,
    }
    command = [sys.executable, "-m", "local.postgres"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": (directory / "log").open("w")}
    with pipes["stderr"], subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
        process.stdin.write(json.dumps(description))
        process.stdin.close()
        yield process, json.loads(process.stdout.readline())["socket_directory"]
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["crashed", "stopped"])
def test_a_postgresql_that_ended_by_itself_is_started_again(instance, how):
    process, socket = instance

    def postmaster():
        for child in psutil.Process(process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # it may end while we look
                if child.name() == "postgres":
                    return child
        return None

    def works():
        try:
            with psycopg.connect(host=socket, user=SUPERUSER, dbname="shop") as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.Error:
            return False

    before = postmaster()
    before.send_signal(how)
    eventually(lambda: (now := postmaster()) and now.pid != before.pid)
    assert eventually(works)

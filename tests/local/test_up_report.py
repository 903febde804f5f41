"""What `make up` prints can be copied, and what it can't do is a sentence."""

import argparse
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from local.up.aws import Account
from local.up.command import port
from local.up.report import superuser_psql
from local.up.steps import StepFailed
from tests.conftest import DATABASE, ROOT
from tests.environments import LOCAL


def test_the_database_answers_its_superuser_from_the_folder_that_it_is_in(postgres, monkeypatch):
    monkeypatch.chdir(postgres.directory.parent)
    command = superuser_psql(postgres.directory / "socket", DATABASE)
    found = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert "created_at" in found.stdout


def test_before_the_service_is_deployed_there_is_no_token_but_a_sentence(local_aws, tmp_path):
    account = Account(int(local_aws.endpoint.rpartition(":")[2]), tmp_path, replace(LOCAL, service="undeployed"))
    with pytest.raises(StepFailed, match="the service is not deployed yet"):
        account.iam_token()


@pytest.mark.parametrize("given", ["0", "65536", "-1", "abc", ""])
def test_what_is_no_port_is_refused(given):
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{given}' is no port, allowed is 1 to 65535"):
        port(given)
    assert port("65535") == 65535


def test_ctrl_c_while_it_starts_is_a_sentence(tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "local.up", "status", "--state", str(tmp_path)]
    child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    for line in child.stderr:
        if line.endswith(" psutil\n"):  # and what imported it has more to import
            break
    child.send_signal(signal.SIGINT)
    _, rest = child.communicate(timeout=60)
    assert rest.splitlines()[-1] == "interrupted: nothing that this run started is left running"
    assert "Traceback" not in rest
    assert child.returncode == 1

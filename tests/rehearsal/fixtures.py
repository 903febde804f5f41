"""The whole path, deployed by the real CDK CLI to the local AWS, as `make up` does it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.up.aws import Account
from tests.conftest import ROOT, free_port
from tests.environments import DEV
from tests.local.aws_emulator import running_emulator
from tests.rehearsal.shapes import SHAPES, Shapes, signed_request

MINUTES = 60
UNVALIDATED = {"CDK_VALIDATION": "false"}  # tests/infrastructure has the validators judge the same templates


class LocalRun:
    """`python -m local.up` with a state folder and a port of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port = free_port()
        self.account = Account(self.port, state)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "local.up", *words, "--state", str(self.state)]

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        is_first = not (self.state / "emulator.json").exists()  # what comes after it finds the port
        command = self.command(*words, *(["--port", str(self.port)] if is_first else []))
        environment = {**os.environ, **variables}
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def __call__(self, *words: str, **variables: str) -> tuple[int, str]:
        """Its status and output, with these further environment variables."""
        child = self.start(*words, **variables)
        output, _ = child.communicate(timeout=8 * MINUTES)
        return child.returncode, output

    def processes(self) -> list[str]:
        """The command lines of everything that runs for this state folder."""
        found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        return [line for line in found.splitlines() if str(self.state) in line and " local.up " not in line]

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """The status and the JSON of a signed request to the deployed API."""
        return signed_request(self.account, method, f"{self.account.api_url()}{path}", body)


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """The environment `local` on PostgreSQL, deployed."""
    run = LocalRun(tmp_path_factory.mktemp("local"))
    code, output = run("up", "--store", "postgres")
    assert code == 0, output
    run.output = output
    yield run
    code, output = run("down")
    assert code == 0, output
    assert run.processes() == []


def interrupt(child: subprocess.Popen[str]) -> None:
    os.kill(child.pid, signal.SIGINT)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shapes]:
    """dev, staging and prod, deployed to a local AWS of their own: other tests count on `local` being alone."""
    directory = tmp_path_factory.mktemp("shapes")
    with running_emulator(directory) as emulator:
        account = Account(int(emulator.endpoint.rpartition(":")[2]), emulator.state, DEV)
        shapes = Shapes(account, directory, emulator.log)
        shapes.bootstrap()
        shapes.deploy(*SHAPES)
        yield shapes

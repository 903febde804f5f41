"""What every emulated service has at hand: where its state is, its processes, addresses, and the AWS API."""

import os
import tempfile
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.aws import internals
from local.aws.addresses import Addresses
from local.aws.children import Children

# A rotation function may run for Lambda's 15 minutes, and a call that is repeated would run it twice.
PATIENT = Config(read_timeout=900, retries={"total_max_attempts": 1})


class Emulation:
    """One emulator: its state folder, its endpoint, and clients of its own API."""

    def __init__(self, *, state: Path, python: Path, endpoint: str) -> None:
        self.state, self.endpoint = state, endpoint
        self.addresses = Addresses()
        self.children = Children(python=python, logs=state / "logs")
        self._session = boto3.session.Session()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.Lock()

    @property
    def certificates(self) -> Path:
        """The folder of the local certificate authority."""
        return self.state / "certificates"

    def connect_arn(self, resource: str) -> str | None:
        """What rds-db:connect to a proxy or instance is asked for, less the user; None where IAM is not enforced."""
        if not internals.enforces_iam():
            return None
        return f"arn:aws:rds-db:{internals.region()}:{internals.account()}:dbuser:{resource}"

    @cached_property
    def access_keys(self) -> Path:
        """The file from which the stand-in for RDS Proxy knows the secrets behind access keys."""
        return self.state / "access-keys.json"

    def client(self, service: str) -> Any:
        """A client for the account and Region that this thread works for."""
        key = (service, internals.region(), internals.account())
        with self._lock:  # making one is not thread-safe, using one is
            if key not in self._clients:
                self._clients[key] = self._session.client(
                    service,
                    region_name=key[1],
                    endpoint_url=self.endpoint,
                    aws_access_key_id=key[2],  # ministack takes an account's number for its root user's key
                    aws_secret_access_key=key[2],  # not looked at: the root user's signature isn't checked
                    config=PATIENT,
                )
            return self._clients[key]


def write_privately(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(name).replace(path)

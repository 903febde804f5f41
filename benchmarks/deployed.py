"""The environment `local` on PostgreSQL, deployed by the real CDK CLI to a local AWS, for as long as a block runs."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

from local.up import processes
from local.up.aws import ACCESS_KEY, API_HANDLER, SECRET, Account
from local.up.options import POSTGRES

ROOT = Path(__file__).parents[1]
READ_SECONDS = 120
STEP = re.compile(r"^  .* s$")  # what `local.up` prints of a step that is done


@contextlib.contextmanager
def deployed(state: Path, *, app: str | None = None) -> Iterator[Account]:
    """Deploy, and take everything down at the end. `app` is the command of another CDK app.

    Raises RuntimeError with what was printed when it does not come up.
    """
    port = free_port()
    try:
        _up(state, port, app)
        yield Account(port, state)
    finally:
        _command(state, "down").communicate()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def api_function(account: Account) -> str:
    """The name of the function behind the API."""
    functions = account.client("lambda").list_functions()["Functions"]
    (name,) = [str(found["FunctionName"]) for found in functions if found["Handler"] == API_HANDLER]
    return name


def lambda_client(account: Account, *, connections: int) -> Any:
    """A client for so many invocations at once. It never retries: a 429 is an answer too."""
    return boto3.client(
        "lambda",
        endpoint_url=account.endpoint,
        region_name=account.region,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET,
        config=Config(max_pool_connections=connections, retries={"total_max_attempts": 1}, read_timeout=READ_SECONDS),
    )


def process_of(account: Account, module: str) -> psutil.Process:
    """The process that the local AWS runs this module in."""
    (found,) = [each for each in _emulator(account).children(recursive=True) if _runs(each, module)]
    return found


def function_processes(account: Account, function: str) -> int:
    """How many execution environments a function has now: each is a process."""
    return sum(_function_of(each) == function for each in _emulator(account).children())


def route_event(method: str, route: str, tenant: str, body: object = None) -> dict[str, Any]:
    """What the HTTP API sends its function for a request of this route (payload format 2.0)."""
    path = route.replace("{tenant}", tenant)
    return {
        "version": "2.0",
        "routeKey": f"{method} {route}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "pathParameters": {"tenant": tenant},
        "requestContext": {"http": {"method": method, "path": path}, "routeKey": f"{method} {route}"},
        "isBase64Encoded": False,
        **({} if body is None else {"body": json.dumps(body)}),
    }


def _up(state: Path, port: int, app: str | None) -> None:
    words = ["--port", str(port), "--store", POSTGRES, *(["--app", app] if app else [])]
    with _command(state, "up", *words) as process:
        printed = []
        for line in process.stdout or ():
            printed.append(line)
            if STEP.match(line):
                print(line, end="", flush=True)
    if process.returncode != 0:
        raise RuntimeError("".join(printed))


def _command(state: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "local.up", *words, "--state", str(state)]
    # cdk.json says `python3`, and means the one with our packages.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": path},
        start_new_session=True,  # Ctrl-C at a terminal is for us, who then end it in order
    )


def _emulator(account: Account) -> psutil.Process:
    emulator = processes.load(account.state / "emulator.json")
    if emulator is None:
        raise RuntimeError("the local AWS is not running")
    return emulator


def _function_of(process: psutil.Process) -> str | None:
    try:
        name: str | None = process.environ().get("AWS_LAMBDA_FUNCTION_NAME")
    except psutil.Error:
        return None
    return name


def _runs(process: psutil.Process, module: str) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    # A guard's command line holds the child's; the child's own begins with its interpreter.
    return len(words) > 2 and words[1:3] == ["-m", module]

"""The environments as they are, side by side in one local AWS: deployed, changed and destroyed by the pinned CDK CLI.

Only what executes the functions is this machine's; classes, pools, credentials and retention are each one's own.
"""

import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambda_src.database import iam_token
from local import resource
from local.postgres.server import SUPERUSER
from local.up.aws import ACCESS_KEY, ACCOUNT, SECRET, Account
from stacks.postgres.database import DATABASE_NAME
from tests.conftest import ROOT
from tests.environments import SERVICE

SHAPES = {"dev": "environments.DEV", "staging": "environments.STAGING", "prod": "environments.PROD"}
App = tuple[str, ...]  # its environments, as Python expressions
SECONDS = 400
WAIT_SECONDS = 60
PROGRAM = """
import json, sys
sys.path.insert(0, {sources!r})
from dataclasses import replace
from pathlib import Path
from aws_cdk import App
from stacks import environments
from stacks.runtime import this_machine
from stacks.stage import EnvironmentStage
context = json.loads(Path({sources!r}, "cdk.json").read_text())["context"]
for directory, found in [{apps}]:
    app = App(analytics_reporting=False, context=context, outdir=directory)
    for environment in found:
        EnvironmentStage(app, environment=replace(environment, runtime=this_machine()))
    app.synth()
"""


class Shapes:
    """What is deployed, by the names of environments."""

    def __init__(self, account: Account, directory: Path, log: Path) -> None:
        self.account, self.directory, self.log = account, directory, log
        self.client = cache(account.client)
        # Whoever edits files meanwhile does not change what is tested, and a fork's environments are others.
        self.sources = copy_of_sources(ROOT, directory / "sources")
        shutil.copy(ROOT / "tests" / "environments.py", self.sources / "stacks")
        self._assemblies: dict[tuple[Path, App], Path] = {}

    def bootstrap(self) -> None:
        """Prepare the account, as `cdk bootstrap` does for any."""
        cdk = str(ROOT / "node_modules" / ".bin" / "cdk")
        command = [cdk, "bootstrap", f"aws://{ACCOUNT}/{self.account.region}"]
        variables = self.account.cdk_environment()
        found = subprocess.run(
            command, cwd=self.directory, env=variables, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert found.returncode == 0, found.stderr

    def synthesize(self, *apps: App, sources: Path | None = None) -> None:
        """Synthesize apps in one process: starting it takes longest.

        Validators are left out: tests/infrastructure has them judge the same templates.
        """
        sources = sources or self.sources
        new = {each: self.directory / f"app-{len(self._assemblies) + n}" for n, each in enumerate(apps)}
        program = PROGRAM.format(
            sources=str(sources), apps=", ".join(f"({str(path)!r}, [{', '.join(each)}])" for each, path in new.items())
        )
        variables = {**self.account.cdk_environment(), "CDK_VALIDATION": "false"}
        found = subprocess.run(
            [sys.executable, "-c", program], cwd=sources, env=variables, capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stderr
        self._assemblies |= {(sources, each): path for each, path in new.items()}

    def assembly(self, environments: App, sources: Path) -> Path:
        """What was synthesized of an app that has these environments, and perhaps others."""
        for (its_sources, app), path in self._assemblies.items():
            if its_sources == sources and set(environments) <= set(app):
                return path
        self.synthesize(environments, sources=sources)
        return self._assemblies[sources, environments]

    def cdk(self, *words: str, environments: App, sources: Path | None = None) -> tuple[int, str]:
        """The CDK CLI's status and output, with an app that has these environments."""
        app = self.assembly(environments, sources or self.sources)
        command = [str(ROOT / "node_modules" / ".bin" / "cdk"), *words, "--app", str(app)]
        found = subprocess.run(
            command,
            cwd=self.directory,
            env=self.account.cdk_environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return found.returncode, found.stdout + found.stderr

    def deploy(self, *names: str, change: str = "", **options: Any) -> str:
        """Deploy environments and return what the CLI said; AssertionError when that fails."""
        status, output = self.try_to_deploy(*names, change=change, **options)
        assert status == 0, output
        return output

    def try_to_deploy(
        self, *names: str, change: str = "", change_set: str = "rehearsal", **options: Any
    ) -> tuple[int, str]:
        """The CLI's status and output; `change` are further arguments of replace() for each environment."""
        stacks = [f"{name}/*" for name in names]
        words = ["--require-approval", "never", "--concurrency", str(len(names)), "--change-set-name", change_set]
        return self.cdk("deploy", *stacks, *words, environments=app_of(*names, change=change), **options)

    def diff(self, name: str, change: str = "") -> list[str]:
        """The resources that a deployment would change, as `Stack: [~] Type path`."""
        status, output = self.cdk("diff", f"{name}/*", environments=app_of(name, change=change))
        assert status == 0, output
        found, stack = [], ""
        for line in plain(output).splitlines():
            if line.startswith("Stack "):
                stack = line.split()[1].rpartition("/")[2]
            elif line.startswith("["):
                found.append(f"{stack}: {' '.join(line.split()[:2])}")
        return found

    def request(self, name: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        return signed_request(self.account, method, f"{self.url(name)}{path}", body)

    def url(self, name: str) -> str:
        api = self.outputs(name, "service")["ApiUrl"].removeprefix("https://").split(".")[0]
        return f"{self.account.endpoint}/_aws/execute-api/{api}/$default"

    def outputs(self, name: str, stack: str) -> dict[str, str]:
        (found,) = self.client("cloudformation").describe_stacks(StackName=f"{SERVICE}-{name}-{stack}")["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}

    def stack_status(self, name: str, stack: str) -> str:
        (found,) = self.client("cloudformation").describe_stacks(StackName=f"{SERVICE}-{name}-{stack}")["Stacks"]
        return found["StackStatus"]

    def resources(self, name: str, stack: str, kind: str) -> dict[str, str]:
        """Physical ids by logical ids."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        found = pages.paginate(StackName=f"{SERVICE}-{name}-{stack}").build_full_result()["StackResourceSummaries"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found if each["ResourceType"] == kind}

    def database(self, name: str) -> psycopg.Connection:
        """The environment's database, as its superuser, on a socket that only this machine has."""
        socket = self.account.state / "rds" / f"{SERVICE}-{name}-postgres" / "socket"
        return psycopg.connect(host=str(socket.resolve()), user=SUPERUSER, dbname=DATABASE_NAME, autocommit=True)

    @staticmethod
    def text_of(connection: psycopg.Connection, id: str) -> str | None:
        """The text of the row that a request made, if it is there."""
        query = f"SELECT {resource.TEXT} FROM {resource.TABLE} WHERE id = %s"
        (found,) = connection.execute(query, [id]).fetchone() or (None,)
        return found

    def function(self, name: str, handler: str) -> str:
        """The name of the environment's function with this handler."""
        functions = self.client("lambda").list_functions()["Functions"]
        (found,) = [
            each["FunctionName"]
            for each in functions
            if each["Handler"] == handler and each["FunctionName"].startswith(f"{SERVICE}-{name}-")
        ]
        return found

    def log_in_to_the_proxy(self, name: str, role: str) -> None:
        """What the function with this role does, with the session of the role that it has."""
        keys = json.loads((self.account.state / "access-keys.json").read_text())
        (key,) = [each for each, found in keys.items() if (found.get("role") or "").endswith(f"/{role}")]
        credentials = {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": keys[key]["secret_access_key"],
            "AWS_SESSION_TOKEN": keys[key]["session_token"],
        }
        host = self.outputs(name, "data")["ProxyHost"]
        psycopg.connect(
            host=host,
            port=5432,
            user="application",
            password=iam_token.mint(host, 5432, "application", self.account.region, credentials),
            dbname=DATABASE_NAME,
            sslmode="verify-full",
            sslrootcert=self.account.state / "certificates" / "ca.pem",
        ).close()

    def drop_server_connections(self, name: str) -> None:
        """Make the proxy log in again. Nobody else's: a function that goes past it says its name."""
        with self.database(name) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE usename = 'application' AND state = 'idle' AND application_name = ''"
            )

    @contextmanager
    def load(
        self, name: str, *, clients: int = 2, writes: bool = True, pause_seconds: float = 0
    ) -> Iterator[Counter[int]]:
        """Requests from several clients at once, and the number of answers by status; they end with the block.

        A deployment takes its time, and longer where all of a machine's goes into requests: there clients pause.
        """
        url = f"{self.url(name)}{resource.path('load')}"
        answers: Counter[int] = Counter()
        ended = threading.Event()

        def ask(number: int) -> None:
            while not ended.is_set():
                body = resource.body("under load") if number == 0 and writes else None
                answers[signed_request(self.account, "POST" if body else "GET", url, body)[0]] += 1
                ended.wait(pause_seconds)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: sum(answers.values()) > 2 * clients)
            yield answers
            enough = sum(answers.values()) + 5 * clients
            wait_until(lambda: sum(answers.values()) > enough)
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def signed_request(account: Account, method: str, url: str, body: object = None) -> tuple[int, Any]:
    """The status and the JSON of a request that is signed with the account's key."""
    data = None if body is None else json.dumps(body).encode()
    request = AWSRequest(method, url, data=data)
    SigV4Auth(Credentials(ACCESS_KEY, SECRET), "execute-api", account.region).add_auth(request)
    signed = urllib.request.Request(request.url, data, dict(request.headers), method=method)
    try:
        with urllib.request.urlopen(signed, timeout=60) as response:
            status, text = response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read()
    return status, json.loads(text) if text else None


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def app_of(*names: str, change: str = "") -> App:
    """An app of environments; `change` are further arguments of replace() for each."""
    return tuple(changed(name, change) for name in names)


def copy_of_sources(sources: Path, directory: Path) -> Path:
    """What a deployment is made of, in another folder."""
    for name in ("stacks", "lambda_src"):
        shutil.copytree(sources / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app.py", "cdk.json"):
        shutil.copy(sources / name, directory / name)
    return directory


def changed(name: str, change: str = "") -> str:
    """An environment as a Python expression."""
    return f"replace({SHAPES.get(name, SHAPES['dev'])}, {change})" if change else SHAPES[name]


def plain(text: str) -> str:
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)

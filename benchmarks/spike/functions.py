"""The same with real functions: as many processes as the deployed function's reserved concurrency, and one more."""

import contextlib
import json
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import psycopg
from botocore.exceptions import ClientError

from benchmarks.deployed import api_function, deployed, function_processes, lambda_client, route_event
from local import resource
from local.postgres.server import SUPERUSER
from local.up.aws import Account

PATIENCE = 120  # seconds for all execution environments to exist
HELD = 20  # seconds after which what keeps the functions waiting lets go in any case
EVENT = route_event("GET", resource.ROUTE, "spike")
FUNCTION_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'application'"


def run(state: Path, reserved: int) -> dict[str, Any]:
    """Deploy the function with this reserved concurrency, keep all of it busy, and ask for one more."""
    app = shlex.join([sys.executable, "-m", "benchmarks.spike.app", str(reserved)])
    with deployed(state, app=app) as account:
        return fill(account, reserved)


def fill(account: Account, reserved: int) -> dict[str, Any]:
    """Keep all execution environments of the deployed function busy, and ask for one more."""
    with ThreadPoolExecutor(reserved + 1) as threads:
        return _Function(account, reserved, threads).fill()


class _Function:
    """The deployed function, invoked as the Lambda API allows."""

    def __init__(self, account: Account, reserved: int, threads: ThreadPoolExecutor) -> None:
        self._account, self._reserved, self._threads = account, reserved, threads
        self._name = api_function(account)
        self._client = lambda_client(account, connections=reserved + 1)

    def fill(self) -> dict[str, Any]:
        """The figures."""
        processes = self._start_all()
        with self._superuser() as watcher, self._waiting_functions():
            answers = [self._threads.submit(self._invoke) for _ in range(self._reserved + 1)]
            first = self._first(answers)
            peak = self._most_sessions(watcher)
        statuses = Counter(str(answer.result()) for answer in answers)
        return {
            "reserved_concurrency": self._reserved,
            "function_processes": processes,
            "invocations_at_once": self._reserved + 1,
            "first_answer_status": first,
            "answers_by_status": dict(statuses),
            "server_connections_while_all_wait": peak,
        }

    def _start_all(self) -> int:
        """Invoke as often at once as is allowed until every execution environment exists; how many do."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._processes() < self._reserved:
            with self._waiting_functions():
                invocations = [self._threads.submit(self._invoke) for _ in range(self._reserved)]
                enough = time.monotonic() + HELD / 2
                while self._processes() < self._reserved and time.monotonic() < enough:
                    time.sleep(0.1)
            wait(invocations)
        return self._processes()

    @contextlib.contextmanager
    def _waiting_functions(self) -> Iterator[None]:
        """While the block runs, the table is locked, and whoever asks for its rows waits: nobody is idle too soon."""
        with self._superuser() as holder:
            # Whatever goes wrong here, the table is free again in time, and everybody gets an answer.
            holder.execute(f"SET idle_in_transaction_session_timeout = '{HELD}s'")
            holder.execute(f"BEGIN; LOCK TABLE {resource.TABLE}")
            yield
            holder.execute("ROLLBACK")

    def _first(self, answers: list[Future[int]]) -> int:
        done, _ = wait(answers, timeout=PATIENCE, return_when=FIRST_COMPLETED)
        return next(iter(done)).result()

    def _most_sessions(self, watcher: psycopg.Connection) -> int:
        """How many sessions the functions have in the database, when all have or a second has passed."""
        deadline, most = time.monotonic() + 1, 0
        while most < self._reserved and time.monotonic() < deadline:
            (count,) = watcher.execute(FUNCTION_SESSIONS).fetchone() or (0,)
            most = max(most, count)
        return most

    def _processes(self) -> int:
        return function_processes(self._account, self._name)

    def _invoke(self) -> int:
        """The status of one invocation: the Lambda API's when it refuses, else the function's."""
        try:
            answer = self._client.invoke(FunctionName=self._name, Payload=json.dumps(EVENT))
        except ClientError as error:
            return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        payload = json.loads(answer["Payload"].read())
        return int(payload.get("statusCode", 500))

    def _superuser(self) -> psycopg.Connection:
        socket = str(self._account.database_socket())
        return psycopg.connect(
            host=socket, user=SUPERUSER, dbname=self._account.function_variables()["DB_NAME"], autocommit=True
        )

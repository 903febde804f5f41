"""The deployed path with a place for faults in it: function, forwarder, a stand-in that we may restart, PostgreSQL.

The deployed function is pointed at the forwarder by its environment variables, as an operator would do it, and back
again at the end. The stand-in behind the forwarder runs with the settings and credentials of the deployed one.
"""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg

from benchmarks.deployed import ROOT, api_function, process_of
from benchmarks.forwarder import Forwarder
from lambda_src.database import iam_token
from local.certificates import server_certificate
from local.postgres.server import SUPERUSER
from local.up.aws import ACCESS_KEY, SECRET, Account

HOST, STAND_IN_HOST = "127.0.0.1", "127.0.0.2"
REPLACED = ("--listen", "--certificates", "--metrics")  # flags of the deployed stand-in that ours has of its own
STOP_SECONDS, PATIENCE = 10, 30


class StandIn:
    """A stand-in like the deployed one, behind the forwarder, which has its name. Its clock can be set."""

    def __init__(self, account: Account, forwarder: Forwarder, directory: Path) -> None:
        deployed = process_of(account, "local.rds_proxy")
        self._environment: dict[str, str] = deployed.environ()
        self._clock, self._log = directory / "clock", directory / "stand-in.log"
        self._process: subprocess.Popen[str] | None = None
        self.set_clock(0)
        port = forwarder.address[1]  # a token names one host and one port, so both have the same
        forwarder.upstream = (STAND_IN_HOST, port)
        certificate, key = server_certificate(account.state / "certificates", HOST)
        self.command = [
            *(sys.executable, "-m", "benchmarks.drill.stand_in", str(self._clock)),
            *_without(deployed.cmdline()[3:], REPLACED),
            *("--listen", f"{STAND_IN_HOST}:{port}", "--endpoint", HOST),
            *("--tls-certificate", str(certificate), "--tls-key", str(key)),
        ]

    def start(self) -> None:
        """Run it, and return when it accepts clients."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C at a terminal is for us, who then end it in order
            )
        if self._process.stdout is None or not self._process.stdout.readline():
            raise RuntimeError(f"the stand-in did not start:\n{self._log.read_text()}")

    def stop(self) -> None:
        """End it, with its clients."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.communicate(timeout=STOP_SECONDS)
            self._process = None

    def set_clock(self, offset: float) -> None:
        """Let it believe that it is so many seconds later."""
        draft = self._clock.with_suffix(".draft")
        draft.write_text(str(offset))
        draft.replace(self._clock)


class Scene:
    """What a fault may touch."""

    def __init__(self, account: Account, forwarder: Forwarder, stand_in: StandIn) -> None:
        self.account, self.forwarder, self.stand_in = account, forwarder, stand_in
        self.instance = process_of(account, "local.postgres")
        self.variables = account.function_variables()

    def superuser(self) -> psycopg.Connection:
        """A connection to PostgreSQL itself, in autocommit."""
        socket = str(self.account.database_socket())
        return psycopg.connect(host=socket, user=SUPERUSER, dbname=self.variables["DB_NAME"], autocommit=True)

    def client(self) -> psycopg.Connection:
        """Another client of the stand-in, in autocommit, as the function's role."""
        host, port = self.forwarder.address
        user = self.variables["DB_USER"]
        credentials = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        return psycopg.connect(
            host=host,
            port=port,
            user=user,
            password=iam_token.mint(host, port, user, self.account.region, credentials),
            dbname=self.variables["DB_NAME"],
            sslmode="verify-full",
            sslrootcert=str(self.account.state / "certificates" / "ca.pem"),
            autocommit=True,
        )

    def kill_backends(self) -> None:
        """End every session of the function's role."""
        with self.superuser() as connection:
            statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
            connection.execute(statement, [self.variables["DB_USER"]])

    def stop_postgres(self, how: signal.Signals) -> None:
        """Send PostgreSQL a signal that ends it; the instance starts it again."""
        (postmaster,) = [each for each in self.instance.children() if each.name() == "postgres"]
        postmaster.send_signal(how)
        gone = time.monotonic() + PATIENCE
        while postmaster.is_running() and postmaster.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > gone:
                raise RuntimeError(f"PostgreSQL did not end after {how.name}")
            time.sleep(0.01)

    def wait_until_back(self) -> None:
        """Return when PostgreSQL takes connections again."""
        self.until(self._answers, "PostgreSQL did not come back")

    def until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Return when a condition holds; RuntimeError when it does not in time."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(otherwise)
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            self.superuser().close()
        except psycopg.OperationalError:
            return False
        return True


@contextlib.contextmanager
def scene(account: Account, directory: Path) -> Iterator[Scene]:
    """The path with the places for faults in it; the deployed one again when the block ends."""
    with Forwarder((STAND_IN_HOST, 0), listen=(HOST, 0)) as forwarder:
        stand_in = StandIn(account, forwarder, directory)
        stand_in.start()
        try:
            before = account.function_variables()
            host, port = forwarder.address
            _configure(account, {**before, "DB_HOST": host, "DB_PORT": str(port)})
            yield Scene(account, forwarder, stand_in)
        finally:
            _configure(account, before)
            stand_in.stop()


def _configure(account: Account, variables: dict[str, str]) -> None:
    client = account.client("lambda")
    client.update_function_configuration(FunctionName=api_function(account), Environment={"Variables": variables})


def _without(flags: list[str], removed: tuple[str, ...]) -> list[str]:
    """Flags without some that take a value."""
    kept, is_value = [], False
    for flag in flags:
        if not is_value and flag not in removed:
            kept.append(flag)
        is_value = flag in removed
    return kept

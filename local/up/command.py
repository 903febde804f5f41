"""`make up`, `make status`, `make token` and `make down`: the local AWS, and the environment `local` deployed to it."""

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from local.up import aws, options, processes
from local.up.counterpart import Counterpart, wait_until_ready
from local.up.options import POSTGRES, STORES
from local.up.report import print_status, print_welcome
from local.up.steps import StepFailed, run, say, step

ROOT = Path(__file__).parents[2]
DEFAULT_PORT = 4566
BOOTSTRAP_SECONDS, DEPLOY_SECONDS = 180, 600


def main() -> None:
    """One command; a failure is a sentence and a status other than 0."""
    parser = argparse.ArgumentParser(prog="python -m local.up", description=__doc__)
    parser.add_argument("command", choices=["up", "status", "token", "down"])
    parser.add_argument(
        "--port", type=port, help=f"loopback port of the local AWS (default: where it runs, or {DEFAULT_PORT})"
    )
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "local", help="folder for data and logs")
    own = options.own() or POSTGRES
    parser.add_argument("--store", choices=STORES, default=own, help=f"database (default: {own})")
    parser.add_argument("--app", help="command of another CDK app to deploy (default: the one in cdk.json)")
    given = parser.parse_args()
    run_here = LocalRun(given.state.absolute())
    try:
        match given.command:
            case "up":
                run_here.up(given.port, given.app, given.store)
            case "status":
                print_status(*run_here.running(), run_here.counterpart())
            case "token":
                say(run_here.running()[0].iam_token())
            case "down":
                run_here.down()
    except StepFailed as error:
        sys.exit(f"\n{error}")


def port(text: str) -> int:
    """A port that a client can be given; ArgumentTypeError where it is none."""
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, allowed is 1 to 65535")
    return number


class LocalRun:
    """What runs on this machine, with its data and logs below `state`."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._state = state
        self._logs = state / "logs"
        self._emulator = state / "emulator.json"
        self._lock = state / "up.lock"
        self._store = state / "store"

    def up(self, port: int | None, app: str | None, store: str) -> None:
        """Start the local AWS unless it runs, deploy to it, and say how to use it. Leaves it running."""
        with self._alone():
            running = processes.load(self._emulator)
            if running is not None:
                self._refuse_another(running, port, store)
            if app is None and store != options.own():  # its own is in the app that cdk.json names
                app = f"{sys.executable} -m local.up.app {store}"
            self._store.write_text(store)
            account = aws.Account(aws.port_of(running) if running else port or DEFAULT_PORT, self._state)
            emulator = running or self._start(account)
            try:
                Counterpart(store, self._state).start(account)
                self._deploy(account, app)
            except BaseException:
                if running is None:  # else CloudFormation has rolled back, and what ran before still serves
                    self._stop(emulator)
                raise
        print_welcome(account, Counterpart(store, self._state).ask() or options.ask(store, account))

    def _refuse_another(self, running: psutil.Process, port: int | None, store: str) -> None:
        """StepFailed where something else runs here than is asked for."""
        at, deployed = aws.port_of(running), self._store.read_text()
        if port not in (None, at):
            raise StepFailed(f"the local AWS runs on port {at}: `make up` deploys to it there, or `make down` first")
        if deployed != store:
            raise StepFailed(f"the database here is {deployed}: `make down` first, then `make up STORE={store}`")

    def running(self) -> tuple[aws.Account, psutil.Process]:
        """The account and the emulator that runs; StepFailed when none does."""
        emulator = processes.load(self._emulator)
        if emulator is None:
            raise StepFailed("nothing runs here: `make up` starts it")
        return aws.Account(aws.port_of(emulator), self._state), emulator

    def counterpart(self) -> psutil.Process | None:
        """What stands in for a database outside AWS, if the store is one."""
        return Counterpart(self._store.read_text(), self._state).process()

    def down(self) -> None:
        """End what `up` started, an `up` that is still at work included."""
        started = time.monotonic()
        self._interrupt_another()
        with self._alone(wait=True):
            emulator = processes.load(self._emulator)
            if emulator is None:
                say("nothing runs here")
                return
            self._stop(emulator)
        say(f"stopped in {time.monotonic() - started:.1f} s")

    def _start(self, account: aws.Account) -> psutil.Process:
        # Of an earlier run, and nothing leads there any more.
        shutil.rmtree(self._state / "rds", ignore_errors=True)
        account.outputs_file.unlink(missing_ok=True)
        log = self._logs / "aws.log"
        command = [str(ROOT / ".venv-emulator" / "bin" / "python"), "-m", "local.aws", "--port", str(account.port)]
        command += ["--state", str(self._state), "--python", str(ROOT / ".venv" / "bin" / "python")]
        # Node.js is there where the machine has none.
        path = os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ.get("PATH", os.defpath)])
        with step("local AWS", log):
            emulator = processes.start(command, log, {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path})
            processes.save(emulator, self._emulator)
            try:
                wait_until_ready(emulator, log)
            except BaseException:
                self._stop(emulator)
                raise
        return emulator

    def _deploy(self, account: aws.Account, app: str | None) -> None:
        """What a user does with a new AWS account: bootstrap it, deploy to it."""
        cdk, environment = str(ROOT / "node_modules" / ".bin" / "cdk"), account.cdk_environment()
        where = f"aws://{aws.ACCOUNT}/{account.region}"
        if not account.is_bootstrapped():
            log = self._logs / "cdk-bootstrap.log"
            with step(f"cdk bootstrap {where}", log):
                # Elsewhere, or it synthesizes the app, which it does not need.
                run([cdk, "bootstrap", where], log, environment, BOOTSTRAP_SECONDS, directory=self._state)
        log = self._logs / "cdk-deploy.log"
        command = [cdk, "deploy", "local/*", "--require-approval", "never", "--output", str(self._state / "cdk.out")]
        command += ["--outputs-file", str(account.outputs_file), *(["--app", app] if app else [])]
        with step("cdk deploy 'local/*'", log):
            run(command, log, environment, DEPLOY_SECONDS)
        with step("GET /health", self._logs / "aws.log"):
            account.check_health()

    def _stop(self, emulator: psutil.Process) -> None:
        Counterpart(self._store.read_text(), self._state).stop()
        processes.stop(emulator)
        self._emulator.unlink(missing_ok=True)
        shutil.rmtree(self._state / "rds", ignore_errors=True)

    @contextlib.contextmanager
    def _alone(self, *, wait: bool = False) -> Iterator[None]:
        """Hold the lock that lets one command at a time change what runs."""
        with self._lock.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                lock.seek(0)
                raise StepFailed(
                    f"another `make up` is at work (process {lock.read()}): wait for it, or end it with `make down`"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield
            lock.truncate(0)

    def _interrupt_another(self) -> None:
        with self._lock.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                with contextlib.suppress(ValueError, ProcessLookupError):
                    os.kill(int(lock.read()), signal.SIGINT)

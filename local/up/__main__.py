"""`python -m local.up up|status|down`: the local AWS, and the environment `local` deployed to it."""

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

from local.up import aws, processes
from local.up.report import print_status, print_welcome
from local.up.steps import StepFailed, run, say, step

ROOT = Path(__file__).parents[2]
STATE = ROOT / "build" / "local"
LOGS = STATE / "logs"
EMULATOR = STATE / "emulator.json"
EMULATOR_LOG = LOGS / "aws.log"
START_SECONDS, BOOTSTRAP_SECONDS, DEPLOY_SECONDS = 60, 180, 600


def main() -> None:
    """One command; a failure is a sentence and a status other than 0."""
    parser = argparse.ArgumentParser(prog="python -m local.up", description=__doc__)
    parser.add_argument("command", choices=["up", "status", "down"])
    parser.add_argument("--port", type=int, default=4566, help="loopback port of the local AWS (default: 4566)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end in order, as for Ctrl-C
    STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        {"up": lambda: up(options.port), "status": status, "down": down}[options.command]()
    except StepFailed as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: nothing that this run started is left running")


def up(port: int) -> None:
    """Start the local AWS unless it runs, deploy to it, and say how to use it. Leaves it running."""
    with _alone():
        running = processes.load(EMULATOR)
        account = aws.Account(port if running is None else aws.port_of(running), STATE)
        emulator = running or _start(account)
        try:
            _deploy(account)
        except BaseException:
            if running is None:  # else CloudFormation has rolled back, and what ran before still serves
                _stop(emulator)
            raise
        print_welcome(account)


def status() -> None:
    """Say what runs, and where."""
    emulator = processes.load(EMULATOR)
    if emulator is None:
        sys.exit("nothing runs here: `make up` starts it")
    print_status(aws.Account(aws.port_of(emulator), STATE), emulator)


def down() -> None:
    """End what `up` started, an `up` that is still at work included."""
    started = time.monotonic()
    with contextlib.suppress(OSError, ValueError, psutil.Error):
        psutil.Process(int((STATE / "lock").read_text())).send_signal(signal.SIGINT) if _is_locked() else None
    with _alone(wait=True):
        emulator = processes.load(EMULATOR)
        if emulator is None:
            say("nothing runs here")
            return
        _stop(emulator)
        say(f"stopped in {time.monotonic() - started:.1f} s")


def _start(account: aws.Account) -> psutil.Process:
    shutil.rmtree(STATE / "rds", ignore_errors=True)  # databases of an earlier run, which nothing leads to any more
    interpreter = ROOT / ".venv-emulator" / "bin" / "python"
    command = [str(interpreter), "-m", "local.aws", "--port", str(account.port), "--state", str(STATE)]
    command += ["--python", str(ROOT / ".venv" / "bin" / "python")]
    with step("local AWS", EMULATOR_LOG):
        emulator = processes.start(command, EMULATOR_LOG, {**os.environ, "PYTHONPATH": str(ROOT)})
        processes.save(emulator, EMULATOR)
        try:
            _wait_until_ready(emulator)
        except BaseException:
            _stop(emulator)
            raise
    return emulator


def _wait_until_ready(emulator: psutil.Process) -> None:
    deadline = time.monotonic() + START_SECONDS
    while '"ready": true' not in EMULATOR_LOG.read_text(errors="replace"):
        if not emulator.is_running() or emulator.status() == psutil.STATUS_ZOMBIE:
            raise StepFailed("it ended while it started")
        if time.monotonic() > deadline:
            raise StepFailed(f"it was not ready after {START_SECONDS} s")
        time.sleep(0.05)


def _deploy(account: aws.Account) -> None:
    """What a user does with a new AWS account: bootstrap it, deploy to it."""
    environment = account.cdk_environment()
    cdk = str(ROOT / "node_modules" / ".bin" / "cdk")
    log = LOGS / "cdk-bootstrap.log"
    if not account.is_bootstrapped():
        with step(f"cdk bootstrap aws://{aws.ACCOUNT}/{account.region}", log):
            run([cdk, "bootstrap", f"aws://{aws.ACCOUNT}/{account.region}"], log, environment, BOOTSTRAP_SECONDS)
    log = LOGS / "cdk-deploy.log"
    with step("cdk deploy 'local/*'", log):
        command = [cdk, "deploy", "local/*", "--require-approval", "never", "--outputs-file", str(account.outputs_file)]
        run(command, log, environment, DEPLOY_SECONDS)
    with step("GET /health"):
        account.check_health()


def _stop(emulator: psutil.Process) -> None:
    processes.stop(emulator)
    EMULATOR.unlink(missing_ok=True)
    shutil.rmtree(STATE / "rds", ignore_errors=True)


@contextlib.contextmanager
def _alone(*, wait: bool = False) -> Iterator[None]:
    """Hold the lock that lets one command at a time change what runs."""
    with (STATE / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StepFailed(
                f"another `make up` is at work (process {lock.read()}): wait for it, or `make down`"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _is_locked() -> bool:
    with (STATE / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


if __name__ == "__main__":
    main()

"""Progress that a person can follow: each step with its time, and a failure with the end of its log."""

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stacks.refusal import see

LAST_LINES = 15


class StepFailed(Exception):
    """A step did not do its work; the message is for the person at the terminal, and ends with what explains it."""

    def __str__(self) -> str:
        """The message and the page."""
        return f"{super().__str__()}\n\n{see('local-run')}"


@contextlib.contextmanager
def step(title: str, log: Path | None = None) -> Iterator[None]:
    """Print the step while it runs and its time when it is done; on failure name it and show the end of `log`."""
    started = time.monotonic()
    print(f"  {title:<58}", end="", flush=True)
    try:
        yield
    except StepFailed as error:
        print("failed", flush=True)
        raise StepFailed(f"{title}: {error.args[0]}{_told_by(log) if log else ''}") from None
    except BaseException:
        print("interrupted", flush=True)
        raise
    print(f"{time.monotonic() - started:6.1f} s", flush=True)


def _told_by(log: Path) -> str:
    """What the log says of the failure: its last lines, and before them the resources that CloudFormation failed on."""
    lines = log.read_text(errors="replace").rstrip().splitlines() if log.exists() else []
    failed = [line for line in lines[:-LAST_LINES] if re.search(r"\| (CREATE|UPDATE|DELETE)_FAILED +\|", line)]
    shown = [*failed, *(["…"] if failed else []), *lines[-LAST_LINES:]]
    return "\n".join([f"\nfrom {log}:", *(f"    {line}" for line in shown)]) if shown else ""


def run(
    command: Sequence[str], log: Path, environment: Mapping[str, str], seconds: float, directory: Path | None = None
) -> None:
    """Run a command to its end with its output in `log`; StepFailed when it fails or takes longer than `seconds`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
        )
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise StepFailed(f"`{' '.join(command)}` took longer than {seconds:.0f} s") from None
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    if code != 0:
        raise StepFailed(f"`{' '.join(command)}` ended with {code}")


def say(text: str = "") -> None:
    """A line for the person at the terminal, if there still is one: `make up | head` must not fail."""
    with contextlib.suppress(BrokenPipeError):
        print(text, flush=True)

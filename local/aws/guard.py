"""Runs a command for the emulator, and ends it when the emulator is gone, however it went.

The first argument is the read end of a pipe whose other end only the emulator holds: it closes with the emulator, also
when that is killed. A file of its own without imports of ours, so that it starts quickly.
"""

import os
import signal
import subprocess
import sys
import threading

GRACE_SECONDS = 20  # PostgreSQL's fast shutdown writes a checkpoint


def main() -> None:
    """Run the command, pass SIGTERM and SIGINT on to it, and exit with its status."""
    lifeline, command = int(sys.argv[1]), sys.argv[2:]
    child = subprocess.Popen(command)  # takes over standard input, output and error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: child.terminate())
    threading.Thread(target=_end_with, args=(lifeline, child), daemon=True).start()
    status = child.wait()
    sys.exit(status if status >= 0 else 128 - status)


def _end_with(lifeline: int, child: "subprocess.Popen[bytes]") -> None:
    os.read(lifeline, 1)
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)  # the guard leads a process group of its own, which the command belongs to


if __name__ == "__main__":
    main()

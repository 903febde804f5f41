"""The local AWS: `.venv-emulator/bin/python -m local.aws --state build/local --python .venv/bin/python`."""

import argparse
import fcntl
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"  # never another one: whoever reaches the emulator may run programs here
INHERITED = ("LANG",)


def main() -> None:
    """Start the emulator from the command line, and end with the reason when it can't be."""
    parser = argparse.ArgumentParser(prog="python -m local.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="loopback port; 0 takes a free one (default: 4566)")
    parser.add_argument("--state", type=Path, required=True, help="folder for data, logs and certificates")
    parser.add_argument("--python", type=Path, required=True, help="interpreter that has what local.postgres needs")
    parser.add_argument(
        "--iam", action=argparse.BooleanOptionalAction, default=True,
        help="check signatures and policies of every request (default: yes)",
    )  # fmt: skip
    options = parser.parse_args()
    try:
        listener = listen(options.port)
        port = listener.getsockname()[1]
        state = options.state.absolute()
        lock = prepare(state)
        python = options.python.absolute()
        environment = settings(port, state, python, iam=options.iam)
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        os.environ.clear()
        os.environ.update(inherited | environment)
        tempfile.tempdir = None  # it may have been looked up before

        from local.aws import emulator  # ministack reads the environment while it is imported

        with lock:
            emulator.run(listener, endpoint=f"http://{HOST}:{port}", state=state, python=python)
    except (OSError, RuntimeError) as error:
        sys.exit(f"the local AWS could not start: {error}")


def listen(port: int) -> socket.socket:
    """A socket that listens on loopback, so that nobody else can take the port from here on."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        raise OSError(f"{HOST}:{port} is not free ({error.strerror}): end what listens there, or give --port") from None
    listener.listen(100)
    return listener


def prepare(state: Path) -> IO[str]:
    """Make the folders of the state, readable by their owner only, and keep others out while the result is open."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    state.chmod(0o700)
    lock = (state / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(f"another local AWS is using {state}: end that one, or give another --state") from None
    shutil.rmtree(state / "tmp", ignore_errors=True)  # what a killed emulator left
    for folder in (state / "logs", state / "tmp"):
        folder.mkdir(exist_ok=True, mode=0o700)
    return lock


def settings(port: int, state: Path, python: Path, *, iam: bool) -> dict[str, str]:
    """The environment of the emulator, which functions and databases inherit; nothing of the developer's gets there."""
    return {
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]),
        "HOME": str(state / "tmp"),  # no AWS profile and no ~/.pgpass
        "TMPDIR": str(state / "tmp"),
        "TZ": "UTC",
        "AUTH": str(iam).lower(),
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",  # or it listens for MQTT on every interface
        "SFTP_ENABLED": "0",
        "SFTP_HOST": HOST,
        "STATE_DIR": str(state / "tmp"),
        # For the functions: the AWS SDK that Lambda's Node.js has, and the local certificate authority.
        "NODE_PATH": str(ROOT / "node_modules"),
        "NODE_NO_WARNINGS": "1",
        "SSL_CERT_FILE": str(state / "certificates" / "ca.pem"),
    }


if __name__ == "__main__":
    main()

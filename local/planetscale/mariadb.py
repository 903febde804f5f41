"""A MariaDB on this machine, where PlanetScale's MySQL is on the internet.

It speaks TLS with a certificate of the local authority and refuses everything else, on loopback only. It is MariaDB
because Debian has no MySQL; the service's SQL is what both understand.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pymysql

from local.certificates import server_certificate
from local.machine import SOCKET_PATH_LIMIT, launcher

PROGRAM, PACKAGE = "mariadbd", "mariadb-server-core"
ADMINISTRATOR = "administrator"  # over the Unix socket only
SHARES = ("mysql", "mariadb")  # below share/: where a distribution keeps messages and system tables
SYSTEM_TABLES = ("*_system_tables.sql", "*_system_tables_data.sql")  # mysql_… or, in newer versions, mariadb_…
START_SECONDS, STOP_SECONDS = 60, 30
# Small and quick. Rows that were acknowledged survive a crash of the server, though not of the machine.
SETTINGS = {
    "skip-name-resolve": "ON",
    "require-secure-transport": "ON",
    "performance-schema": "OFF",
    "innodb-buffer-pool-size": "16M",
    "innodb-log-file-size": "8M",
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-doublewrite": "OFF",
    "aria-pagecache-buffer-size": "8M",
    "key-buffer-size": "1M",
    "character-set-server": "utf8mb4",
}


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A server's description. `application` and `migrator` are the passwords of users with these names.

    The first may read and write rows of `database`, the other may change its tables too. `settings` are MariaDB's own.
    """

    directory: str
    address: str
    port: int
    certificates: str
    database: str
    application: str = field(repr=False)
    migrator: str = field(repr=False)
    settings: dict[str, str] = field(default_factory=dict)


class Server:
    """A MariaDB server, with its data, log and socket below the instance's directory.

    Works as root too: then it runs as `nobody`, as local.postgres does. `program` is mariadbd.
    """

    def __init__(self, instance: Instance, program: Path) -> None:
        self.instance = instance
        self.directory = Path(instance.directory).absolute()
        self.log = self.directory / "mariadb.log"
        self._program = program
        self._share = _share(program)
        self._data = self.directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.directory.mkdir(parents=True, exist_ok=True)
        self.socket = self._short_directory() / "mariadb.sock"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._temporary:
            self._temporary.cleanup()

    def start(self) -> None:
        """Make the data directory if there is none, start the server, and return when it accepts connections.

        Brings users, passwords and database to what the instance says. Raises RuntimeError with the end of the log.
        """
        if not self._data.exists():
            self._initialise()
        users = self.directory / "users.sql"
        users.touch(mode=0o600)
        users.write_text(_users(self.instance))
        certificate, key = server_certificate(Path(self.instance.certificates), self.instance.address)
        settings = {
            **SETTINGS,
            "bind-address": self.instance.address,
            "port": str(self.instance.port),
            "ssl-cert": str(certificate),
            "ssl-key": str(key),
            "init-file": str(users),
            **self.instance.settings,
        }
        began = self.log.stat().st_size
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(settings), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", process_group=0
            )
        self._wait_until_ready(began)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server; with SIGKILL as a crash would, and the next start recovers."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def check(self) -> None:
        """Return while it runs; RuntimeError with the end of its log when it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"MariaDB has ended:\n{self._end_of_log()}")

    def administrator(self) -> Any:
        """A connection of PyMySQL's in autocommit that may do everything."""
        return connect(self.socket, self.instance.database)

    def _initialise(self) -> None:
        draft = self.directory / "data.draft"
        shutil.rmtree(draft, ignore_errors=True)
        (draft / "mysql").mkdir(parents=True, mode=0o700)
        _hand_over(draft)
        _hand_over(draft / "mysql")
        tables = "\n".join(next(self._share.glob(name)).read_text() for name in SYSTEM_TABLES)
        script = f"SET @auth_root_socket=NULL, @skip_auth_anonymous='Y';\nUSE mysql;\n{tables}\n"
        command = [*launcher(end="TERM"), *self._arguments(draft), "--bootstrap", "--innodb-log-file-size=8M"]
        with self.log.open("ab") as log:
            done = subprocess.run(command, input=script.encode(), stdout=log, stderr=log, cwd="/", check=False)
        if done.returncode != 0:
            raise RuntimeError(f"MariaDB could not make its system tables:\n{self._end_of_log()}")
        draft.rename(self._data)

    def _arguments(self, data: Path) -> list[str]:
        # Two servers that share a tmpdir remove each other's tables.
        own = {"datadir": data, "tmpdir": data}
        where = {**own, "lc-messages-dir": self._share, "character-sets-dir": self._share / "charsets"}
        return [str(self._program), "--no-defaults", *(f"--{name}={path}" for name, path in where.items())]

    def _command(self, settings: Mapping[str, str]) -> list[str]:
        own = [f"--socket={self.socket}", f"--pid-file={self.socket.with_suffix('.pid')}"]
        # A group of its own: Ctrl-C at a terminal is for whoever owns the server, who then stops it in order.
        return [
            *launcher(end="TERM"),
            *self._arguments(self._data),
            *own,
            *(f"--{name}={value}" for name, value in settings.items()),
        ]

    def _wait_until_ready(self, began: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if b"ready for connections" in self.log.read_bytes()[began:]:
                return
            self.check()
            time.sleep(0.02)
        self.stop(signal.SIGKILL)
        raise RuntimeError(f"MariaDB was not ready after {START_SECONDS} s:\n{self._end_of_log()}")

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def _short_directory(self) -> Path:
        beside = self.directory / "socket"
        if len(str(beside)) > SOCKET_PATH_LIMIT:
            self._temporary = tempfile.TemporaryDirectory(prefix="headroom-")
            beside = Path(self._temporary.name)
        beside.mkdir(exist_ok=True, mode=0o700)
        _hand_over(beside)
        return beside


def _share(program: Path) -> Path:
    """The folder with the server's messages and system tables."""
    shares = [program.resolve().parents[1] / "share" / name for name in SHARES]
    for share in shares:
        if all(any(share.glob(name)) for name in SYSTEM_TABLES):
            return share
    raise RuntimeError(f"{program} comes without its system tables, which are in none of {', '.join(map(str, shares))}")


def connect(socket: Path | str, database: str) -> Any:
    """A connection of PyMySQL's in autocommit as the administrator."""
    return pymysql.connect(
        unix_socket=str(socket),
        user=ADMINISTRATOR,
        password=ADMINISTRATOR,
        database=database,
        autocommit=True,
        ssl_disabled=True,
    )


def _users(instance: Instance) -> str:
    """SQL that makes users and database as they should be, one statement a line, and changes nothing that is so."""
    database = f"`{instance.database}`"
    lines = [f"CREATE DATABASE IF NOT EXISTS {database};"]
    rights = {"application": "SELECT, INSERT, UPDATE, DELETE", "migrator": "ALL PRIVILEGES"}
    for name, right in rights.items():
        password = pymysql.converters.escape_string(getattr(instance, name))
        lines += [
            f"CREATE USER IF NOT EXISTS '{name}'@'%';",
            f"ALTER USER '{name}'@'%' IDENTIFIED BY '{password}' REQUIRE SSL;",
            f"GRANT {right} ON {database}.* TO '{name}'@'%';",
        ]
    lines += [
        "DROP USER IF EXISTS 'root'@'localhost';",
        f"CREATE USER IF NOT EXISTS '{ADMINISTRATOR}'@'localhost' IDENTIFIED BY '{ADMINISTRATOR}';",
        f"GRANT ALL PRIVILEGES ON *.* TO '{ADMINISTRATOR}'@'localhost' WITH GRANT OPTION;",
    ]
    return "\n".join([*lines, ""])


def _hand_over(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, "nobody")


def main() -> None:
    """Print what a statement returns to the administrator: `python -m local.planetscale.mariadb <socket> …`."""
    socket, database, statement = sys.argv[1:]
    with connect(socket, database) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        for row in cursor.fetchall():
            print(*row, sep="\t")


if __name__ == "__main__":
    main()

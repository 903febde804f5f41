"""The stand-in for RDS Proxy beside PgBouncer and beside no proxy: `python -m benchmarks.proxy`.

pgbench's SELECT of one row, in its three protocol modes, with 1 and 16 clients, each measured in turn. Clients speak
TLS to both proxies (Debian's pgbench does; where there is only the wheel's, which has none, nobody does); directly they
speak to PostgreSQL's socket. PgBouncer is Debian's, and left out where it is not installed. What limits the stand-in is
that it is one thread of Python: its CPU time per transaction is the bound, and PgBouncer's stands beside it. Most of it
is spent in system calls and TLS, which both have; each message that the stand-in looks at costs it about 1 µs more.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg

from benchmarks.data_plane import ACCESS_KEY, HOST, ROOT
from benchmarks.deployed import free_port
from benchmarks.measure import cpu_seconds_of, interleave, table
from lambda_src.database import iam_token
from local.certificates import root_bundle, server_certificate
from local.machine import launcher
from local.postgres import Server
from local.postgres.server import SUPERUSER, binaries

MODES, CLIENTS = ("simple", "extended", "prepared"), (1, 16)
SECONDS = 1  # of each measurement
POOL, MAX_CONNECTIONS = 20, 100
ROLE = DATABASE = "bench"
START_SECONDS = 10
TRANSACTIONS = re.compile(r"number of transactions actually processed: (\d+)")
SPEED = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
FAILURES = re.compile(r"number of failed transactions: (\d+)")
DIRECT, PGBOUNCER, STAND_IN = "direct", "PgBouncer", "stand-in"


class Measurement(NamedTuple):
    """Transactions a second, and CPU time that the proxy spent on each, in microseconds."""

    speed: float
    proxy_cpu: float


@dataclass(frozen=True)
class Way:
    """A way to PostgreSQL: libpq's environment variables, and the proxy's process, if there is one."""

    variables: Mapping[str, str]
    process: int | None = None

    def cpu_seconds(self) -> float:
        """What the proxy has used so far."""
        return 0.0 if self.process is None else cpu_seconds_of(self.process)


def run(rounds: int) -> dict[str, object]:
    """Measure every combination `rounds` times."""
    pgbench = shutil.which("pgbench")  # of the machine, which speaks TLS
    temporary = tempfile.TemporaryDirectory(prefix="headroom-proxy-")
    with temporary as directory, _ways(Path(directory), tls=pgbench is not None) as ways:
        program = pgbench or str(binaries() / "pgbench")
        found = {
            f"{mode}, {clients} client{'s' * (clients > 1)}": _measure(program, ways, mode, clients, rounds)
            for mode in MODES
            for clients in CLIENTS
        }
    _print(found, tls=pgbench is not None, pgbouncer=PGBOUNCER in ways)
    return {"proxy": {"clients_speak_tls": pgbench is not None, "pgbouncer": PGBOUNCER in ways, "pgbench": found}}


def _measure(program: str, ways: Mapping[str, Way], mode: str, clients: int, rounds: int) -> dict[str, object]:
    # PgBouncer before 1.21 lets clients collide over named statements when it pools per transaction.
    able = {name: way for name, way in ways.items() if name != PGBOUNCER or mode != "prepared"}

    def candidate(way: Way) -> Callable[[], Measurement]:
        return lambda: _pgbench(program, way, mode, clients)

    series = interleave({name: candidate(way) for name, way in able.items()}, rounds, title=f"{mode}, {clients}")
    middle = {name: statistics.median(each.speed for each in measured) for name, measured in series.items()}
    cpu = {name: statistics.median(each.proxy_cpu for each in measured) for name, measured in series.items()}
    figures: dict[str, object] = {
        f"{_key(name)}_transactions_per_second": round(speed, 1) for name, speed in middle.items()
    }
    figures |= {f"{_key(name)}_latency_ms": round(1000 * clients / speed, 3) for name, speed in middle.items()}
    figures |= {f"{_key(name)}_cpu_us_per_transaction": round(each, 1) for name, each in cpu.items() if name != DIRECT}
    for name in (DIRECT, PGBOUNCER):
        pairs = zip(series[STAND_IN], series.get(name, []), strict=False)
        ratios = [ours.speed / other.speed for ours, other in pairs]
        figures[f"stand_in_to_{_key(name)}_ratio"] = round(statistics.median(ratios), 2) if ratios else None
    return figures


def _pgbench(program: str, way: Way, mode: str, clients: int) -> Measurement:
    words = [program, "--select-only", "--no-vacuum", f"--protocol={mode}", f"--time={SECONDS}", f"--client={clients}"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    before = way.cpu_seconds()
    done = subprocess.run(words, env={**kept, **way.variables}, capture_output=True, text=True, check=True)
    cpu = way.cpu_seconds() - before
    processed, speed, failures = (pattern.search(done.stdout) for pattern in (TRANSACTIONS, SPEED, FAILURES))
    if not processed or not speed or (failures and failures[1] != "0"):
        raise RuntimeError(f"pgbench in mode {mode} failed:\n{done.stdout}{done.stderr}")
    return Measurement(float(speed[1]), 1e6 * cpu / max(1, int(processed[1])))


@contextlib.contextmanager
def _ways(directory: Path, *, tls: bool) -> Iterator[dict[str, Way]]:
    certificates = directory / "certificates"
    root_bundle(certificates)
    with Server(directory / "postgres", {"max_connections": str(MAX_CONNECTIONS)}) as server:
        _fill(server)
        socket = {"PGHOST": str(server.socket_directory), "PGUSER": ROLE, "PGDATABASE": DATABASE}
        secured = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(certificates / "ca.pem")} if tls else {}
        with contextlib.ExitStack() as running:
            ways = {DIRECT: Way(socket)}
            process, port, password = running.enter_context(_stand_in(server, certificates, directory, tls=tls))
            local = {"PGHOST": HOST, "PGUSER": ROLE, "PGDATABASE": DATABASE, **secured}
            ways[STAND_IN] = Way({**local, "PGPORT": str(port), "PGPASSWORD": password}, process)
            if shutil.which("pgbouncer", path=_path()):
                process, port = running.enter_context(_pgbouncer(server, certificates, directory, tls=tls))
                ways[PGBOUNCER] = Way({**local, "PGPORT": str(port)}, process)
            yield ways


def _fill(server: Server) -> None:
    access = server.directory / "data" / "pg_hba.conf"
    access.write_text(f"local all {ROLE} trust\n{access.read_text()}")
    where = str(server.socket_directory)
    with psycopg.connect(host=where, user=SUPERUSER, dbname="postgres", autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE ROLE bench LOGIN")
        connection.execute("CREATE DATABASE bench OWNER bench")
    command = [str(binaries() / "pgbench"), "-h", where, "-U", ROLE, "--initialize", "--quiet", DATABASE]
    subprocess.run(command, capture_output=True, check=True)


@contextlib.contextmanager
def _stand_in(server: Server, certificates: Path, directory: Path, *, tls: bool) -> Iterator[tuple[int, int, str]]:
    """Its pid, its port and the password for it."""
    credentials, access_keys = directory / "credentials.json", directory / "access-keys.json"
    credentials.write_text(json.dumps({ROLE: None if tls else ROLE}))
    access_key = {"secret_access_key": ACCESS_KEY["AWS_SECRET_ACCESS_KEY"], "session_token": None}
    access_keys.write_text(json.dumps({ACCESS_KEY["AWS_ACCESS_KEY_ID"]: access_key}))
    login = ["--access-keys", str(access_keys)] if tls else ["--iam-auth", "disabled", "--no-require-tls"]
    command = [
        *(sys.executable, "-m", "local.rds_proxy", "--listen", f"{HOST}:0", "--certificates", str(certificates)),
        *("--upstream", str(server.socket_directory), "--credentials", str(credentials), *login),
        *("--max-connections-percent", str(POOL), "--max-idle-connections-percent", str(POOL)),
    ]
    with (directory / "stand-in.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RuntimeError(f"the stand-in did not start:\n{(directory / 'stand-in.log').read_text()}")
        port: int = json.loads(line)["port"]
        yield process.pid, port, iam_token.mint(HOST, port, ROLE, "us-east-1", ACCESS_KEY) if tls else ROLE
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)


@contextlib.contextmanager
def _pgbouncer(server: Server, certificates: Path, directory: Path, *, tls: bool) -> Iterator[tuple[int, int]]:
    """Its pid and its port."""
    port, configuration, users = free_port(), directory / "pgbouncer.ini", directory / "users.txt"
    certificate, key = server_certificate(certificates, HOST)
    users.write_text(f'"{ROLE}" ""\n')
    secured = ["client_tls_sslmode = require", f"client_tls_cert_file = {certificate}", f"client_tls_key_file = {key}"]
    lines = [
        *("[databases]", f"{DATABASE} = host={server.socket_directory} port=5432", "[pgbouncer]"),
        *(f"listen_addr = {HOST}", f"listen_port = {port}", "unix_socket_dir =", "auth_type = trust"),
        *(f"auth_file = {users}", "pool_mode = transaction", f"default_pool_size = {POOL}", *(secured if tls else [])),
    ]
    configuration.write_text("\n".join(lines))
    program = shutil.which("pgbouncer", path=_path()) or "pgbouncer"
    with (directory / "pgbouncer.log").open("w") as log:
        # It refuses to run as root, as PostgreSQL does.
        process = subprocess.Popen(
            [*launcher(), program, str(configuration)], stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_until_open(port, process, directory / "pgbouncer.log")
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if any(each.laddr.port == port for each in psutil.Process(process.pid).net_connections()):
            return
        time.sleep(0.02)
    raise RuntimeError(f"PgBouncer did not start:\n{log.read_text()}")


def _path() -> str:
    """Where programs are, with the folder that Debian puts servers in."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def _key(name: str) -> str:
    return name.lower().replace("-", "_")


def _print(found: Mapping[str, Mapping[str, object]], *, tls: bool, pgbouncer: bool) -> None:
    def shown(value: object) -> object:
        return "-" if value is None else value

    names = [f"{name}_transactions_per_second" for name in ("direct", "pgbouncer", "stand_in")]
    names += ["stand_in_to_direct_ratio", "stand_in_to_pgbouncer_ratio", "stand_in_latency_ms"]
    names += [f"{name}_cpu_us_per_transaction" for name in ("stand_in", "pgbouncer")]
    rows = [(what, *(shown(each.get(name)) for name in names)) for what, each in found.items()]
    header = ("pgbench -S", "direct tps", "PgBouncer", "stand-in", "stand-in/direct", "/PgBouncer", "latency ms")
    print(f"\n{table(rows, (*header, 'stand-in CPU µs', 'PgBouncer CPU µs'))}")
    if not tls:
        print("clients speak no TLS: the pgbench in PATH would, and there is none (Debian: postgresql-client)")
    if not pgbouncer:
        print("PgBouncer is not installed (Debian: pgbouncer)")


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 5)

"""The faults: what each does to the path, and what the callers may notice of it."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg

from benchmarks.drill.scene import Scene

AWAY_SECONDS = 3.0  # as long as a request's deadline
SHORTER_SECONDS = 2.5  # and PostgreSQL is back within it
QUARTER_OF_AN_HOUR = 15 * 60
SLOW_QUERY_SECONDS, SLOW_QUERIES = 1.8, 2  # each is shorter than the role's statement_timeout


@dataclass(frozen=True)
class Fault:
    """A fault; `happen` returns when its cause is gone. `may_fail`: whether a clean 503 in time is right."""

    name: str
    expected: str
    may_fail: bool
    happen: Callable[[Scene], None]


def kill_every_backend(scene: Scene) -> None:
    """Three times."""
    for _ in range(3):
        scene.kill_backends()
        time.sleep(0.5)


def restart(scene: Scene) -> None:
    """As a reboot of the instance does: sessions are told, then ended."""
    scene.stop_postgres(signal.SIGINT)
    scene.wait_until_back()


def crash(scene: Scene) -> None:
    """No session is told; PostgreSQL recovers from its log when it is started, which it is at once."""
    scene.stop_postgres(signal.SIGQUIT)
    scene.wait_until_back()


def crash_for(seconds: float) -> Callable[[Scene], None]:
    """Whoever would start PostgreSQL again is kept from it."""

    def happen(scene: Scene) -> None:
        scene.instance.suspend()
        try:
            scene.stop_postgres(signal.SIGQUIT)
            time.sleep(seconds)
        finally:
            scene.instance.resume()
        scene.wait_until_back()

    return happen


def restart_the_stand_in(scene: Scene) -> None:
    """Every client connection ends, and nothing listens until it is there again."""
    scene.stand_in.stop()
    scene.stand_in.start()


def outlive_the_token(scene: Scene) -> None:
    """Sixteen minutes pass for the stand-in: a token is checked when a client logs in, and never again."""
    scene.stand_in.set_clock(QUARTER_OF_AN_HOUR + 60)
    time.sleep(AWAY_SECONDS)
    scene.stand_in.set_clock(0)


def skew_the_clock(scene: Scene) -> None:
    """As above, and every client has to log in again: its new token is too old already."""
    scene.stand_in.set_clock(QUARTER_OF_AN_HOUR + 60)
    scene.forwarder.close_all()
    time.sleep(AWAY_SECONDS)
    scene.stand_in.set_clock(0)


def rotate(scene: Scene) -> None:
    """The application's password changes by the deployed rotation function, and then every session logs in anew."""
    client = scene.account.client("secretsmanager")
    words = scene.stand_in.command
    secret = words[words.index("--secret-arn") + 1]

    def current() -> str:
        return str(client.get_secret_value(SecretId=secret)["SecretString"])

    before = current()
    client.rotate_secret(SecretId=secret)
    scene.until(lambda: current() != before, "the rotation did not end")
    scene.kill_backends()


def exhaust_the_pool(scene: Scene) -> None:
    """As many slow queries as the pool has connections, twice."""
    with scene.superuser() as connection:
        (limit,) = connection.execute("SELECT current_setting('max_connections')::int").fetchone() or (0,)
    words = scene.stand_in.command
    pool = limit * int(words[words.index("--max-connections-percent") + 1]) // 100

    def query() -> None:
        try:
            with scene.client() as client:
                for _ in range(SLOW_QUERIES):
                    client.execute("SELECT pg_sleep(%s)", [SLOW_QUERY_SECONDS])
        except psycopg.Error:
            return  # it did not get its turn either

    with ThreadPoolExecutor(pool) as threads:
        for _ in range(pool):
            threads.submit(query)


def drop_packets(scene: Scene) -> None:
    """Between function and stand-in nothing passes, and nobody is told; what was held up arrives late."""
    scene.forwarder.black_hole()
    time.sleep(AWAY_SECONDS + 1)
    scene.forwarder.heal()


def reset_connections(scene: Scene) -> None:
    """Every connection between function and stand-in ends with RST, five times."""
    for _ in range(5):
        scene.forwarder.reset_all()
        time.sleep(0.4)


NOTHING, CLEAN = "no failed request", "no failed request but with a clean 503 within the deadline"
FAULTS = (
    Fault("every backend killed", NOTHING, may_fail=False, happen=kill_every_backend),
    Fault("restart", NOTHING, may_fail=False, happen=restart),
    Fault("crash, started at once", NOTHING, may_fail=False, happen=crash),
    Fault("crash, away for 2.5 s", NOTHING, may_fail=False, happen=crash_for(SHORTER_SECONDS)),
    Fault("crash, away for 3 s", CLEAN, may_fail=True, happen=crash_for(AWAY_SECONDS)),
    Fault("stand-in restarted", NOTHING, may_fail=False, happen=restart_the_stand_in),
    Fault("token older than 15 minutes", NOTHING, may_fail=False, happen=outlive_the_token),
    Fault("clock skew", CLEAN, may_fail=True, happen=skew_the_clock),
    Fault("rotation", NOTHING, may_fail=False, happen=rotate),
    Fault("pool exhausted", CLEAN, may_fail=True, happen=exhaust_the_pool),
    Fault("packets dropped", CLEAN, may_fail=True, happen=drop_packets),
    Fault("connections reset", NOTHING, may_fail=False, happen=reset_connections),
)

"""A process full of execution environments: see `clients`, which starts it and speaks with it over a pipe."""

import logging
import os
import random
import signal
import threading
import time
from multiprocessing.connection import Connection

import psycopg

from benchmarks.spike.outcome import Job, Outcome
from lambda_src.api.backend import StoreUnavailable
from lambda_src.api.ids import new_id
from lambda_src.database import connection
from lambda_src.database.connection import Database
from lambda_src.database.settings import Settings
from lambda_src.database.store import PostgresStore
from lambda_src.deadline import Deadline
from local import resource

STACK_BYTES = 512 * 1024
TICK = 0.1  # seconds between two messages
SECONDS_BETWEEN_LOOKS = 5.0  # for Ctrl-C while it connects: thousands of threads would do little else
STATEMENT = f"{resource.ADD} ON CONFLICT DO NOTHING RETURNING 1"  # as often as it is sent, one row


def run(pipe: Connection, count: int, job: Job) -> None:
    """Have `count` execution environments wait for a word, let them go, tell how they fare, end them all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    os.environ.update(job.variables)
    connection.TICK = SECONDS_BETWEEN_LOOKS
    outcome, lock = Outcome(), threading.Lock()
    environments: list[Environment] = []
    _count_refusals(outcome, lock)
    threading.stack_size(STACK_BYTES)
    begin, end = threading.Event(), threading.Event()
    for _ in range(count):
        environments.append(Environment(job, outcome, lock, begin, end))
        environments[-1].start()
    pipe.send((outcome.counts(), False))
    try:
        pipe.recv()
        begin.set()
        while not pipe.poll(TICK):
            _count(outcome, environments)
            pipe.send((outcome.counts(), False))
        pipe.recv()
        _count(outcome, environments)
        end.set()
        for environment in environments:
            environment.join()
        pipe.send((outcome, True))
    except (EOFError, BrokenPipeError):
        return  # whoever started us is gone; the threads are daemons


def _count(outcome: Outcome, environments: list["Environment"]) -> None:
    outcome.open = sum(environment.is_connected for environment in environments)
    outcome.connected = sum(environment.was_connected for environment in environments)
    outcome.finished = sum(environment.is_finished for environment in environments)


class Environment(threading.Thread):
    """One execution environment: it connects while it initialises, and keeps its connection until the end."""

    def __init__(
        self, job: Job, outcome: Outcome, lock: threading.Lock, begin: threading.Event, end: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self.is_connected = self.was_connected = self.is_finished = False
        self._job, self._outcome, self._lock, self._begin, self._end = job, outcome, lock, begin, end
        self._settings = Settings.from_environment()
        self._database = Database(self._settings)

    def run(self) -> None:
        """Called by the thread."""
        self._begin.wait()
        self._connect()
        for _ in range(self._job.requests):
            self._end.wait(random.uniform(0.5, 1.5) * self._job.think_seconds)  # noqa: S311 - no secret
            self._request()
        self.is_finished = True
        self._end.wait()
        self._database.close()

    def _connect(self) -> None:
        """What `Database.warm_up` does, with its outcome."""
        started = time.monotonic()
        try:
            self._database.connection(Deadline(self._settings.deadline))
            self.is_connected = True
        except (psycopg.Error, OSError):
            pass
        seconds = time.monotonic() - started
        with self._lock:
            self._outcome.refused += not self.is_connected
            if self.is_connected:
                self._outcome.connect_seconds.append(seconds)
        self.was_connected = self.is_connected

    def _request(self) -> None:
        started = time.monotonic()
        try:
            with self._database.session(Deadline(self._settings.deadline)) as session:
                PostgresStore(session).one(STATEMENT, {"tenant": "spike", "id": new_id(), "text": "spike"})
            self.is_connected = self.was_connected = True
        except StoreUnavailable:
            self.is_connected = False
        seconds = time.monotonic() - started
        with self._lock:
            self._outcome.done += self.is_connected
            self._outcome.failed += not self.is_connected
            if self.is_connected:
                self._outcome.request_seconds.append(seconds)


def _count_refusals(outcome: Outcome, lock: threading.Lock) -> None:
    """Count every attempt to connect that failed, as the function logs it."""

    class Counting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            reason = str(getattr(record, "error", record.getMessage())).strip().splitlines()[0]
            with lock:
                outcome.refused_attempts[reason.rpartition("FATAL:  ")[2]] += 1

    logger = logging.getLogger("lambda_src.database.connection")
    logger.addHandler(Counting())
    logger.propagate = False

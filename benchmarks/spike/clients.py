"""Execution environments without Lambda: one thread each, in a few processes, with a connection of its own.

A thousand Python processes are too much memory for most machines. What exhausts a database is the connections, and
those are made and used here by the function's own code: `lambda_src.database` connects and retries, the service's store
sends the statements.
"""

import multiprocessing
import time
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Self

from benchmarks.spike import environments
from benchmarks.spike.outcome import Job, Outcome

CLIENTS_A_PROCESS, PROCESSES = 250, 8


class Clients:
    """The processes with the threads. `begin` lets all threads go at once, `outcome` is what is known so far."""

    def __init__(self, count: int, job: Job) -> None:
        self._count = count
        self._outcomes: dict[Connection, Outcome] = {}
        self._workers: dict[Connection, BaseProcess] = {}
        context = multiprocessing.get_context("spawn")
        processes = min(PROCESSES, max(2, -(-count // CLIENTS_A_PROCESS)))
        for number in range(processes):
            ours, theirs = context.Pipe()
            share = count // processes + (number < count % processes)
            self._workers[ours] = context.Process(target=environments.run, args=(theirs, share, job), daemon=True)
            self._workers[ours].start()
            theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.terminate()
        for pipe, worker in self._workers.items():
            worker.join()
            pipe.close()

    def begin(self) -> None:
        """Let every execution environment go, as soon as all are there."""
        for pipe in self._workers:
            self._hear(pipe)
        self._tell()

    def listen(self, seconds: float) -> None:
        """Take in what the processes tell during this time; RuntimeError when one has ended."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for pipe in self._workers.keys() & set(wait([*self._workers], left)):
                self._hear(pipe)

    def end(self) -> Outcome:
        """Close every connection; the whole outcome, with times."""
        self._tell()
        for pipe in self._workers:
            while not self._hear(pipe):
                pass
        return self.outcome

    @property
    def outcome(self) -> Outcome:
        """The counts that the processes last told."""
        return sum(self._outcomes.values(), Outcome())

    @property
    def is_finished(self) -> bool:
        """Whether every execution environment has sent all it had to."""
        return self.outcome.finished == self._count

    def _hear(self, pipe: Connection) -> bool:
        """Take in one message; whether it was the process's last."""
        try:
            self._outcomes[pipe], is_last = pipe.recv()
        except EOFError:
            raise RuntimeError("a process with execution environments has ended") from None
        return bool(is_last)

    def _tell(self) -> None:
        for pipe in self._workers:
            pipe.send(None)

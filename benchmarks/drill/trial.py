"""One fault under load: what was asked, answered, stored, and whether that is what it should be."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.drill.faults import Fault
from benchmarks.drill.load import CALLERS, Answer, Load
from benchmarks.drill.scene import Scene
from benchmarks.progress import Progress
from local.resource import TABLE, TEXT

CALM_SECONDS, PATIENCE = 1.5, 30.0
GRACE_SECONDS = 2.0  # what a request may take beyond its deadline: the local AWS's and this machine's share
IN_A_ROW = 4 * CALLERS  # successes after which the path counts as well again
ROWS = f"SELECT {TEXT}, count(*) FROM {TABLE} WHERE tenant = %s GROUP BY {TEXT}"  # noqa: S608 (constants)


@dataclass(frozen=True)
class Trial:
    """What became of the requests of one fault; times in seconds, `began` and `ended` are the fault's."""

    fault: Fault
    answers: list[Answer]
    acknowledged: int
    lost: int
    duplicated: int
    began: float
    ended: float
    deadline: float
    recovered: bool

    @property
    def failed(self) -> int:
        """Requests that failed."""
        return sum(answer.failed for answer in self.answers)

    @property
    def longest_wait(self) -> float:
        """How long a caller waited for an answer."""
        return max(answer.seconds for answer in self.answers)

    @property
    def problems(self) -> list[str]:
        """Which expectations do not hold."""
        unclean = sorted({answer.status for answer in self.answers if not answer.is_clean})
        longest = self.deadline + GRACE_SECONDS
        found = {
            f"{self.lost} acknowledged rows are lost": self.lost,
            f"{self.duplicated} rows are there twice": self.duplicated,
            f"{self.failed} requests failed": self.failed and not self.fault.may_fail,
            f"answers with status {', '.join(map(str, unclean))} that are not in the contract": unclean,
            f"a request took {self.longest_wait:.1f} s, allowed are {longest:g}": self.longest_wait > longest,
            "it did not recover": not self.recovered,
        }
        return [problem for problem, holds in found.items() if holds]

    def figures(self) -> dict[str, Any]:
        """Plain data for build/drill.json."""
        return {
            "fault": self.fault.name,
            "expected": self.fault.expected,
            "as_expected": not self.problems,
            "problems": self.problems,
            "requests": len(self.answers),
            "failed": self.failed,
            "acknowledged_rows": self.acknowledged,
            "duplicated_rows": self.duplicated,
            "lost_rows": self.lost,
            "longest_wait_seconds": round(self.longest_wait, 3),
            "fault_began_seconds": round(self.began, 2),
            "fault_ended_seconds": round(self.ended, 2),
            "answers_at_seconds_took_seconds_status": [
                [round(answer.sent, 3), round(answer.seconds, 4), answer.status] for answer in self.answers
            ],
        }


def warm_up(scene: Scene, progress: Progress) -> None:
    """Load until every caller has an execution environment: what a cold start takes here is this machine's own."""
    with Load(scene.account, "drill-warm-up") as load:
        if not _wait(lambda: _is_well(load), lambda: progress.show("cold starts")):
            raise RuntimeError(f"the deployed API does not answer well: {load.answers[-1] if load.answers else load}")


def run(scene: Scene, fault: Fault, number: int, progress: Progress) -> Trial:
    """Load, then the fault, then load until the path is well again."""

    def show() -> None:
        state = f"{fault.name:<28} {load.seconds:5.1f} s: {len(load.answers):>5} requests, {load.failed:>4} failed"
        progress.show(state)

    with Load(scene.account, f"drill-{number}") as load:
        _wait(lambda: load.seconds > CALM_SECONDS and _is_well(load), show)
        began = load.seconds
        fault.happen(scene)
        ended = load.seconds
        recovered = _wait(lambda: load.seconds > ended + CALM_SECONDS and _is_well(load), show)
    return Trial(
        fault=fault,
        answers=sorted(load.answers, key=lambda answer: answer.sent),
        acknowledged=len(load.acknowledged),
        **_rows(scene, load),
        began=began,
        ended=ended,
        deadline=float(scene.variables["DB_DEADLINE_SECONDS"]),
        recovered=recovered,
    )


def _rows(scene: Scene, load: Load) -> dict[str, int]:
    with scene.superuser() as connection:
        stored: dict[str, int] = dict(connection.execute(ROWS, [load.tenant]).fetchall())
    lost = [text for text in load.acknowledged if text not in stored]
    return {"lost": len({*lost, *load.unread}), "duplicated": sum(count - 1 for count in stored.values())}


def _is_well(load: Load) -> bool:
    latest = load.answers[-IN_A_ROW:]
    return len(latest) == IN_A_ROW and not any(answer.failed for answer in latest)


def _wait(condition: Callable[[], bool], show: Callable[[], None]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        show()
        time.sleep(0.1)
    return True

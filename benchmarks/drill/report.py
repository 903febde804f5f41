"""The drill's table, its figures as plain data, and its page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.drill.load import CALLERS
from benchmarks.drill.trial import Trial

HEADER = ("fault", "requests", "failed", "duplicated rows", "lost rows", "longest wait s", "as expected")
EXPLANATION = (
    f"{CALLERS} callers create rows through the deployed API and read each of them back, one request at a time. "
    "Every request is signed, passes the local AWS, a process of the deployed function, a forwarder that can fail as "
    "networks do, and the stand-in for RDS Proxy, and ends in PostgreSQL. No caller tries again. A row is lost when "
    "its creation was acknowledged and it is not there; it is duplicated when one request made two. A clean failure is "
    "503 as a problem document with Retry-After."
)


def rows(trials: Sequence[Trial]) -> list[tuple[object, ...]]:
    """The table's rows; see HEADER."""
    return [
        (
            trial.fault.name,
            len(trial.answers),
            trial.failed,
            trial.duplicated,
            trial.lost,
            f"{trial.longest_wait:.2f}",
            "; ".join(trial.problems) or "yes",
        )
        for trial in trials
    ]


def figures(trials: Sequence[Trial]) -> dict[str, Any]:
    """What build/drill.json holds."""
    return {
        "callers": CALLERS,
        "deadline_seconds": trials[0].deadline,
        "requests": sum(len(trial.answers) for trial in trials),
        "lost_rows": sum(trial.lost for trial in trials),
        "duplicated_rows": sum(trial.duplicated for trial in trials),
        "faults": [trial.figures() for trial in trials],
    }


def write_page(path: Path, trials: Sequence[Trial]) -> None:
    """The page: a table, and a timeline for each fault."""
    requests, lost = sum(len(trial.answers) for trial in trials), sum(trial.lost for trial in trials)
    duplicated = sum(trial.duplicated for trial in trials)
    head = f"{len(trials)} faults, {requests:,} requests: {lost} rows lost, {duplicated} duplicated"
    key = [("a", "answered"), ("bad", "failed"), ("shade", "the fault")]
    plots = "".join(_plot(trial) for trial in trials)
    body = [
        f"<h1>{head}</h1>",
        f'<p class="soft">{EXPLANATION}</p>',
        page.table(rows(trials), HEADER, left=(len(HEADER) - 1,)),
        f"<h2>Timelines</h2>{page.legend(key)}",
        f'<div class="row">{plots}</div>',
    ]
    page.write(path, head, "\n".join(body))


def _plot(trial: Trial) -> str:
    good = [(answer.sent, answer.seconds) for answer in trial.answers if not answer.failed]
    bad = [(answer.sent, answer.seconds) for answer in trial.answers if answer.failed]
    found = f"{len(trial.answers)} requests, {trial.failed} failed, the longest took {trial.longest_wait:.2f} s"
    return page.Plot(
        title=trial.fault.name,
        subtitle=found,
        seconds=max(answer.sent + answer.seconds for answer in trial.answers),
        top=trial.deadline + 1,
        unit="seconds to the answer, by when the request was sent",
        dots=[("a", good), ("bad", bad)],
        limit=(trial.deadline, "deadline"),
        shaded=(trial.began, trial.ended),
        description=f"{found}; expected: {trial.fault.expected}; {'; '.join(trial.problems) or 'as expected'}",
    ).figure()

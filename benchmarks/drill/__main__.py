"""`python -m benchmarks.drill`: faults under load through the deployed path, each with what is expected of it."""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.deployed import deployed
from benchmarks.drill import report
from benchmarks.drill.faults import FAULTS, Fault
from benchmarks.drill.scene import scene
from benchmarks.drill.trial import Trial, run, warm_up
from benchmarks.measure import table
from benchmarks.progress import Progress
from local.up.aws import Account

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Run it; exit status 1 with a sentence when an expectation does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drill", description=__doc__)
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="FAULT", help=", ".join(names))
    parser.add_argument("--output", type=Path, default=ROOT / "build", help="folder for drill.json and drill.html")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end in order, as for Ctrl-C
    faults = [fault for fault in FAULTS if fault.name in options.only]
    try:
        with tempfile.TemporaryDirectory(prefix="headroom-drill-") as state, deployed(Path(state)) as account:
            trials = drill(account, faults, Path(state))
    except RuntimeError as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: nothing that this run started is left running")
    _tell(trials, options.output)


def drill(account: Account, faults: Sequence[Fault], directory: Path) -> list[Trial]:
    """Every fault, one after the other, on what is deployed; which is as it was when this returns."""
    progress, trials = Progress(), []
    with scene(account, directory) as path:
        warm_up(path, progress)
        for number, fault in enumerate(faults):
            trials.append(run(path, fault, number, progress))
            progress.done(_line(trials[-1]))
    return trials


def _line(trial: Trial) -> str:
    outcome = "as expected" if not trial.problems else "; ".join(trial.problems)
    counts = f"{len(trial.answers):>5} requests, {trial.failed:>4} failed, longest {trial.longest_wait:4.1f} s"
    return f"{trial.fault.name:<28} {counts}: {outcome}"


def _tell(trials: Sequence[Trial], output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    print("\n" + table(report.rows(trials), report.HEADER))
    print("\n" + report.EXPLANATION)
    report.write_page(output / "drill.html", trials)
    (output / "drill.json").write_text(json.dumps(report.figures(trials), indent=1))
    print(f"\ntimelines: {output / 'drill.html'}")
    print(output / "drill.json", flush=True)
    if problems := [f"{trial.fault.name}: {'; '.join(trial.problems)}" for trial in trials if trial.problems]:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()

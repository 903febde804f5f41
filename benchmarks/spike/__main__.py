"""`python -m benchmarks.spike`: the failure that this template is about, then its cure, for real."""

import argparse
import json
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.data_plane import HOST
from benchmarks.measure import table
from benchmarks.progress import Progress
from benchmarks.spike import functions, report
from benchmarks.spike.phase import Phase, run
from benchmarks.spike.surroundings import MAX_CONNECTIONS, surroundings

ROOT = Path(__file__).parents[2]
WAYS = ("direct", "pooled")
OPEN_FILES_OF_OUR_OWN = 200


def main() -> None:
    """Run it; exit status 1 with a sentence when it can't be, or when the cure did not cure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spike", description=__doc__)
    add = parser.add_argument
    add("--clients", type=int, nargs="+", default=[500, 1000], help="execution environments (default: 500 1000)")
    add("--functions", type=int, default=50, help="processes of the deployed function, 0 for none (default: 50)")
    add("--output", type=Path, default=ROOT / "build", help="folder for spike.json and spike.html (default: build)")
    options = parser.parse_args()
    if min(options.clients) < 1 or not 0 <= options.functions <= 50:
        parser.error("--clients takes numbers from 1, --functions a number from 0 to 50")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end in order, as for Ctrl-C
    try:
        phases, found = spike(options.clients, options.functions)
    except RuntimeError as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: nothing that this run started is left running")
    _tell(phases, found, options.output)


def spike(clients: Sequence[int], function_processes: int) -> tuple[list[Phase], dict[str, Any] | None]:
    """All phases, direct and pooled for each number of clients, and what the deployed function did."""
    _may_open_files(2 * max(clients))
    progress = Progress()
    with tempfile.TemporaryDirectory(prefix="headroom-spike-") as directory:
        with surroundings(Path(directory)) as around:
            page = f"http://{HOST}:{around.metrics_port}/"
            print(f"PostgreSQL with max_connections={MAX_CONNECTIONS}; while clients are pooled, watch them at {page}")
            phases = []
            for asked in clients:
                for way in WAYS:
                    phases.append(run(around, way, asked, lambda phase: progress.show(_line(phase))))
                    progress.done(_line(phases[-1]))
        if not function_processes:
            return phases, None
        print(f"\nthe deployed function, with a reserved concurrency of {function_processes}:")
        return phases, functions.run(Path(directory) / "deployed", function_processes)


def _line(phase: Phase) -> str:
    at, clients, servers = phase.samples[-1]
    outcome = phase.outcome
    return (
        f"{phase.way:<6} {phase.asked:>5} clients {at:5.1f} s: {clients:>5} connected, {outcome.refused:>5} refused, "
        f"{servers:>3} server connections, {outcome.done:>6} done, {outcome.failed:>6} failed"
    )


def _tell(phases: Sequence[Phase], found: dict[str, Any] | None, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    print("\n" + table(report.rows(phases), report.HEADER))
    if found:
        print("\n" + report.functions_story(found))
    print("\n" + report.EXPLANATION)
    report.write_page(output / "spike.html", phases, found)
    (output / "spike.json").write_text(json.dumps(report.figures(phases, found), indent=1))
    print(f"\nplots for a talk: {output / 'spike.html'}")
    print(output / "spike.json", flush=True)
    if problems := _problems(phases, found):
        sys.exit("; ".join(problems))


def _problems(phases: Sequence[Phase], found: dict[str, Any] | None) -> list[str]:
    """What should not be."""
    problems = []
    for phase in phases:
        what = f"{phase.asked} clients, {phase.way}"
        if phase.way == "pooled" and (phase.outcome.refused or phase.outcome.failed):
            problems.append(f"{what}: {phase.outcome.refused} refused, {phase.outcome.failed} failed")
        if phase.rows < phase.outcome.done:
            problems.append(f"{what}: {phase.outcome.done} requests were acknowledged and {phase.rows} rows are there")
        if phase.way == "pooled" and phase.peak_server_connections > report.POOL:
            problems.append(f"{what}: {phase.peak_server_connections} server connections, allowed are {report.POOL}")
    if found and found["answers_by_status"] != {"200": found["reserved_concurrency"], "429": 1}:
        problems.append(f"the functions' answers are {found['answers_by_status']}")
    return problems


def _may_open_files(count: int) -> None:
    """Raise our own limit of open files, which our processes inherit; RuntimeError when it can't be high enough."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + OPEN_FILES_OF_OUR_OWN
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise RuntimeError(f"a process may open {hard} files here and {needed} are needed: see `ulimit -Hn`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(needed, resource.getrlimit(resource.RLIMIT_NOFILE)[0]), hard))


if __name__ == "__main__":
    main()

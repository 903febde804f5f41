"""Synthesis.

`cdk synth '**'` of every environment with every check on, against an app of as many stacks with nothing in them and
CDK's own validation on. The functions' bundle is cached, as it is for whoever synthesizes twice.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import cpu_seconds, interleave, ratio, table
from stacks.environments import ENVIRONMENTS

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "benchmarks" / "synth"
MOST = 1.3  # times the empty app; the aim is 1.15
PROJECT, EMPTY = "the project, every check on", "as many empty stacks"
APPS = {
    PROJECT: [sys.executable, "app.py"],
    EMPTY: [sys.executable, "-m", "benchmarks.empty_app", *(each.name for each in ENVIRONMENTS)],
}


def run(rounds: int = 7) -> dict[str, object]:
    """Both apps in turns, `rounds` times each; the ratios are of seconds by the clock, and of seconds of CPU."""
    by_clock: dict[str, list[float]] = {name: [] for name in APPS}
    candidates = {name: _measured(name, app, by_clock[name]) for name, app in APPS.items()}
    for candidate in candidates.values():
        candidate()  # bundles the functions and fills the caches of jsii and Python, which everybody has
    for values in by_clock.values():
        values.clear()
    by_cpu = interleave(candidates, rounds, title="synth")
    clock = ratio(by_clock[PROJECT], by_clock[EMPTY])
    cpu = ratio(by_cpu[PROJECT], by_cpu[EMPTY])
    rows = [(name, f"{min(by_clock[name]):.2f}", f"{min(by_cpu[name]):.2f}") for name in APPS]
    sys.stdout.write(
        table([*rows, ("ratio", clock, cpu)], ["cdk synth '**'", "seconds (least)", "CPU seconds (least)"])
    )
    sys.stdout.write(f"\nThe limit is {MOST}.\n")
    figures = {
        "rounds": rounds,
        "stacks": 2 * len(ENVIRONMENTS),
        "largest_allowed_ratio": MOST,
        "ratio_of_median_seconds": round(clock.of_medians, 3),
        "ratio_of_minimum_seconds": round(clock.of_minima, 3),
        "ratio_of_median_cpu_seconds": round(cpu.of_medians, 3),
        "ratio_of_minimum_cpu_seconds": round(cpu.of_minima, 3),
        "seconds": {name: [round(each, 3) for each in values] for name, values in by_clock.items()},
        "cpu_seconds": {name: [round(each, 3) for each in values] for name, values in by_cpu.items()},
    }
    return {"synth": figures}


def _measured(name: str, app: list[str], seconds: list[float]) -> Callable[[], float]:
    """Synthesize one app once: the CPU seconds, and the seconds by the clock at the end of `seconds`."""
    output = BUILD / ("project" if name == PROJECT else "empty")
    output.mkdir(parents=True, exist_ok=True)
    command = ["cdk", "synth", "--quiet", "--app", " ".join(app), "--output", str(output), "**"]
    path = os.pathsep.join([str(Path(sys.executable).parent), str(ROOT / "node_modules" / ".bin"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "CDK_DISABLE_CLI_TELEMETRY": "true"}

    def measure() -> float:
        begin = time.perf_counter()
        cpu = cpu_seconds(command, environment=environment, cwd=ROOT)
        seconds.append(time.perf_counter() - begin)
        return cpu

    return measure


if __name__ == "__main__":
    run()

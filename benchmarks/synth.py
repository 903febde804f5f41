"""Synthesis.

`cdk synth '**'` of every environment with every check on, against the same environments with CDK's own validation only,
and against as many stacks with nothing in them, CDK's own validation on. The functions' bundle is cached, as it is for
whoever synthesizes twice.
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
CHECKED, UNCHECKED, EMPTY = "the project, every check on", "the project, CDK's checks only", "as many empty stacks"
APPS = {
    CHECKED: [sys.executable, "app.py"],
    UNCHECKED: [sys.executable, "-m", "benchmarks.unchecked_app"],
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
    rows = [(name, f"{min(by_clock[name]):.2f}", f"{min(by_cpu[name]):.2f}") for name in APPS]
    ratios = {
        "checks": ("every check / CDK's checks only", UNCHECKED),
        "everything": ("the project / empty stacks", EMPTY),
    }
    compared = {
        name: (title, ratio(by_clock[CHECKED], by_clock[other]), ratio(by_cpu[CHECKED], by_cpu[other]))
        for name, (title, other) in ratios.items()
    }
    sys.stdout.write(table([*rows, *compared.values()], ["cdk synth '**'", "seconds (least)", "CPU seconds (least)"]))
    figures: dict[str, object] = {
        "rounds": rounds,
        "stacks": 2 * len(ENVIRONMENTS),
        "seconds": {name: [round(each, 3) for each in values] for name, values in by_clock.items()},
        "cpu_seconds": {name: [round(each, 3) for each in values] for name, values in by_cpu.items()},
    }
    for name, (_, clock, cpu) in compared.items():
        figures |= {
            f"{name}_ratio_of_median_seconds": round(clock.of_medians, 3),
            f"{name}_ratio_of_minimum_seconds": round(clock.of_minima, 3),
            f"{name}_ratio_of_median_cpu_seconds": round(cpu.of_medians, 3),
            f"{name}_ratio_of_minimum_cpu_seconds": round(cpu.of_minima, 3),
        }
    return {"synth": figures}


def _measured(name: str, app: list[str], seconds: list[float]) -> Callable[[], float]:
    """Synthesize one app once: the CPU seconds, and the seconds by the clock at the end of `seconds`."""
    output = BUILD / ("empty" if name == EMPTY else "checked")  # which holds the cached bundle
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

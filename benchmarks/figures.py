"""`python -m benchmarks.figures`: keep what README.md says of build/bench.json, spike.json and drill.json.

docs/figures.json is their part that is committed; `make runbook` writes README.md's table from it. What was not
measured again keeps its earlier figure, with the day and the machine.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.data_plane import ROOT
from benchmarks.measure import surroundings

KEPT = ROOT / "docs" / "figures.json"
Figures = Mapping[str, Any]
OURS = "this service"
# The name in docs/figures.json -> the way of the benchmark `handler`.
OTHERS = {"connection_per_request": "connection per request", "boto3_token": "boto3 token, psycopg"}


def of_bench(found: Figures) -> dict[str, Any] | None:
    """What is kept of build/bench.json: of the function, and of others as ratios to it."""
    functions = found.get("functions")
    if functions is None:
        return None  # `make bench` ran in part
    ours = functions[OURS]
    return {
        "measured_on": found["measured_on"],
        "machine": found["machine"],
        "round_trips_first_request": ours["round_trips_first_request_counted"],
        "round_trips_warm_request": ours["round_trips_warm_request_counted"],
        "connections_per_warm_request": ours["connections_per_warm_request"],
        "pinned_sessions": ours["pinned_sessions"],
        **{f"round_trips_{key}": functions[way]["round_trips_warm_request_counted"] for key, way in OTHERS.items()},
        **{f"latency_ratio_{key}": functions[way]["warm_latency_ratio_of_medians"] for key, way in OTHERS.items()},
    }


def of_spike(found: Figures) -> dict[str, Any]:
    """What is kept of build/spike.json: the largest number of clients that was tried both ways."""
    most = max(phase["execution_environments"] for phase in found["phases"])
    ways = {each["way"]: each for each in found["phases"] if each["execution_environments"] == most}
    counts = ("refused", "requests_done", "requests_failed", "peak_server_connections")
    return {
        **surroundings(),
        "execution_environments": most,
        "max_connections": found["max_connections"],
        "ways": {way: {name: each[name] for name in counts} for way, each in ways.items()},
    }


def of_drill(found: Figures) -> dict[str, Any]:
    """What is kept of build/drill.json."""
    faults = found["faults"]
    return {
        **surroundings(),
        "faults": len(faults),
        "faults_as_expected": sum(each["as_expected"] for each in faults),
        **{name: found[name] for name in ("requests", "lost_rows", "duplicated_rows")},
    }


SOURCES: Mapping[str, Callable[[Figures], dict[str, Any] | None]] = {
    "bench": of_bench,
    "spike": of_spike,
    "drill": of_drill,
}


def collect(build: Path, kept: Path) -> list[str]:
    """Bring `kept` up to date with what is in `build`; returns the names of what was there."""
    figures = json.loads(kept.read_text()) if kept.exists() else {}
    new = {
        name: part
        for name, keep in SOURCES.items()
        if (path := build / f"{name}.json").exists() and (part := keep(json.loads(path.read_text())))
    }
    kept.write_text(json.dumps({**figures, **new}, indent=2, sort_keys=True) + "\n")
    return [*new]


if __name__ == "__main__":
    taken = collect(ROOT / "build", KEPT)
    print(f"{KEPT.relative_to(ROOT)} has {', '.join(taken) or 'nothing new'}")

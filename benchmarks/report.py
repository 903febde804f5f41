"""docs/benchmarks.md and its plot, from one run of all benchmarks."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Figures = Mapping[str, Any]

PANELS = {  # figures of the benchmark `handler` that the plot shows
    "round_trips_warm_request_counted": "Round trips of a warm request",
    "warm_latency_ratio_of_medians": "Latency of a warm request in the same zone, ratio to this service",
    "warm_cpu_ratio_of_medians": "CPU of a warm request, ratio to this service",
    "init_cpu_ratio_of_medians": "CPU of a start, ratio to this service",
}
LABEL, BAR, ROW, GAP, HEAD = 200, 420, 22, 26, 30  # pixels
STYLE = """text { font: 13px system-ui, sans-serif; fill: #1f2328; } .title { font-weight: 600; }
.other { fill: #8c959f; }
.value { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
.ours { fill: #0969da; } .unsure { opacity: .45; } .line { stroke: #0969da; stroke-dasharray: 4 3; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .other { fill: #6e7681; } .ours { fill: #58a6ff; }
.line { stroke: #58a6ff; } .value { stroke: #0d1117; } }"""
INTRODUCTION = """# Benchmarks

What a request, a start, the zip, the stand-in for RDS Proxy and synthesis cost, beside other ways to do the same.
`make bench` measures it again on your machine, and writes this page. Counts (round trips, connections, modules, bytes)
are exact, and tests check them. Times are ratios to the service's own function, measured in the same minutes, in an
order drawn anew each round. Where the ratio of the medians and the ratio of the minima differ by more than 20 %, the
machine was too busy and there is no verdict. The null handler does nothing: it costs what Lambda's runtime costs.
"""


def write(directory: Path, surroundings: Figures, figures: Figures, tables: Mapping[str, str]) -> Path:
    """Write the page and the plot; returns the page's path."""
    (directory / "benchmarks.svg").write_text(plot(figures["functions"]))
    versions = ", ".join(f"{name} {number}" for name, number in surroundings["versions"].items())
    parts = [
        INTRODUCTION,
        f"Measured on {surroundings['measured_on']} with {surroundings['rounds']} rounds: {surroundings['machine']}, "
        f"load average {surroundings['load_average_before']} before and {surroundings['load_average_after']} after.\n"
        f"{versions}.\n",
        "![Latency, CPU and start of each function as a ratio to this service](benchmarks.svg)\n",
        *(_section(explanation, table) for explanation, table in tables.items()),
    ]
    page = directory / "benchmarks.md"
    page.write_text("\n".join(parts))
    return page


def _section(explanation: str, table: str) -> str:
    title, _, rest = explanation.strip().partition("\n\n")
    heading = title.replace("\n", " ").partition(": `")[0].rstrip(".")
    return f"## {heading}\n\n{rest}\n\n```text\n{table.strip()}\n```\n"


def plot(functions: Mapping[str, Figures]) -> str:
    """The functions' ratios as bars, an SVG image that follows the reader's light or dark scheme."""
    names = sorted(functions, key=lambda name: float(functions[name]["warm_latency_ratio_of_medians"]))
    height = len(PANELS) * (HEAD + len(names) * ROW + GAP)
    panels = [
        _panel(index * (HEAD + len(names) * ROW + GAP), title, figure, names, functions)
        for index, (figure, title) in enumerate(PANELS.items())
    ]
    width = LABEL + BAR + 150
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">'
    return f"{head}\n<style>{STYLE}</style>\n" + "\n".join(panels) + "\n</svg>\n"


def _panel(top: int, title: str, figure: str, names: Sequence[str], functions: Mapping[str, Figures]) -> str:
    largest = max(float(functions[name][figure]) for name in names)
    x, bottom = LABEL + BAR / largest, top + HEAD + len(names) * ROW
    parts = [
        f'<text class="title" x="0" y="{top + 16}">{html.escape(title)}</text>',
        f'<line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="{top + HEAD}" y2="{bottom}"/>',
    ]
    for row, name in enumerate(names):
        value = float(functions[name][figure])
        minima = float(functions[name].get(figure.replace("medians", "minima"), value))
        y, length = top + HEAD + row * ROW, max(1.0, BAR * value / largest)
        unsure = abs(value - minima) > 0.2 * minima
        style = f"{'ours' if name == 'this service' else 'other'}{' unsure' if unsure else ''}"
        shown = f"{value:.3g}{' (no verdict)' if unsure else ''}"
        parts.append(f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{html.escape(name)}</text>')
        parts.append(f'<rect class="{style}" x="{LABEL}" y="{y + 3}" width="{length:.1f}" height="{ROW - 6}" rx="2"/>')
        parts.append(f'<text class="value" x="{LABEL + length + 6:.1f}" y="{y + 14}">{shown}</text>')
    return "\n".join(parts)

"""One HTML page that stands alone: no script, nothing loaded, plots as inline SVG, light and dark, wide and narrow."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WIDTH, HEIGHT = 440, 230
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 16, 36
TICKS = 5
LEFT_CELL = ' class="left"'

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1a1d21; --soft: #5b6470; --line: #d5dae0; --panel: #f6f8fa;
  --a: #0b62c4; --b: #b3400a; --bad: #c4122f; --shade: #f1d9c8; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --ink: #e8eaed; --soft: #a3acb8; --line: #363c44;
  --panel: #1d2126; --a: #6cb2ff; --b: #ffa066; --bad: #ff7385; --shade: #4a3324; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1rem clamp(.75rem, 3vw, 2.5rem) 3rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: clamp(1.4rem, 4vw, 2.2rem); line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; }
p { max-width: 46rem; }
.soft { color: var(--soft); }
.row { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; padding: .75rem; background: var(--panel); border-radius: .5rem; min-width: 0; }
figcaption { font-weight: 600; }
figcaption small { display: block; font-weight: 400; color: var(--soft); }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 13px system-ui, sans-serif; }
.grid { stroke: var(--line); } .limit { stroke: var(--bad); stroke-dasharray: 5 4; } svg text.limit { fill: var(--bad);
  stroke: none; }
.a { stroke: var(--a); } .b { stroke: var(--b); } .bad { stroke: var(--bad); }
.dot.a { fill: var(--a); stroke: none; } .dot.b { fill: var(--b); stroke: none; }
.dot.bad { fill: var(--bad); stroke: none; } .shade { fill: var(--shade); }
polyline { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.key { display: inline-block; width: 1.4em; height: .3em; margin: 0 .35em .2em 0; border-radius: .1em; }
.key.a { background: var(--a); } .key.b { background: var(--b); } .key.bad { background: var(--bad); }
.key.shade { background: var(--shade); height: .8em; margin-bottom: -.05em; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .5rem 0 1rem; padding: 0; list-style: none; }
.table { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
th { vertical-align: bottom; white-space: normal; min-width: 4.5rem; } th:first-child,
td:first-child { text-align: left; min-width: 8rem; }
td.left, th.left { text-align: left; white-space: normal; }
:focus-visible { outline: 3px solid var(--a); outline-offset: 2px; }
"""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A plot over time: lines, or dots, or both, each with the style `a`, `b` or `bad`.

    `seconds` and `top` are where the axes end. `limit` is a horizontal line with its words, `shaded` a span of time.
    """

    title: str
    subtitle: str
    seconds: float
    top: float
    unit: str
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]] = ()
    dots: Sequence[tuple[str, Sequence[tuple[float, float]]]] = ()
    limit: tuple[float, str] | None = None
    shaded: tuple[float, float] | None = None
    description: str = field(default="")

    def figure(self) -> str:
        """The plot as an HTML figure."""
        label = html.escape(f"{self.title}: {self.description or self.subtitle}", quote=True)
        caption = f"<figcaption>{html.escape(self.title)}<small>{html.escape(self.subtitle)}</small></figcaption>"
        parts = [*self._shade(), *self._axes(), *self._lines(), *self._dots(), *self._limit()]
        view = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}"'
        return f"<figure>{caption}<svg {view}>{''.join(parts)}</svg></figure>"

    def _x(self, seconds: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, seconds / self.seconds)), 1)

    def _y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(1.0, value / self.top), 1)

    def _axes(self) -> Iterable[str]:
        for value in ticks(self.top):
            y = self._y(value)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            yield f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>'
        for value in ticks(self.seconds):
            yield f'<text x="{self._x(value)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:g} s</text>'
        yield f'<text x="{LEFT}" y="{HEIGHT - 2}">{html.escape(self.unit)}</text>'

    def _lines(self) -> Iterable[str]:
        for style, points in self.lines:
            path = " ".join(f"{self._x(x)},{self._y(y)}" for x, y in points)
            yield f'<polyline class="{style}" points="{path}"/>'

    def _dots(self) -> Iterable[str]:
        for style, points in self.dots:
            for x, y in points:
                yield f'<circle class="dot {style}" cx="{self._x(x)}" cy="{self._y(y)}" r="2.5"/>'

    def _limit(self) -> Iterable[str]:
        if self.limit:
            value, words = self.limit
            y = self._y(value)
            yield f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            yield f'<text class="limit" x="{WIDTH - RIGHT}" y="{y - 5}" text-anchor="end">{html.escape(words)}</text>'

    def _shade(self) -> Iterable[str]:
        if self.shaded:
            start, end = (self._x(at) for at in self.shaded)
            width = max(2.0, round(end - start, 1))
            yield f'<rect class="shade" x="{start}" y="{TOP}" width="{width}" height="{HEIGHT - TOP - BOTTOM}"/>'


def ticks(top: float) -> list[float]:
    """About five round numbers from 0 to `top`."""
    rough = top / TICKS
    size: float = 10 ** len(str(int(rough))) / 10 if rough >= 1 else 0.1
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    return [round(step * number, 6) for number in range(int(top / step) + 1)]


def table(rows: Sequence[Sequence[object]], header: Sequence[str], left: Sequence[int] = ()) -> str:
    """An HTML table; columns of `left` (counted from 0) hold words."""

    def cells(row: Sequence[object], tag: str) -> str:
        return "".join(
            f"<{tag}{LEFT_CELL if column in left else ''}>{html.escape(str(cell))}</{tag}>"
            for column, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    focusable = 'tabindex="0" role="region" aria-label="table"'  # a keyboard can scroll it then
    return f'<div class="table" {focusable}><table><tr>{cells(header, "th")}</tr>{body}</table></div>'


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """What the styles mean."""
    items = "".join(f'<li><span class="key {style}"></span>{html.escape(text)}</li>' for style, text in entries)
    return f'<ul class="legend">{items}</ul>'


def write(path: Path, title: str, body: str) -> None:
    """Write the page."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head += f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n')

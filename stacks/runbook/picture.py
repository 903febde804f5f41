"""The charts of an environment's report as an SVG image, which follows the reader's light or dark scheme."""

from collections.abc import Iterator, Mapping, Sequence

from stacks.budget.report import CLIENT, DATABASE, SERVER, TIME, Bar

WIDTH, LEFT, RIGHT = 760, 210, 60  # pixels: of the image, before the bars, behind them
ROW, BAR, TITLE = 26, 16, 34
# Each is the class of its bars; the middle tones are seen on a light and on a dark ground.
STYLE = f"""text {{ fill: #1f2328; }} @media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3; }} }}
.{CLIENT} {{ fill: #3b7dd8; }} .{SERVER} {{ fill: #2c9c6a; }}
.{DATABASE} {{ fill: #8a8f98; }} .{TIME} {{ fill: #c77d1e; }}"""


def picture(charts: Mapping[str, Sequence[Bar]]) -> str:
    """An image of charts under each other; each is to a scale of its own."""
    lines: list[str] = []
    height = 0
    for title, bars in charts.items():
        chart, height = _chart(title, bars, height)
        lines += chart
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            'font-family="system-ui, sans-serif" font-size="13">',
            f"<style>{STYLE}</style>",
            *lines,
            "</svg>",
            "",
        ]
    )


def _chart(title: str, bars: Sequence[Bar], top: int) -> tuple[list[str], int]:
    """The lines of one chart that begins at `top`, and where it ends."""
    scale = (WIDTH - LEFT - RIGHT - 60) / max(bar.length for bar in bars)
    lines = [f'<text x="12" y="{top + 24}" font-weight="bold">{title}</text>']
    for index, bar in enumerate(bars):
        lines += _row(bar, scale, top + TITLE + index * ROW)
    return lines, top + TITLE + len(bars) * ROW + 8


def _row(bar: Bar, scale: float, y: int) -> Iterator[str]:
    width = max(1.0, bar.length * scale)
    baseline = y + BAR - 3
    yield f'<text x="{LEFT - 8}" y="{baseline}" text-anchor="end">{bar.label}</text>'
    yield f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" class="{bar.about}"/>'
    yield f'<text x="{LEFT + width + 6:.1f}" y="{baseline}">{bar.text}</text>'

"""The ladder from clients over the pool to the database's slots, and who gives up after whom, as an SVG image."""

from collections.abc import Iterator, Sequence

from stacks.budget.summary import ladder
from stacks.capacity import Budget

WIDTH, LEFT, RIGHT = 760, 210, 60  # pixels: of the image, before the bars, behind them
ROW, BAR, TITLE = 26, 16, 34
CLIENT, SERVER, DATABASE, TIME = "#3b7dd8", "#2c9c6a", "#8a8f98", "#c77d1e"

Bar = tuple[str, float, str, str]  # label, length, what is written behind it, colour


def picture(b: Budget) -> str:
    """An image of a budget; both halves are to scale, each with its own."""
    connections: list[Bar] = [
        ("clients", b.clients, str(b.clients), CLIENT),
        ("busy on average", b.busy_mean, f"{b.busy_mean:g}", SERVER),
        ("busy, 99 % of the time", b.busy_99, str(b.busy_99), SERVER),
        ("needed", b.needed, str(b.needed), SERVER),
        ("pool", b.pool, f"{b.pool} ({b.max_connections_percent} %)", SERVER),
        ("pool and administrators", b.pool + b.plan.administrators, str(b.pool + b.plan.administrators), DATABASE),
        ("slots", b.slots, str(b.slots), DATABASE),
        ("max_connections", b.max_connections, str(b.max_connections), DATABASE),
    ]
    times: list[Bar] = [(name, seconds, f"{seconds} s", TIME) for name, seconds in ladder(b)]
    first, height = _chart(f"{b.plan.environment}: connections ({b.verdict})", connections, 0)
    second, height = _chart(f"{b.plan.environment}: who gives up after how many seconds", times, height)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            'font-family="system-ui, sans-serif" font-size="13">',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *first,
            *second,
            "</svg>",
            "",
        ]
    )


def _chart(title: str, bars: Sequence[Bar], top: int) -> tuple[list[str], int]:
    """The lines of one chart that begins at `top`, and where it ends."""
    scale = (WIDTH - LEFT - RIGHT - 60) / max(length for _, length, _, _ in bars)
    lines = [f'<text x="12" y="{top + 24}" font-weight="bold">{title}</text>']
    for index, bar in enumerate(bars):
        lines += _row(bar, scale, top + TITLE + index * ROW)
    return lines, top + TITLE + len(bars) * ROW + 8


def _row(bar: Bar, scale: float, y: int) -> Iterator[str]:
    label, length, text, colour = bar
    width = max(1.0, length * scale)
    baseline = y + BAR - 3
    yield f'<text x="{LEFT - 8}" y="{baseline}" text-anchor="end">{label}</text>'
    yield f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{colour}"/>'
    yield f'<text x="{LEFT + width + 6:.1f}" y="{baseline}">{text}</text>'

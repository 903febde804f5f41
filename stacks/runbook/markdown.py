"""Pieces of Markdown."""

import re
from collections.abc import Iterable, Sequence

NOTE = "<!-- Made by `python -m stacks.runbook` from stacks/environments.py: change that, and run it again. -->"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar in a cell would end it."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Text as code."""
    return f"`{text}`"


def filled(text: str, region: str, content: str) -> str:
    """A text whose region, between two comments with its name, says this; one without such a region stays as it is."""
    pattern = re.compile(rf"(<!-- {region} -->\n).*?(<!-- /{region} -->)", re.DOTALL)
    return pattern.sub(lambda found: f"{found[1]}\n{content}\n\n{found[2]}", text)

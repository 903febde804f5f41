"""What is said of an environment, whatever its store is: in a terminal, in docs/environments/, and as data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap
from typing import Any, NamedTuple, Protocol

from stacks.alarm_plan import AlarmPlan
from stacks.budget.findings import Finding, Repair
from stacks.budget.prices import Price
from stacks.config import Environment

# What a bar of a picture is about; stacks/runbook/picture.py has a colour for each.
CLIENT, SERVER, DATABASE, TIME = "client", "server", "database", "time"
NARROWEST = 24  # characters of a last column, however narrow the terminal is
MOST_RESERVED = 10_000  # that a function can have here: stacks/config.py


@dataclass(frozen=True)
class Row:
    """One number: its name in the configuration or the model, its value with its unit, and what it means."""

    name: str
    value: str
    meaning: str


class Bar(NamedTuple):
    """One bar of a picture: its label, its length, what is written behind it, and what it is about."""

    label: str
    length: float
    text: str
    about: str


@dataclass(frozen=True)
class Cost:
    """One line of an estimate: dollars, None where the price is not in the table."""

    what: str
    dollars: float | None
    read: str

    @classmethod
    def of(cls, what: str, count: float, price: Price) -> "Cost":
        """So many of what has this price."""
        return cls(what, count * price.dollars, price.read)


class Estimate(NamedTuple):
    """What something costs, such as "each month"; `summed` where its lines are paid together."""

    of: str
    lines: Sequence[Cost]
    summed: bool = False

    @property
    def total(self) -> float | None:
        """The sum, or None where a price is missing."""
        known = [each.dollars for each in self.lines if each.dollars is not None]
        return sum(known) if len(known) == len(self.lines) else None


class Growth(NamedTuple):
    """What a multiple of today's concurrency would mean, as a table, and a paragraph before it."""

    text: str
    heading: Sequence[str]
    rows: Sequence[Sequence[str]]


def growing(reserved: int) -> list[int]:
    """Reserved concurrency now, and some multiples of it that a function can have."""
    return [reserved * times for times in (1, 2, 5, 10, 20) if reserved * times <= MOST_RESERVED]


class Report(Protocol):
    """Everything that is said of one environment. Texts are Markdown."""

    @property
    def environment(self) -> Environment[Any]:
        """The environment."""

    @property
    def verdict(self) -> str:
        """How it fits, in a word."""

    @property
    def summary(self) -> str:
        """What its page begins with."""

    @property
    def runbook(self) -> str:
        """The document with the pages that its alarms name, in docs/."""

    @property
    def left_out(self) -> str:
        """What the estimates leave out."""

    def tables(self) -> dict[str, list[Row]]:
        """Every number, by what it is about."""

    def findings(self) -> Sequence[Finding]:
        """Everything that is wrong with it, errors first."""

    def growth(self) -> Growth:
        """What it can grow to."""

    def alarms(self) -> list[AlarmPlan]:
        """Its alarms."""

    def estimates(self) -> list[Estimate]:
        """What it costs; the first is what is paid each month for existing."""

    def charts(self) -> dict[str, list[Bar]]:
        """Its picture: charts by their titles, each to a scale of its own."""

    def plain(self) -> dict[str, Any]:
        """Its numbers as data, with units in the names."""


def columns(rows: Iterable[Iterable[str]], width: int | None = None) -> str:
    """Rows as aligned columns; the last one goes on under itself beyond `width`, or is as long as it is."""
    cells = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]) - 1)]
    left = 2 + sum(widths) + 2 * len(widths)
    lines: list[str] = []
    for *first, last in cells:
        before = "  " + "".join(f"{cell:<{wide}}  " for cell, wide in zip(first, widths, strict=True))
        wrapped = (
            [last]
            if width is None
            else wrap(last, max(width - left, NARROWEST), break_long_words=False, break_on_hyphens=False) or [""]
        )
        lines += [f"{begin}{text}".rstrip() for begin, text in zip_longest([before], wrapped, fillvalue=" " * left)]
    return "\n".join(lines)


def plain_finding(finding: Finding) -> dict[str, Any]:
    """A finding as data."""
    return {
        "id": finding.id,
        "severity": finding.severity,
        "sentence": finding.sentence,
        "repairs": list(map(_plain_repair, finding.repairs)),
    }


def _plain_repair(repair: Repair) -> dict[str, Any]:
    also = {"also": _plain_repair(repair.also)} if repair.also else {}
    return {"input": repair.name, "value": repair.value} | also

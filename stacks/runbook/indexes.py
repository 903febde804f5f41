"""Lists of what is there: decisions, options, and the environments in README.md."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stacks.config import Environment, RdsPostgres
from stacks.documents import report
from stacks.runbook.markdown import code, table

MADE = "<!-- Made by `python -m stacks.runbook` from the files beside it. -->"


def decisions(folder: Path) -> str:
    """docs/decisions/README.md: every decision, by number."""
    rows = [(f"[{path.name[:4]}]({path.name})", title.partition(". ")[2]) for path, title, _ in _pages(folder)]
    what = "What was decided where another way was possible, and why. Numbers that are missing were never used."
    return f"{MADE}\n\n# Decisions\n\n{what}\n\n{table(('number', 'decision'), rows)}\n"


def options(folder: Path) -> str:
    """docs/options/README.md: every option, with the first sentence of its page."""
    rows = [(f"[{title}]({path.name})", sentence) for path, title, sentence in _pages(folder)]
    what = (
        "What can be used instead of PostgreSQL behind RDS Proxy, or of plain SQL in Python. Each page says when to "
        "choose the option, how to switch it on, what it costs, and how to delete it."
    )
    return f"{MADE}\n\n# Options\n\n{what}\n\n{table(('option', 'what it is'), rows)}\n"


def environments(found: Iterable[Environment[Any]]) -> str:
    """README.md's table of environments."""
    rows = [
        (
            f"[{code(each.name)}](docs/environments/{each.name}.md)",
            each.region,
            _database(each.store),
            str(each.api.reserved_concurrency),
            "yes" if each.retain else "no",
            _dollars(each),
        )
        for each in found
    ]
    titles = "environment", "region", "database", "reserved concurrency", "protected from deletion", "dollars a month"
    return table(titles, rows)


def architecture(found: Iterable[Environment[Any]]) -> str:
    """README.md's picture: of the first environment that has one."""
    names = [each.name for each in found if isinstance(each.store, RdsPostgres)]
    what = "from the HTTP API through a function and RDS Proxy to PostgreSQL"
    return "".join(f"![{name}: {what}](docs/environments/{name}-architecture.svg)" for name in names[:1])


def statements(found: Iterable[Environment[Any]]) -> str:
    """docs/security.md's links to the statements of every environment that is deployed to AWS."""
    return ", ".join(f"[{each.name}](environments/{each.name}-iam.md)" for each in found if each.name != "local")


def _database(store: object) -> str:
    if not isinstance(store, RdsPostgres):
        return type(store).__name__
    return f"db.{store.instance}{', Multi-AZ' if store.multi_az else ''}"


def _dollars(environment: Environment[Any]) -> str:
    """What it costs before anybody calls, by the estimate of its page."""
    if environment.name == "local":
        return "none"
    totals = [each.total for each in report(environment).estimates() if each.summed]
    return "?" if None in totals else f"about {sum(each for each in totals if each is not None):.0f}"


def _pages(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """The pages of a folder, with their titles and first sentences."""
    for path in sorted(folder.glob("*.md")):
        if path.name != "README.md":
            heading, _, rest = path.read_text().partition("\n\n")
            paragraph = " ".join(rest.partition("\n\n")[0].split())
            yield path, heading.removeprefix("# "), f"{paragraph.partition('. ')[0].removesuffix('.')}."

"""`python -m stacks.budget prod`: the budget of an environment; `… prod reserved_concurrency=200`: what if."""

import argparse
import json
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from stacks import documents
from stacks.budget import prices
from stacks.budget.findings import ERROR
from stacks.budget.report import Estimate, Report, columns
from stacks.config import Environment
from stacks.refusal import PAGE, see
from stacks.runbook.environment_page import dollars

BUILD = Path(__file__).parents[2] / "build"


def main(arguments: list[str]) -> int:
    """0 where the budget holds, 1 where it does not, 2 where the question makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m stacks.budget", description=__doc__)
    parser.add_argument("environment", help="its name in stacks/environments.py")
    parser.add_argument("changes", nargs="*", metavar="name=value", help="what if this were so: instance=t4g.small")
    question = parser.parse_args(arguments)
    try:
        changes = dict(map(_change, question.changes))
        found = documents.report(_environment(question.environment), changes)
    except ValueError as error:
        explained = "" if PAGE in str(error) else f"\n  {see('connection-budget')}"
        sys.stderr.write(f"{error}{explained}\n")
        return 2
    width = get_terminal_size().columns if sys.stdout.isatty() else None
    sys.stdout.write(text(found, question.changes, width))
    sys.stdout.write(f"{_write(found, changes)}\n")
    return 1 if any(finding.severity == ERROR for finding in found.findings()) else 0


def text(report: Report, changes: list[str], width: int | None = None) -> str:
    """The budget for a terminal of so many columns."""
    what_if = f", if {' '.join(changes)}" if changes else ""
    parts = [f"{report.environment.name}{what_if}: {report.verdict}"]
    for title, rows in report.tables().items():
        parts.append(f"{title}\n{columns([(row.name, row.value, row.meaning) for row in rows], width)}")
    found = report.findings()
    parts.append("Findings\n" + (columns([(each.severity, str(each)) for each in found], width) if found else "  none"))
    parts += [_costs(each, width) for each in report.estimates()]
    return "\n\n".join(parts) + "\n\n"


def _costs(estimate: Estimate, width: int | None) -> str:
    rows = [(each.what, dollars(each.dollars), each.read) for each in estimate.lines]
    if estimate.summed:
        rows.append(("together", dollars(estimate.total), ""))
    return f"Dollars {estimate.of} ({prices.REGION}, {prices.DATE}, an estimate)\n{columns(rows, width)}"


def _environment(name: str) -> Environment[Any]:
    from stacks.environments import ENVIRONMENTS  # refuses, with ValueError, an environment that does not fit

    environments: Iterable[Environment[Any]] = ENVIRONMENTS
    for environment in environments:
        if environment.name == name:
            return environment
    raise ValueError(f"{name!r} is no environment, there are {', '.join(each.name for each in ENVIRONMENTS)}")


def _change(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{text!r} is no change, a change is name=value, such as reserved_concurrency=200")
    return name, _value(value)


def _value(text: str) -> Any:
    """A number, true, false, none (the derived value), or a word."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _write(report: Report, changes: dict[str, Any]) -> Path:
    monthly, *_ = report.estimates()
    data = report.plain() | {
        "changes": changes,
        "estimated_dollars_a_month": monthly.total,
        "estimated_dollars_a_month_by_item": {each.what: each.dollars for each in monthly.lines},
    }
    path = BUILD / f"budget-{report.environment.name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(data, indent=2) + "\n")
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `make budget | head` ends it, and that is no error
    sys.exit(main(sys.argv[1:]))

"""`python -m stacks.budget prod`: the budget of an environment; `… prod reserved_concurrency=200`: what if."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stacks.budget.findings import ERROR
from stacks.budget.rules import judge
from stacks.budget.summary import columns, plain, tables
from stacks.capacity import Budget

if TYPE_CHECKING:
    from stacks.config import Environment

BUILD = Path(__file__).parents[2] / "build"


def main(arguments: list[str]) -> int:
    """0 where the budget holds, 1 where it does not, 2 where the question makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m stacks.budget", description=__doc__)
    parser.add_argument("environment", help="its name in stacks/environments.py")
    parser.add_argument("changes", nargs="*", metavar="name=value", help="what if this were so: instance=t4g.small")
    question = parser.parse_args(arguments)
    try:
        environment = _environment(question.environment)
        changes = dict(map(_change, question.changes))
        budget = Budget.of(environment.budget.plan.changed(changes))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(report(environment, budget, question.changes))
    sys.stdout.write(f"{_write(environment, budget, changes)}\n")
    return 1 if any(finding.severity == ERROR for finding in judge(budget)) else 0


def report(environment: "Environment", budget: Budget, changes: list[str]) -> str:
    """The budget for a terminal."""
    what_if = f", if {' '.join(changes)}" if changes else ""
    parts = [f"{environment.name}{what_if}: {budget.verdict}"]
    for title, rows in tables(budget).items():
        parts.append(f"{title}\n{columns((row.name, row.value, row.meaning) for row in rows)}")
    found = judge(budget)
    parts.append("Findings\n" + (columns((each.severity, str(each)) for each in found) if found else "  none"))
    parts.append(_costs(environment, budget))
    return "\n\n".join(parts) + "\n\n"


def _costs(environment: "Environment", budget: Budget) -> str:
    from stacks import prices
    from stacks.costs import monthly, total

    costs = monthly(environment, budget)
    whole = total(costs)
    rows = [(each.what, "?" if each.dollars is None else f"{each.dollars:,.2f}", each.read) for each in costs]
    rows.append(("together", "?" if whole is None else f"{whole:,.2f}", ""))
    return f"Dollars a month ({prices.REGION}, {prices.DATE}, an estimate)\n{columns(rows)}"


def _environment(name: str) -> "Environment[Any]":
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


def _write(environment: "Environment", budget: Budget, changes: dict[str, Any]) -> Path:
    from stacks.costs import monthly, total

    costs = monthly(environment, budget)
    data = plain(budget) | {
        "changes": changes,
        "estimated_dollars_a_month": total(costs),
        "estimated_dollars_a_month_by_item": {each.what: each.dollars for each in costs},
    }
    path = BUILD / f"budget-{environment.name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(data, indent=2) + "\n")
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

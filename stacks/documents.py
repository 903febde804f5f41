"""What is written about an environment: for `make budget`, docs/environments/ and docs/runbook.md."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from stacks.budget.report import Report
from stacks.config import Environment


def report(environment: Environment[Any], changes: Mapping[str, Any] | None = None) -> Report:
    """Everything that is said of an environment, if inputs were other ones.

    Raises ValueError for an input that it has not, and for a value that is not allowed.
    """
    found: Report = resolve_name(environment.store.report).of(environment, changes or {})
    return found

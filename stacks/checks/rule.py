"""What a rule is, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum

from .stage import Stage
from .template import Resource


class Severity(Enum):
    """How much a finding matters, and where."""

    ERROR = "error"  # synthesis fails
    WARNING = "warning"
    PRODUCTION = "error in production"  # a warning where a stack says nothing about itself, nothing outside production
    RAISED = "warning, error in production"
    ONLY_PRODUCTION = "error in production only"
    ONLY_PRODUCTION_WARNING = "warning in production only"

    def of(self, production: bool | None) -> str | None:
        """What to report for a stack in production (True), outside it (False), or that does not say (None)."""
        if self in (Severity.ERROR, Severity.WARNING):
            return str(self.value)
        if self is Severity.RAISED:
            return "error" if production else "warning"
        if production:
            return "warning" if self is Severity.ONLY_PRODUCTION_WARNING else "error"
        return "warning" if self is Severity.PRODUCTION and production is None else None


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: at `resource`, in the property `path`, which is `value`."""

    resource: Resource
    path: str
    value: str
    severity: Severity | None = None  # where it is less (or more) than its rule's
    fix: str | None = None  # where the rule's own would not be precise
    rule: "Rule | None" = None


Check = Callable[[Stage], Iterable[Finding]]


@dataclass(frozen=True)
class Rule:
    """One rule of the catalogue: what must hold, what to do where it does not, and who says so."""

    id: str
    severity: Severity
    sentence: str
    fix: str
    source: str
    check: Check

    def findings(self, stage: Stage) -> list[Finding]:
        """What is wrong in a stage, each with this rule."""
        return [replace(finding, rule=self) for finding in self.check(stage)]


RULES: dict[str, Rule] = {}


def rule(id: str, severity: Severity, sentence: str, *, fix: str, source: str) -> Callable[[Check], Check]:
    """Add a rule to the catalogue; the function that is decorated finds what breaks it."""

    def add(check: Check) -> Check:
        if id in RULES:
            raise ValueError(f"rule {id} is defined twice")
        RULES[id] = Rule(id, severity, sentence, fix, source, check)
        return check

    return add

"""All rules of the connection budget."""

from stacks.budget import connection_rules, production_rules, time_rules
from stacks.budget.findings import ERROR, Finding, findings, fitting_repairs, refuse_findings
from stacks.capacity import Budget

RULES = (*connection_rules.RULES, *time_rules.RULES, *production_rules.RULES)


def judge(budget: Budget) -> tuple[Finding, ...]:
    """Everything that is wrong with a budget, errors first."""
    return findings(budget, RULES)


def refuse_budget(budget: Budget) -> None:
    """Raise ValueError with every inequality that fails, unless none does."""
    refuse_findings(budget.plan.environment, judge(budget), fitting=lambda: fitting_repairs(budget, RULES))


def errors(budget: Budget) -> tuple[str, ...]:
    """What refuses a budget: a sentence for each inequality that fails, with its repairs."""
    return tuple(str(finding) for finding in judge(budget) if finding.severity == ERROR)

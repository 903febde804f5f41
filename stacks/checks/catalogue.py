"""Every rule, in the order of their ids."""

from collections.abc import Iterable
from datetime import date
from itertools import groupby
from pathlib import PurePath

from . import (
    api,
    authentication,
    concurrency,
    database,
    database_engine,
    database_insights,
    functions,
    login,
    network,
    passwords,
    pool,
    proxy,
    security_groups,
    subnets,
    table,
    timeouts,
)
from .rule import RULES, Finding, Rule
from .stage import Stage
from .template import Template

MODULES = (
    api,
    authentication,
    concurrency,
    database,
    database_engine,
    database_insights,
    functions,
    login,
    network,
    passwords,
    pool,
    proxy,
    security_groups,
    subnets,
    table,
    timeouts,
)
CATALOGUE: tuple[Rule, ...] = tuple(RULES[id] for id in sorted(RULES))


def severity_of(finding: Finding) -> str | None:
    """error, warning, or None where a finding does not count for the stack that it is in."""
    declared = finding.severity or (finding.rule.severity if finding.rule else None)
    return declared.of(finding.resource.template.production) if declared else None


def check(stage: Stage) -> list[Finding]:
    """What is wrong in a stage and counts there, each thing once."""
    found = {
        (finding.rule and finding.rule.id, finding.resource, finding.path, finding.value): finding
        for rule in CATALOGUE
        for finding in rule.findings(stage)
        if severity_of(finding)
    }
    return list(found.values())


def stages(templates: Iterable[Template], *, today: date | None = None) -> list[Stage]:
    """Templates grouped by what is deployed together: each CDK stage has a folder of its own."""
    by_folder = sorted(templates, key=lambda each: str(PurePath(each.path).parent))
    return [
        Stage(group, today=today, app=by_folder)
        for _, group in groupby(by_folder, key=lambda each: PurePath(each.path).parent)
    ]

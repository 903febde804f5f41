"""What is written about an environment, by its store: for `make budget`, docs/environments/ and docs/runbook.md."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from stacks.budget.postgres import PostgresReport
from stacks.budget.report import Report
from stacks.config import Environment, RdsPostgres
from stacks.dynamodb import DynamoDb
from stacks.dynamodb_report import TableReport
from stacks.dynamodb_runbook import TABLE_CHAPTER
from stacks.external_report import ExternalReport
from stacks.neon import Neon
from stacks.planetscale import PlanetScale
from stacks.prisma_accelerate import Accelerate
from stacks.runbook.chapter import Chapter
from stacks.runbook.postgres_pages import POSTGRES_CHAPTER


class Documents(NamedTuple):
    """Who reports on an environment of one store, and its part of the runbook, unless the option's page has it."""

    report: Callable[[Environment[Any], Mapping[str, Any]], Report]
    chapter: Chapter[Any] | None = None


# A fork deletes the line of a store it has not.
DOCUMENTS = {
    RdsPostgres: Documents(PostgresReport.of, POSTGRES_CHAPTER),
    DynamoDb: Documents(TableReport.of, TABLE_CHAPTER),
    Neon: Documents(ExternalReport.of),
    PlanetScale: Documents(ExternalReport.of),
    Accelerate: Documents(ExternalReport.of),
}


def report(environment: Environment[Any], changes: Mapping[str, Any] | None = None) -> Report:
    """Everything that is said of an environment, if inputs were other ones.

    Raises ValueError for an input that it has not, and for a value that is not allowed.
    """
    store = type(environment.store)
    if store not in DOCUMENTS:
        raise ValueError(
            f"{environment.name} is on {store.__name__}, which stacks/documents.py has no line for: add one"
        )
    return DOCUMENTS[store].report(environment, changes or {})

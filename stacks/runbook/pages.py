"""docs/runbook.md: what to do, by error text, with the numbers of each environment."""

from collections.abc import Iterator, Sequence
from typing import Any

from stacks.config import Environment
from stacks.runbook.chapter import Chapter, Column
from stacks.runbook.markdown import NOTE, code, table

Environments = Sequence[Environment[Any]]


def runbook(chapters: Sequence[tuple[Chapter[Any], Environments]]) -> str:
    """The runbook of these chapters, each with the environments that it is about."""
    seen = [each for chapter, _ in chapters for each in chapter.errors]
    parts = [
        NOTE,
        "# Runbook",
        "What to do when an alarm goes off, or something fails between the functions and the database. Look for the "
        "text of the error in the second table. All numbers are made from stacks/environments.py.",
        *(part for chapter, environments in chapters for part in _overview(chapter, environments)),
        table(
            ["what you see", "where", "page"],
            [[code(each.text), each.where, f"[{each.page}](#{slug(each.page)})"] for each in seen],
        ),
        *(part for chapter, environments in chapters for part in _pages(chapter, environments)),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def slug(title: str) -> str:
    """The anchor that Git hosts give a heading."""
    return title.lower().replace(" ", "-")


def _overview(chapter: Chapter[Any], environments: Environments) -> Iterator[str]:
    first = next(iter(chapter.pages))
    link = f"[{first}](#{slug(first)})"
    if environments:
        yield f"{chapter.about}, whose pages begin at {link}:"
        yield _numbers_of(chapter, environments, chapter.overview, link=True)
    else:
        yield f"No environment is on {chapter.about}. Its pages begin at {link}."


def _pages(chapter: Chapter[Any], environments: Environments) -> Iterator[str]:
    for title, text in chapter.pages.items():
        yield f"## {title}"
        yield text
        if environments and title in chapter.of_a_page:
            yield _numbers_of(chapter, environments, chapter.of_a_page[title])


def _numbers_of(
    chapter: Chapter[Any], environments: Environments, columns: Sequence[Column[Any]], *, link: bool = False
) -> str:
    def name(environment: Environment[Any]) -> str:
        return f"[{environment.name}](environments/{environment.name}.md)" if link else environment.name

    rows = []
    for environment in environments:
        numbers = chapter.numbers(environment)
        rows.append([name(environment), *(str(each.value(numbers)) for each in columns)])
    return table(["environment", *(each.title for each in columns)], rows)

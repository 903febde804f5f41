"""`python -m stacks.runbook` writes what is generated in docs/ and README.md; with --check it only compares."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from stacks import options
from stacks.config import Environment, RdsPostgres
from stacks.documents import report
from stacks.environments import ENVIRONMENTS
from stacks.runbook import api_page, architecture, environment_page, iam_page, indexes
from stacks.runbook.chapter import Chapter
from stacks.runbook.figures import figures
from stacks.runbook.markdown import filled
from stacks.runbook.pages import runbook
from stacks.runbook.picture import picture
from stacks.runbook.templates import Templates, synthesized

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def documents(templates: Templates) -> dict[str, str]:
    """Everything that is generated, by its path; `templates` are those of the environments."""
    readme = (ROOT / "README.md").read_text()
    readme = filled(readme, "environments", indexes.environments(ENVIRONMENTS))
    readme = filled(readme, "architecture", indexes.architecture(ENVIRONMENTS))
    readme = filled(readme, "figures", figures(json.loads((DOCS / "figures.json").read_text())))
    texts = {
        "README.md": readme,
        "docs/api.html": api_page.page((DOCS / "openapi.yaml").read_text()),
        "docs/decisions/README.md": indexes.decisions(DOCS / "decisions"),
        "docs/options/README.md": indexes.options(DOCS / "options"),
        "docs/security.md": filled((DOCS / "security.md").read_text(), "statements", indexes.statements(ENVIRONMENTS)),
        **of_environments(ENVIRONMENTS),
    }
    for environment in ENVIRONMENTS:
        path = f"docs/environments/{environment.name}"
        own = {stack: each for (name, stack), each in templates.items() if name == environment.name}
        texts[f"{path}-iam.md"] = iam_page.page(environment.name, own)
        if isinstance(environment.store, RdsPostgres):
            texts[f"{path}-architecture.svg"] = architecture.picture(environment.name, own)
    return texts


def of_environments(environments: Sequence[Environment[Any]]) -> dict[str, str]:
    """The runbook, and each environment's page with its picture: of any store, and without their templates."""
    texts = {"docs/runbook.md": runbook(_chapters(environments))}
    for environment in environments:
        found = report(environment)
        texts[f"docs/environments/{environment.name}.md"] = environment_page.page(found)
        texts[f"docs/environments/{environment.name}.svg"] = picture(found.charts())
    return texts


def _chapters(environments: Sequence[Environment[Any]]) -> list[tuple[Chapter[Any], list[Environment[Any]]]]:
    """The chapter of each store that has one, with the environments that it is about."""
    modules = ["stacks.postgres.runbook", *options.parts("stacks.options", "runbook").values()]
    chapters: list[Chapter[Any]] = [import_module(each).CHAPTER for each in modules]
    return [(chapter, [each for each in environments if isinstance(each.store, chapter.store)]) for chapter in chapters]


def stale(documents: Mapping[str, str], folder: Path = ROOT) -> list[str]:
    """The names of files that are missing, say something else, or are of an environment that is no more."""
    found = {f"docs/environments/{path.name}" for path in (folder / "docs/environments").glob("*") if path.is_file()}
    wrong = {name for name, text in documents.items() if not _says(folder / name, text)}
    return sorted(wrong | (found - documents.keys()))


def write(documents: Mapping[str, str], folder: Path = ROOT) -> list[str]:
    """Make the folder say it; returns the names of the files that changed."""
    changed = stale(documents, folder)
    for name in changed:
        if name in documents:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(documents[name])
        else:
            (folder / name).unlink()
    return changed


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def main(arguments: list[str]) -> int:
    """0, or 1 where --check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m stacks.runbook", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, and fail where something differs")
    flags = parser.parse_args(arguments)
    texts = documents(synthesized(ENVIRONMENTS))
    if flags.check:
        wrong = stale(texts)
        sys.stderr.write("".join(f"{name} is not what the code says: run `make runbook`\n" for name in wrong))
        return 1 if wrong else 0
    changed = write(texts)
    sys.stdout.write("".join(f"wrote {name}\n" for name in changed) or "the documents are as they should be\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m stacks.runbook` writes docs/runbook.md and docs/environments/; with --check it only compares."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from stacks.config import on_postgres
from stacks.environments import ENVIRONMENTS
from stacks.runbook import environment_page
from stacks.runbook.pages import runbook
from stacks.runbook.picture import picture

DOCS = Path(__file__).parents[2] / "docs"


def documents() -> dict[str, str]:
    """The documents by their path in docs/."""
    environments = on_postgres(ENVIRONMENTS)
    texts = {"runbook.md": runbook(environments)}
    for environment in environments:
        texts[f"environments/{environment.name}.md"] = environment_page.page(environment)
        texts[f"environments/{environment.name}.svg"] = picture(environment.budget)
    return texts


def stale(documents: Mapping[str, str], folder: Path = DOCS) -> list[str]:
    """The names of files that are missing, say something else, or are of an environment that is no more."""
    found = {f"environments/{path.name}" for path in (folder / "environments").glob("*") if path.is_file()}
    wrong = {name for name, text in documents.items() if not _says(folder / name, text)}
    return sorted(wrong | (found - documents.keys()))


def write(documents: Mapping[str, str], folder: Path = DOCS) -> list[str]:
    """Make the folder say it; returns the names of the files that changed."""
    changed = stale(documents, folder)
    (folder / "environments").mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in documents:
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
    if parser.parse_args(arguments).check:
        wrong = stale(documents())
        sys.stderr.write("".join(f"docs/{name} is not what stacks/ says: run `make runbook`\n" for name in wrong))
        return 1 if wrong else 0
    changed = write(documents())
    sys.stdout.write("".join(f"wrote docs/{name}\n" for name in changed) or "the runbook is as it should be\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

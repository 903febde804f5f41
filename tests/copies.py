"""A copy of the template in which a document's commands and code blocks are carried out, as a reader of it would."""

import ast
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stacks.postgres.database import DATABASE_NAME
from stacks.service import FUNCTION
from tests.conftest import ROOT

INSTALLED = (".venv", ".venv-emulator", "node_modules")  # what `make setup` makes; a copy uses the same
PACKAGES = ("app.py", "stacks", "lambda_src", "local", "benchmarks", "ci", "tests")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^`([\w./-]+)`:\n\n\Z", re.MULTILINE)  # a line of its own before a block: the file that it is


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the file that it is, if a line before it says so."""

    language: str
    text: str
    path: str | None


def copy_of_template(directory: Path) -> Path:
    """Everything that git has or would add, with times, and what is installed, in a repository of its own."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)  # its time too: what is installed is newer than what it is from
    for name in INSTALLED:
        (directory / name).symlink_to(ROOT / name)
    subprocess.run(["git", "init", "--quiet", "."], cwd=directory, check=True)
    return directory


def first_release(directory: Path) -> None:
    """The sources of 0.1.0, with today's names of the database and the function: other ones are other resources."""
    with tarfile.open(ROOT / "tests" / "rehearsal" / "releases" / "0.1.0.tar.gz") as archive:
        archive.extractall(directory, filter="data")
    for file, then, now in (("database.py", "projects", DATABASE_NAME), ("service_stack.py", "Projects", FUNCTION)):
        path = directory / "stacks" / file
        path.write_text(path.read_text().replace(f'"{then}"', f'"{now}"'))


def option_pages(directory: Path) -> list[Path]:
    """The page of each option, without the list of them."""
    return sorted(path for path in (directory / "docs" / "options").glob("*.md") if path.name != "README.md")


def section(document: str, title: str) -> str:
    """The text below a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}$\n(.*?)(?=^## |\Z)", document, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {title!r}"
    return found[1]


def blocks(document: str) -> Iterator[Block]:
    """The fenced blocks of a document, in order."""
    for found in FENCE.finditer(document):
        path = FILE.search(document[: found.start()])
        yield Block(found[1], found[2], path[1] if path else None)


def commands(block: Block) -> list[str]:
    """The commands of a console block: the lines after `$ `, with those that a backslash adds."""
    assert block.language == "console"
    joined = block.text.replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in joined.splitlines() if line.startswith("$ ")]


def run(command: str, directory: Path, environment: Mapping[str, str] | None = None, *, seconds: float = 600) -> str:
    """What a shell says of a command; AssertionError when it fails."""
    found = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=directory,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert found.returncode == 0, f"$ {command}\n{found.stdout}{found.stderr}"
    return found.stdout + found.stderr


def files(directory: Path) -> set[str]:
    """The files of a copy that git has or would add."""
    listing = ["git", "ls-files", "-z", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=directory, capture_output=True, text=True, check=True).stdout.split("\0")
    return {name for name in names if name and name not in INSTALLED}


def mentions(directory: Path, gone: set[str]) -> list[str]:
    """The lines that name a file that is gone: by its path, as a module, or by a module's name of several words."""
    modules = {name.removesuffix(".py").replace("/", ".") for name in gone if name.endswith(".py")}
    words = {each.rpartition(".")[2] for each in modules if re.search(r"\.[a-z]+_\w+$", each)}
    names = {*gone, *modules, *(words - {Path(name).stem for name in files(directory)})}
    if not names:
        return []
    pattern = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, sorted(names)))})(?![\w-])")
    return [
        f"{name}:{number}: {line.strip()}"
        for name in sorted(files(directory))
        if not name.endswith((".gz", ".lock"))
        for number, line in enumerate((directory / name).read_text(errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]


def broken_links(directory: Path) -> list[str]:
    """Links of Markdown documents to files that are not there."""
    return [
        f"{name}: {target}"
        for name in sorted(files(directory))
        if name.endswith(".md")
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", FENCE.sub("", (directory / name).read_text()))
        if "://" not in target and not ((directory / name).parent / target).exists()
    ]


def broken_imports(directory: Path) -> list[str]:
    """Imports of the template's own modules, and of names in them, that are not there."""
    return [
        f"{name}: {what}"
        for name in sorted(files(directory))
        if name.endswith(".py")
        for what in _imports(directory, name)
        if not _exists(directory, what)
    ]


def _imports(directory: Path, name: str) -> Iterator[str]:
    here = name.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(ast.parse((directory / name).read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if _is_ours(each.name))
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if _is_ours(module):
                yield from (module if each.name == "*" else f"{module}.{each.name}" for each in node.names)


def _is_ours(module: str) -> bool:
    top = module.partition(".")[0]
    return top in PACKAGES or f"{top}.py" in PACKAGES


def _exists(directory: Path, what: str) -> bool:
    """Whether it is a module or package, or a name that the module before the last dot makes."""
    path = directory / what.replace(".", "/")
    if path.with_suffix(".py").exists() or path.is_dir():
        return True
    parent, _, name = what.rpartition(".")
    module = directory / parent.replace(".", "/")
    file = module.with_suffix(".py") if module.with_suffix(".py").exists() else module / "__init__.py"
    return file.exists() and re.search(rf"\b{re.escape(name)}\b", file.read_text()) is not None

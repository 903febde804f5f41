"""Snapshots of the templates as JSON that a person can review. `python -m tests.infrastructure.snapshots --write`."""

import argparse
import difflib
import json
import re
import sys
import tempfile
from pathlib import Path

from .synthesis import OPTIONS, OWN, Json, Templates, deployment_templates, synthesize, templates
from .table_changes import refused_changes

DIRECTORY = Path(__file__).parent / "snapshots"
DIRECTORY_OF_DEPLOYMENT = Path(__file__).parent / "snapshots_of_deployment"
# What changes with every line of lambda_src, or with CDK's own functions: the hashes of assets, and of the version that
# CDK makes of a function whenever its code changes.
ASSET = re.compile(r"\b[0-9a-f]{64}\b")
VERSION = re.compile(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}")


def render(template: Json) -> str:
    """The template as text: sorted, and without what says nothing about the infrastructure."""
    parts = {key: value for key, value in template.items() if key not in ("Rules", "Parameters")}
    text = json.dumps(parts, indent=2, sort_keys=True) + "\n"
    return VERSION.sub(r"\1", ASSET.sub("<asset>", text))


def differences(expected: str, actual: str, name: str) -> str:
    """Nothing, or which resources differ and how."""
    if expected == actual:
        return ""
    before, after = (json.loads(text or "{}").get("Resources", {}) for text in (expected, actual))
    changed = [
        f"{'+' if each not in before else '-' if each not in after else '~'} {each} {(after | before)[each]['Type']}"
        for each in sorted(before.keys() | after.keys())
        if before.get(each) != after.get(each)
    ]
    diff = difflib.unified_diff(
        expected.splitlines(), actual.splitlines(), f"snapshots/{name}", "now", n=4, lineterm=""
    )
    return "\n".join([*changed, *diff])


def texts(synthesized: Templates) -> dict[str, str]:
    return {f"{environment}-{stack}.json": render(each) for (environment, stack), each in synthesized.items()}


def write(directory: Path = DIRECTORY, environments=OWN) -> list[str]:
    """Make the folder say what the templates of environments say now; returns the names of the files that changed.

    Writes nothing, and ends the program with the reason, when CloudFormation could not make the change.
    """
    with tempfile.TemporaryDirectory() as outdir:
        return write_texts(directory, texts(templates(synthesize(Path(outdir), environments))))


def write_options() -> list[str]:
    """The same for the example of each option, in the option's own folder."""
    with tempfile.TemporaryDirectory() as outdir:
        current = texts(templates(synthesize(Path(outdir), OPTIONS)))
    return [
        name
        for each in OPTIONS
        for name in write_texts(of_option(each.name), {f: t for f, t in current.items() if f.startswith(each.name)})
    ]


def of_option(name: str) -> Path:
    """The folder with the templates of an option's example."""
    return Path(__file__).parents[1] / name / "snapshots"


def write_texts(directory: Path, current: dict[str, str]) -> list[str]:
    """Make the folder hold these files; returns the names of those that changed."""
    found = {path.name: path.read_text() for path in directory.glob("*.json")}
    changes = [(json.loads(found[name]), json.loads(text)) for name, text in current.items() if name in found]
    if problems := [problem for before, after in changes for problem in refused_changes(before, after)]:
        sys.exit("\n".join(problems))
    for name in found.keys() - current.keys():
        (directory / name).unlink()
    directory.mkdir(exist_ok=True)
    for name, text in current.items():
        (directory / name).write_text(text)
    return sorted(name for name in found.keys() | current.keys() if found.get(name) != current.get(name))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", required=True, help="rewrite what differs")
    parser.parse_args()
    sys.stdout.write(
        "".join(
            f"wrote {name}\n"
            for name in (
                *write(),
                *write_options(),
                *write_texts(DIRECTORY_OF_DEPLOYMENT, texts(deployment_templates())),
            )
        )
        or "the snapshots are as they should be\n"
    )

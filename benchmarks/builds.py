"""The zip that ships, and the same application built the ordinary way, each as Lambda unpacks it."""

import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.cdk_zip import unpacked, zipped
from benchmarks.virtual_environment import python
from stacks.bundling import SOURCE, bundle
from stacks.runtime import this_machine

TOKEN = Path(__file__).with_name("baselines") / "boto3_token.py"


def shipped(directory: Path) -> Path:
    """The zip that ships, for this machine's interpreter and processor: the folder that /var/task would be."""
    return _through_the_zip(directory, lambda tree: bundle(this_machine(), tree))


def ordinary(directory: Path, *, boto3: bool) -> Path:
    """`pip install -t` and the sources; with `boto3` the token is boto3's, which is in the zip as AWS advises."""

    def build(tree: Path) -> None:
        packages = ["psycopg[binary]", "certifi", *(["boto3"] if boto3 else [])]
        pinned = [f"{package}=={version(package.partition('[')[0])}" for package in packages]
        command = [python(), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--target", str(tree)]
        subprocess.run([*command, "--root-user-action", "ignore", *pinned], check=True)
        shutil.copytree(SOURCE, tree / SOURCE.name, ignore=shutil.ignore_patterns("__pycache__"))
        if boto3:
            shutil.copy(TOKEN, tree / SOURCE.name / "database" / "iam_token.py")

    return _through_the_zip(directory, build)


def _through_the_zip(directory: Path, build: Callable[[Path], None]) -> Path:
    tree = directory / "tree"
    tree.mkdir(parents=True)
    build(tree)
    archive = zipped(tree, directory / "function.zip")
    shutil.rmtree(tree)
    return unpacked(archive, directory / "task")

"""What executes the functions: AWS's runtime, or this machine's interpreter."""

import platform
import sys
from dataclasses import dataclass

from stacks.refusal import one_of, refuse

PYTHON_VERSIONS = ("3.11", "3.12", "3.13", "3.14")  # Lambda runtimes that psycopg has binary wheels for
ARCHITECTURES = ("arm64", "x86_64")
# What a function is written in -> the module with its code. A fork deletes the line of one it has not.
RUNTIMES = {
    "python": "stacks.bundling",
    "prisma": "stacks.prisma",
}


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What executes the zip: it decides the Lambda runtime, and which wheels are in it."""

    python: str = "3.13"  # the newest that the tests can execute the zip with; raising it is this line
    architecture: str = "arm64"

    def __post_init__(self) -> None:
        refuse(
            "Runtime",
            [
                one_of("python", self.python, PYTHON_VERSIONS),
                one_of("architecture", self.architecture, ARCHITECTURES),
            ],
        )


def this_machine() -> Runtime:
    """The runtime of the interpreter that is running: the local environment's functions are executed by it."""
    machine = platform.machine().lower()
    architecture = {"aarch64": "arm64", "amd64": "x86_64"}.get(machine, machine)
    return Runtime(python=f"{sys.version_info.major}.{sys.version_info.minor}", architecture=architecture)

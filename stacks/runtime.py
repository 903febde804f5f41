"""What executes the functions: AWS's runtime, or this machine's interpreter."""

import platform
import sys
from dataclasses import dataclass

from stacks import options
from stacks.refusal import one_of, refuse

PYTHON_VERSIONS = ("3.11", "3.12", "3.13", "3.14")  # Lambda runtimes that psycopg has binary wheels for
ARCHITECTURES = ("arm64", "x86_64")


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


def runtimes() -> dict[str, str]:
    """What a function can be written in, and the module with its code."""
    return {"python": "stacks.bundling", **options.parts("stacks.options", "runtime")}


def this_machine() -> Runtime:
    """The runtime of the interpreter that is running: the local environment's functions are executed by it."""
    machine = platform.machine().lower()
    architecture = {"aarch64": "arm64", "amd64": "x86_64"}.get(machine, machine)
    return Runtime(python=f"{sys.version_info.major}.{sys.version_info.minor}", architecture=architecture)

"""The options of the template: each is a folder of its name, in each of stacks/options, lambda_src, local, tests and
benchmarks where it has something.

A fork that has no use for one deletes those folders and its line; docs/options/<name>.md has the command. What lists
options asks here, and imports only what it needs of them: a template on another database imports nothing.
"""

from pathlib import Path

OPTIONS: tuple[str, ...] = (
    # one a line, and none is right too
    "dynamodb",
    "neon",
    "planetscale",
    "prisma",
    "sqlalchemy",
)
ROOT = Path(__file__).parents[2]


def parts(room: str, part: str) -> dict[str, str]:
    """Option to module: of each option that has one, the module `part` in its folder of the room `room`."""
    folder = ROOT / room.replace(".", "/")
    return {name: f"{room}.{name}.{part}" for name in OPTIONS if (folder / name / f"{part}.py").is_file()}

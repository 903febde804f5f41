"""The README's table of environments is the code's."""

import re

from stacks.config import RdsPostgres
from stacks.environments import ENVIRONMENTS
from tests.conftest import ROOT

HEADER = ("environment", "region", "database", "reserved concurrency", "kept when its stack goes")


def database(store) -> str:
    if not isinstance(store, RdsPostgres):
        return type(store).__name__
    return f"db.{store.instance}{', Multi-AZ' if store.multi_az else ''}"


def table() -> str:
    rows = [
        (
            f"`{environment.name}`",
            environment.region,
            database(environment.store),
            str(environment.api.reserved_concurrency),
            "yes" if environment.retain else "no",
        )
        for environment in ENVIRONMENTS
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEADER, ["---"] * len(HEADER), *rows))


def test_the_table_of_environments_is_the_codes():
    text = (ROOT / "README.md").read_text()
    found = re.search(r"<!-- environments -->\n\n?(.*?)\n?<!-- /environments -->", text, re.DOTALL)
    assert found, "README.md has lost the markers of its table of environments"
    assert found[1].strip() == table(), f"put this between the markers in README.md:\n\n{table()}\n"

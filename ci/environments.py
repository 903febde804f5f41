"""The environments that the workflows deploy, as a matrix: `python -m ci.environments [name]`.

An environment takes part once its account is known: the repository variable AWS_ACCOUNT_<NAME>, found in VARIABLES, the
JSON of all of them.
"""

import argparse
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ci.refusal import refusal
from stacks.config import Environment
from stacks.deployment import role_names
from stacks.environments import ENVIRONMENTS


def matrix(environments: Iterable[Environment[Any]], variables: Mapping[str, str]) -> list[dict[str, str]]:
    """Each environment's name, region and the ARNs of its two roles, in the order in which they are deployed."""
    found = []
    for each in environments:
        account = variables.get(account_variable(each.name), "")
        if each.name == "local" or not account:
            continue
        if not re.fullmatch(r"\d{12}", account):
            raise refusal(f"{account_variable(each.name)} is {account!r}, allowed is an account's 12 digits")
        deploy, read = (f"arn:{partition(each.region)}:iam::{account}:role/{name}" for name in role_names(each))
        found.append({"name": each.name, "region": each.region, "deploy": deploy, "read": read})
    return found


def account_variable(name: str) -> str:
    """The repository variable with the number of an environment's account."""
    return f"AWS_ACCOUNT_{name.upper().replace('-', '_')}"


def partition(region: str) -> str:
    """The part of AWS that a region belongs to, as ARNs name it."""
    return next((f"aws-{name}" for name in ("cn", "us-gov") if region.startswith(f"{name}-")), "aws")


def main() -> None:
    """Print the matrix as a line for a job's outputs; with a name, of this environment only."""
    parser = argparse.ArgumentParser(prog="python -m ci.environments", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="one environment (default: all with an account)")
    name = parser.parse_args().name
    found = matrix(ENVIRONMENTS, json.loads(os.environ.get("VARIABLES") or "{}"))
    chosen = [each for each in found if name in ("", each["name"])]
    if name and not chosen:
        known = ", ".join(each["name"] for each in found) or "none"
        raise refusal(f"{name!r} is no environment with a variable {account_variable(name)}, there are: {known}")
    print(f"environments={json.dumps(chosen)}")


if __name__ == "__main__":
    main()

"""Deploys an environment in two steps, stack by stack: `python -m ci.deploy <environment>`.

A change set is prepared and read; it is executed when nothing that holds state would be replaced or deleted, or when a
line `Accept: <its name>` of ACCEPTED says that it may. Otherwise it is left in the account for somebody to look at.
"""

import argparse
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ci.assembly import Stack, cdk, client, stacks
from ci.losses import STATEFUL, Loss, unaccepted
from ci.refusal import refusal

# What CloudFormation calls a change set without changes.
NOTHING = ("didn't contain changes", "No updates are to be performed")
REPLACED = {"True": "will be replaced", "Conditional": "may be replaced"}


def losses(stack: str, changes: Iterable[Mapping[str, Any]]) -> Iterator[Loss]:
    """What a change set would take away of what holds state."""
    for change in (each["ResourceChange"] for each in changes if "ResourceChange" in each):
        fate = _removed(change) if change["Action"] == "Remove" else REPLACED.get(change.get("Replacement", ""))
        if fate and change["ResourceType"] in STATEFUL:
            yield Loss(stack, change["LogicalResourceId"], change["ResourceType"], fate)


def _removed(change: Mapping[str, Any]) -> str:
    return "will be left behind" if change.get("PolicyAction") == "Retain" else "will be deleted"


def changes_of(cloudformation: Any, stack: str, change_set: str) -> list[Mapping[str, Any]]:
    """All changes of a change set; none where the CLI made none, since nothing differs."""
    try:
        pages = cloudformation.get_paginator("describe_change_set").paginate(StackName=stack, ChangeSetName=change_set)
        found = [(page["Status"], page.get("StatusReason", ""), page.get("Changes", [])) for page in pages]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ChangeSetNotFound", "ChangeSetNotFoundException"):
            return []
        raise
    status, reason, _ = found[0]
    if status == "FAILED" and any(each in reason for each in NOTHING):
        cloudformation.delete_change_set(StackName=stack, ChangeSetName=change_set)
        return []
    if status == "FAILED":
        raise refusal(f"{stack}: CloudFormation could not prepare the change set {change_set}: {reason}")
    return [change for _, _, changes in found for change in changes]


def deploy(stack: Stack, assembly: Path, change_set: str, accepted: str) -> None:
    """Prepare, read, execute; SystemExit when a step fails or something is not accepted."""
    step(stack, "prepare-change-set", assembly, change_set)
    cloudformation = client("cloudformation", stack.deploy_role, stack.region)
    changes = changes_of(cloudformation, stack.name, change_set)
    if not changes:
        print(f"{stack.name}: nothing changes", flush=True)
        return
    missing = unaccepted(losses(stack.name, changes), accepted)
    if missing:
        lines = [f"{stack.name}: the change set {change_set} was not executed, since nobody has accepted that"]
        lines += [f"  {loss}" for loss in missing]
        lines += ["If it is meant, start this workflow by hand with", *(f"  {loss.name}" for loss in missing)]
        raise refusal("\n".join(lines))
    step(stack, "execute-change-set", assembly, change_set)


def step(stack: Stack, method: str, assembly: Path, change_set: str) -> None:
    """One of the CLI's two steps."""
    # The rules of who may deploy are the Git host's: nobody sits at this terminal.
    words = ["deploy", stack.id, "--exclusively", "--require-approval", "never"]
    status, _ = cdk(*words, "--method", method, "--change-set-name", change_set, assembly=assembly)
    if status != 0:
        raise refusal(f"{stack.name}: {method} ended with {status}")


def main() -> None:
    """Deploy every stack of the environment, each after those that it needs."""
    parser = argparse.ArgumentParser(prog="python -m ci.deploy", description=__doc__)
    parser.add_argument("environment")
    parser.add_argument("--assembly", type=Path, default=Path("cdk.out"), help="what `cdk synth` wrote")
    parser.add_argument("--change-set", default=f"deployment-{time.time():.0f}", help="its name")
    options = parser.parse_args()
    for stack in stacks(options.assembly, options.environment):
        deploy(stack, options.assembly, options.change_set, os.environ.get("ACCEPTED", ""))


if __name__ == "__main__":
    main()

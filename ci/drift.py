"""Whether an environment is still what was deployed: `python -m ci.drift <environment>`. Ends with 1 when it is not."""

import argparse
from pathlib import Path

from ci.assembly import assume, cdk, stacks
from ci.refusal import refusal


def main() -> None:
    """Ask CloudFormation about every stack of the environment, with the lookup role of `cdk bootstrap`."""
    parser = argparse.ArgumentParser(prog="python -m ci.drift", description=__doc__)
    parser.add_argument("environment")
    parser.add_argument("--assembly", type=Path, default=Path("cdk.out"), help="what `cdk synth` wrote")
    options = parser.parse_args()
    stack = stacks(options.assembly, options.environment)[0]
    # `cdk drift` asks with the credentials that it finds: the role's, whose reading is what CloudFormation compares.
    credentials = assume(stack.lookup_role, stack.region)
    status, _ = cdk("drift", f"{options.environment}/*", "--fail", assembly=options.assembly, credentials=credentials)
    if status != 0:
        raise refusal(f"{options.environment} is not what was deployed, or could not be compared")


if __name__ == "__main__":
    main()

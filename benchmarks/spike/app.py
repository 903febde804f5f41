"""The app with one environment: `local`, with more reserved concurrency; deployed by `make spike`."""

import sys
from dataclasses import replace

from app import build
from stacks.environments import LOCAL


def main() -> None:
    """Synthesise with the reserved concurrency that the command line gives."""
    reserved = int(sys.argv[1])
    build([replace(LOCAL, api=replace(LOCAL.api, reserved_concurrency=reserved))]).synth()


if __name__ == "__main__":
    main()

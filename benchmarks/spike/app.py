"""The app with one environment: `local` on PostgreSQL, with more reserved concurrency; deployed by `make spike`."""

import sys
from dataclasses import replace

from app import build
from local.up.options import POSTGRES, local


def main() -> None:
    """Synthesise with the reserved concurrency that the command line gives."""
    reserved = int(sys.argv[1])
    environment = local(POSTGRES)
    api = replace(environment.api, reserved_concurrency=reserved)
    build([replace(environment, api=api)], repository=None).synth()


if __name__ == "__main__":
    main()

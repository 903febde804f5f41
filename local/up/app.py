"""The CDK app with the environment `local` on another store than its own: `python -m local.up.app <store>`."""

import sys

from app import build
from local.up.options import local

if __name__ == "__main__":
    build([local(sys.argv[1])], repository=None).synth()

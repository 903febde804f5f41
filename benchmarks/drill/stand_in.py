"""The stand-in for RDS Proxy with a clock that can be set: the first argument is a file with seconds to add to ours."""

import sys
import time
from pathlib import Path

from local.rds_proxy.__main__ import main as run_stand_in


def main() -> None:
    """Run the stand-in with the other arguments."""
    offset, *flags = sys.argv[1:]
    run_stand_in(flags, lambda: time.time() + float(Path(offset).read_text()))


if __name__ == "__main__":
    main()

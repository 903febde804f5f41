"""`python local/alone.py FILE COMMAND …` runs a command while no other does with the same FILE; the second waits.

What flock(1) does, which macOS has not. Before anything is installed, so with any Python and without this package.
"""

import fcntl
import os
import sys

if __name__ == "__main__":
    lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)  # the lock is held until the command and what it started have closed it
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command is the Makefile's

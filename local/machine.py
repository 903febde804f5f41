"""What differs between the machines that this runs on, each difference with its reason: docs/platforms.md.

Linux on x86-64 and arm64 is what it is made for. On macOS the same code runs with less: what is said here of macOS is
from its documentation.
"""

import os
import pwd
import shutil
from pathlib import Path

# Bytes of the path of a folder for sockets. A path may have 107 on Linux, 103 on macOS; PostgreSQL's file takes 14.
SOCKET_PATH_LIMIT = 88
# Where folders with short paths are made: not in TMPDIR, which is deep on macOS. Each is its owner's alone.
SHORT = "/tmp"  # noqa: S108


def launcher(end: str = "INT") -> list[str]:
    """The words before a command that end it with us, by the signal `end`, and run it as `nobody` when we are root.

    PostgreSQL refuses to run as root: docs/decisions/0004-postgresql-as-root.md. Both are `setpriv`'s, of Linux's
    util-linux. Without it a server is started as it is, and outlives a process that was killed and could not end it.
    """
    is_root = os.geteuid() == 0
    if shutil.which("setpriv") is None:
        if not is_root:
            return []
        raise RuntimeError(
            "the database does not run as root and `setpriv` (package util-linux) is not here: install it, "
            "or run this as an ordinary user"
        )
    words = ["setpriv", f"--pdeathsig={end}"]
    if is_root:
        nobody = pwd.getpwnam("nobody")
        words += [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        # To read and pass through folders; containers often lack the narrower of the two.
        pass_through = "dac_read_search" if _may_have_capability(2) else "dac_override"
        words += [f"--inh-caps=-all,+{pass_through}", f"--ambient-caps=-all,+{pass_through}"]
        if _may_have_capability(8):  # CAP_SETPCAP; without this bit access(2), with which initdb looks for postgres,
            words.append("--securebits=+no_setuid_fixup")  # heeds no capability in a folder that only root can enter
    return [*words, "--"]


def _may_have_capability(number: int) -> bool:
    status = Path("/proc/self/status").read_text()
    bounding = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    return bool(int(bounding.split()[1], 16) >> number & 1)


def hand_over(path: Path) -> None:
    """Give a file or folder to the user that `launcher` runs a command as."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def how_to_add(address: str) -> str:
    """The sentence for a loopback address that is not there: Linux has all of 127.0.0.0/8, macOS only 127.0.0.1."""
    return f"this machine has no address {address}: add it (macOS: sudo ifconfig lo0 alias {address})"

"""Loopback addresses: each emulated database and proxy has its own, and so its own copy of one port number."""

import errno
import socket
import threading
from collections.abc import Collection

from local.aws.resources import ResourceError
from local.machine import how_to_add

CANDIDATES = [f"127.0.0.{number}" for number in range(2, 255)]


class Addresses:
    """Who has which address. None where somebody has the wanted port, or that another emulator has.

    An address is claimed by a UDP socket on the wanted port, which nobody else can then bind: the claim ends with the
    process, however it ends.
    """

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._claims: dict[str, list[socket.socket]] = {}
        self._lock = threading.Lock()

    def reserve(self, owner: str, ports: Collection[int]) -> str:
        """The owner's address, at which none of the ports was taken when it was reserved.

        Raises ResourceError where no address is left.
        """
        with self._lock:
            if owner not in self._owners:
                free = (each for each in CANDIDATES if each not in self._owners.values())
                address = next((each for each in free if self._claim(owner, each, ports)), None)
                if address is None:
                    raise ResourceError(
                        f"something listens at port {' or '.join(map(str, sorted(ports)))} of every address from "
                        f"{CANDIDATES[0]} to {CANDIDATES[-1]}: end it, or choose another port for the database"
                    )
                self._owners[owner] = address
            return self._owners[owner]

    def release(self, owner: str) -> None:
        """Let others have the owner's address."""
        with self._lock:
            self._owners.pop(owner, None)
            for claim in self._claims.pop(owner, []):
                claim.close()

    def _claim(self, owner: str, address: str, ports: Collection[int]) -> bool:
        claims: list[socket.socket] = []
        for port in ports:
            claim = None if _is_taken(address, port) else _bound(address, port)
            if claim is None:
                for each in claims:
                    each.close()
                return False
            claims.append(claim)
        self._claims[owner] = claims
        return True


def _bound(address: str, port: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        claim.bind((address, port))
    except OSError:
        claim.close()
        return None
    return claim


def _is_taken(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that are closing don't count
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise ResourceError(how_to_add(address)) from None
            if error.errno == errno.EACCES:
                raise ResourceError(f"port {port} needs root: choose a port from 1024 for the database") from None
            return True
    return False

"""Names to addresses, in bounded time."""

import socket
import threading


class Addresses:
    """The address to try next: the first at which no attempt failed, in whatever order a name server gives them."""

    def __init__(self) -> None:
        self._failed: set[str] = set()
        self._tried = ""

    def choose(self, host: str, port: int, timeout: float) -> str:
        """An address, which counts as failed until it `answered`; raises what `resolve` raises."""
        found = resolve(host, port, timeout)
        if self._failed.issuperset(found):
            self._failed.clear()
        self._tried = next(address for address in found if address not in self._failed)
        self._failed.add(self._tried)
        return self._tried

    def answered(self) -> None:
        """The last one that was chosen is good."""
        self._failed.discard(self._tried)


def resolve(host: str, port: int, timeout: float) -> list[str]:
    """The addresses of a host, at least one.

    Raises socket.gaierror when the name does not resolve and TimeoutError after `timeout` seconds, which
    socket.getaddrinfo itself knows nothing of: a name server that does not answer costs it 10 s and more.
    """
    found: list[str] = []
    failure: list[OSError] = []

    name = host.encode("ascii")  # Python loads its codec for international names to turn a str into the same

    def look_up() -> None:
        try:
            found.extend(str(entry[4][0]) for entry in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        except OSError as error:
            failure.append(error)

    # A thread that hangs is left behind; it ends with the resolver's own patience.
    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(timeout)
    if failure:
        raise failure[0]
    if not found:
        raise TimeoutError(f"{host} did not resolve within {timeout:.1f} s")
    return found

"""HTTPS with verified TLS, one connection that is kept, and every wait bounded: the standard library's client."""

import http.client
import socket
import ssl

from lambda_src.database.resolve import resolve
from lambda_src.deadline import Deadline


class Https(http.client.HTTPSConnection):
    """A connection to `host`, whose certificate must lead to `root_bundle` and name it.

    `timeout` (seconds) is for connecting, name and handshakes included, and then for each read or write. The scheme
    "http" is for an AWS endpoint on this machine alone.
    """

    def __init__(self, host: str, port: int | None, *, root_bundle: str, timeout: float, scheme: str = "https") -> None:
        self._is_plain = scheme == "http"
        context = None if self._is_plain else ssl.create_default_context(cafile=root_bundle)
        super().__init__(host, port or (80 if self._is_plain else 443), timeout=timeout, context=context)
        self._tls = context

    def connect(self) -> None:
        """Open the connection: to the first address that answers in time, with the host's name checked by TLS."""
        deadline = Deadline(float(self.timeout or 0))
        failure: OSError | None = None
        for address in resolve(self.host, self.port, deadline.remaining()):
            try:
                self.sock = socket.create_connection((address, self.port), _at_least_a_moment(deadline.remaining()))
                break
            except OSError as error:
                failure = error
        else:
            raise failure or TimeoutError(self.host)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            self.sock.settimeout(_at_least_a_moment(deadline.remaining()))
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)

    def within(self, seconds: float) -> None:
        """Bound every wait from now on, connecting included."""
        self.timeout = _at_least_a_moment(seconds)
        if self.sock is not None:
            self.sock.settimeout(self.timeout)


def _at_least_a_moment(seconds: float) -> float:
    """Of a socket's timeouts, 0 means something else."""
    return max(0.001, seconds)

"""HTTPS with verified TLS, one connection that is kept, and every wait bounded: the standard library's client."""

import http.client
import socket
import ssl
from typing import Any

from lambda_src.database.liveness import limit_unacknowledged
from lambda_src.database.resolve import resolve
from lambda_src.deadline import Deadline


class _Socket(ssl.SSLSocket):
    """A socket on which no wait outlasts `deadline`, however slowly an answer drips in."""

    deadline: Deadline

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(_at_least_a_moment(self.deadline.remaining()))
        return super().recv_into(*arguments)


class Https(http.client.HTTPSConnection):
    """A connection to `host`, whose certificate must lead to `root_bundle` and name it.

    `timeout` (seconds) is for connecting, name and handshakes included; what comes after ends `within` a deadline. The
    scheme "http" is for an AWS endpoint on this machine alone.
    """

    def __init__(self, host: str, port: int | None, *, root_bundle: str, timeout: float, scheme: str = "https") -> None:
        is_plain = scheme == "http"
        self._tls = None if is_plain else ssl.create_default_context(cafile=root_bundle)
        if self._tls is not None:
            self._tls.sslsocket_class = _Socket
        super().__init__(host, port or (80 if is_plain else 443), timeout=timeout, context=self._tls)

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
        limit_unacknowledged(self.sock)
        if self._tls is not None:
            self.sock.settimeout(_at_least_a_moment(deadline.remaining()))
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)
            self.within(deadline)

    def within(self, deadline: Deadline) -> None:
        """Bound all waits from now on, connecting included: together by the deadline."""
        self.timeout = _at_least_a_moment(deadline.remaining())
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        if isinstance(self.sock, _Socket):
            self.sock.deadline = deadline


def _at_least_a_moment(seconds: float) -> float:
    """Of a socket's timeouts, 0 means something else."""
    return max(0.001, seconds)

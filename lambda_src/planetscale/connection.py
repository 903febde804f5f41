"""A connection to MySQL that is verified, and on which nothing waits for longer than it may."""

import socket
import ssl
from typing import Self

import pymysql
from pymysql.constants import CR, FIELD_TYPE
from pymysql.err import OperationalError

from lambda_src.database.liveness import limit_unacknowledged
from lambda_src.deadline import Deadline
from lambda_src.planetscale.settings import Login

SHORTEST_WAIT = 0.001  # seconds; a socket takes 0 for "do not wait" and not for "no time left"
# Times come as MySQL writes them, and not as datetime: their text is what the API shows.
AS_TEXT = {
    key: convert
    for key, convert in pymysql.converters.conversions.items()
    if key not in (FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATE)
}


class Connection(pymysql.connections.Connection):  # type: ignore[misc]  # PyMySQL has no types
    """A connection on which no wait outlasts the deadline, however slowly an answer drips in."""

    deadline: Deadline

    @classmethod
    def to(cls, login: Login, address: str, tls: ssl.SSLContext, deadline: Deadline) -> Self:
        """An open connection in autocommit; raises MySQLError, whose text may name the user, but not the password."""
        connection = cls(
            host=login.host,  # what the certificate must be for
            user=login.user,
            password=login.password.encode(),
            database=login.database,
            ssl=tls,  # a context of ours: without it PyMySQL speaks TLS with anybody, and plainly where TLS is not had
            charset="utf8mb4",
            autocommit=True,  # one statement, one round trip
            conv=AS_TEXT,
            read_timeout=max(SHORTEST_WAIT, deadline.remaining()),  # of the TLS handshake; then see _read_bytes
            defer_connect=True,
        )
        connection.deadline = deadline
        try:
            channel = socket.create_connection((address, login.port), max(SHORTEST_WAIT, deadline.remaining()))
        except OSError as error:
            raise OperationalError(CR.CR_CONN_HOST_ERROR, f"can't connect: {error}") from error
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        limit_unacknowledged(channel)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.connect(channel)
        return connection

    def fileno(self) -> int:
        """The socket."""
        return int(self._sock.fileno())

    def hang_up(self) -> None:
        """Close the socket, with no word to the server."""
        self._force_close()

    def _read_bytes(self, num_bytes: int) -> bytes:
        content = b""
        while len(content) < num_bytes:
            self._sock.settimeout(max(SHORTEST_WAIT, self.deadline.remaining()))
            try:
                part = self._rfile.read1(num_bytes - len(content))
            except OSError as error:
                self._force_close()
                raise OperationalError(CR.CR_SERVER_LOST, f"lost connection during query ({error})") from error
            if not part:
                self._force_close()
                raise OperationalError(CR.CR_SERVER_LOST, "lost connection during query")
            content += part
        return content

    def _write_bytes(self, data: bytes) -> None:
        self._sock.settimeout(max(SHORTEST_WAIT, self.deadline.remaining()))  # of all of it, whatever its parts take
        try:
            self._sock.sendall(data)
        except OSError as error:
            self._force_close()
            raise OperationalError(CR.CR_SERVER_GONE_ERROR, f"server has gone away ({error})") from error


def tls_context(root_bundle: str) -> ssl.SSLContext:
    """Verifies the certificate and the host's name. One for all connections: reading the bundle takes a while."""
    return ssl.create_default_context(cafile=root_bundle)

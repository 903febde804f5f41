"""An answer that drips in is given up at the deadline, wherever HTTPS is spoken."""

import contextlib
import socket
import ssl
import threading
import time

import pytest

from lambda_src.database.https import Https
from lambda_src.database.liveness import UNACKNOWLEDGED
from lambda_src.database.secret_url import SecretUnavailable, read_fields
from lambda_src.deadline import Deadline
from local.certificates import server_certificate

PAUSE, BYTES = 0.05, 40  # seconds before each byte: all of them take longer than a deadline, none of them does


@pytest.fixture
def dripping(certificates):
    """The port of a server that answers a byte at a time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server_certificate(certificates, "127.0.0.1"))

    def serve():
        client, _ = listener.accept()
        with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as channel:
            channel.recv(65536)
            for byte in b"HTTP/1.1 200 OK\r\nX: ".ljust(BYTES, b"x"):
                time.sleep(PAUSE)
                channel.send(bytes([byte]))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_an_answer_that_drips_is_given_up_at_the_deadline(dripping, certificates):
    bundle = str(certificates / "ca.pem")
    with contextlib.closing(Https("127.0.0.1", dripping, root_bundle=bundle, timeout=2)) as connection:
        connection.connect()
        assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNACKNOWLEDGED
        connection.within(Deadline(0.3))
        connection.request("GET", "/")
        with pytest.raises(TimeoutError):
            connection.getresponse()


def test_a_secrets_manager_that_drips_is_an_error_in_time(dripping, certificates):
    key = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    endpoint = {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{dripping}", "SSL_CERT_FILE": str(certificates / "ca.pem")}
    with pytest.raises(SecretUnavailable, match="TimeoutError"):
        read_fields("a/b", 0.3, {**key, **endpoint})

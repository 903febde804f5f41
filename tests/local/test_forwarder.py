"""The forwarder delays, counts and fails as it says: the tests of faults and of round trips stand on it."""

import socket
import socketserver
import threading
import time

import pytest

from benchmarks.forwarder import Forwarder


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1024):
            self.server.heard.append(data)
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        """A client that went away is what these tests are about."""


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Echo) as running:
        running.heard = []
        threading.Thread(target=running.serve_forever, args=[0.02], daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def forwarder(server):
    with Forwarder(server.server_address) as running:
        yield running


@pytest.fixture
def client(forwarder):
    with socket.create_connection(forwarder.address, 5) as connection:
        yield connection


def say(client, text):
    client.sendall(text)
    return client.recv(1024)


def test_what_is_sent_arrives_and_is_counted(forwarder, client):
    counts = forwarder.count(lambda: [say(client, b"one"), say(client, b"two")])
    assert (counts.turns, counts.bytes_from_clients, counts.bytes_from_server) == (2, 6, 6)
    assert forwarder.connections == 1


def test_what_is_sent_without_waiting_is_one_turn(forwarder, client, server):
    def pipeline():
        client.sendall(b"one")
        client.sendall(b"two")
        found = b""
        while len(found) < 6:
            found += client.recv(1024)

    forwarder.delay_ms = 100
    assert forwarder.count(pipeline).turns == 1
    assert b"".join(server.heard) == b"onetwo"


def test_a_round_trip_takes_the_delay_longer_and_the_first_takes_it_twice(forwarder, client):
    forwarder.delay_ms = 60
    started = time.monotonic()
    say(client, b"first")
    first = time.monotonic() - started
    say(client, b"second")
    assert first >= 0.120
    assert time.monotonic() - started - first >= 0.060


def test_reset_all_ends_connections_with_rst(forwarder, client):
    say(client, b"hello")
    forwarder.reset_all()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_close_all_ends_connections_in_order(forwarder, client):
    say(client, b"hello")
    forwarder.close_all()
    assert client.recv(1) == b""


def test_a_cut_answer_was_carried_out(forwarder, client, server):
    say(client, b"hello")
    forwarder.cut_next_answer()
    client.sendall(b"create")
    with pytest.raises(ConnectionResetError):
        client.recv(1024)
    assert server.heard == [b"hello", b"create"]
    with socket.create_connection(forwarder.address, 5) as again:
        assert say(again, b"and again") == b"and again"


def test_nothing_comes_out_of_a_black_hole_until_it_is_healed(forwarder, client, server):
    say(client, b"hello")
    forwarder.black_hole()
    client.sendall(b"anyone?")
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(1024)
    assert server.heard == [b"hello"]
    forwarder.heal()
    client.settimeout(5)
    assert client.recv(1024) == b"anyone?"


def test_a_refusing_forwarder_refuses_until_it_is_healed(forwarder, client):
    forwarder.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(forwarder.address, 5)
    assert say(client, b"still here") == b"still here"
    forwarder.heal()
    with socket.create_connection(forwarder.address, 5) as late:
        assert say(late, b"hello") == b"hello"


def test_a_client_of_a_dead_upstream_is_reset():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = listener.getsockname()
    with (
        Forwarder(nobody) as forwarder,
        pytest.raises(ConnectionResetError),  # while connecting or afterwards
        socket.create_connection(forwarder.address, 5) as client,
    ):
        client.recv(1)

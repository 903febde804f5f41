"""Whatever the database or the proxy does, the caller gets an answer in time, and the function recovers by itself."""

import contextlib
import json
import os
import socket
import sys
import threading

import psycopg
import pytest

from lambda_src.database import iam_token
from local import resource
from tests.conftest import ACCESS_KEY, APPLICATION, DATABASE, PASSWORD, as_superuser, migrated_server, stand_in_before
from tests.service import Service, environment

# A request that takes longer fails its test: twice the deadline, for a machine with other work.
TIMEOUT = 6


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A PostgreSQL of this module's own, which it may stop."""
    # Its sessions may hold a transaction open for longer than a request waits.
    with migrated_server(tmp_path_factory.mktemp("faults"), statement_timeout=30) as running:
        yield running


@pytest.fixture
def proxy(server, certificates, tmp_path):
    """A stand-in with a pool of 2."""
    running = stand_in_before(server, certificates, tmp_path, percent=2)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def service(proxy, tmp_path):
    with environment(proxy, tmp_path) as running:
        running.wait_until_ready()
        yield Service(running)


def get(service):
    event = {"routeKey": "GET /health", "requestContext": {"http": {"method": "GET", "path": "/health"}}}
    answer = service.environment.invoke(event, TIMEOUT)
    return answer["statusCode"], answer["headers"].get("retry-after")


def process(service):
    return service.environment.process.pid, service.environment.process.poll()


def test_a_database_that_is_down_is_a_503_until_it_is_back(service, server):
    before = process(service)
    assert get(service) == (200, None)
    server.stop()
    assert get(service) == (503, "1")
    server.start()
    assert get(service) == (200, None)
    assert process(service) == before


def test_a_proxy_that_refuses_is_a_503_until_it_is_back(service, proxy):
    before = process(service)
    assert get(service) == (200, None)
    proxy.stop()
    assert get(service) == (503, "1")
    proxy.start()
    assert get(service) == (200, None)
    assert process(service) == before


def test_a_function_that_starts_while_the_proxy_refuses_answers_and_recovers(proxy, tmp_path):
    proxy.stop()
    with environment(proxy, tmp_path) as cold:
        cold.wait_until_ready()
        assert get(Service(cold)) == (503, "1")
        proxy.start()
        assert get(Service(cold)) == (200, None)


def test_a_restarted_proxy_costs_no_request(service, proxy):
    assert get(service) == (200, None)
    proxy.stop()
    proxy.start()
    assert get(service) == (200, None)


def test_killed_server_connections_cost_no_request(service, server):
    assert get(service) == (200, None)
    with as_superuser(server) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [APPLICATION])
    assert get(service) == (200, None)


def test_a_pool_that_is_exhausted_is_a_503_until_it_is_not(service, proxy):
    with contextlib.ExitStack() as holding:
        for _ in range(2):
            client = holding.enter_context(client_of(proxy))
            client.execute("BEGIN")
            client.execute("SELECT 1")
        assert get(service) == (503, "1")
    assert get(service) == (200, None)


def test_an_invocation_leaves_nothing_in_a_transaction(service, server):
    assert service.request("POST", resource.path("acme"), resource.body("a")).status == 201
    with as_superuser(server) as connection:
        states = "SELECT state FROM pg_stat_activity WHERE usename = %s"
        assert set(connection.execute(states, [APPLICATION]).fetchall()) == {("idle",)}


def test_a_failure_is_logged_without_what_was_sent(service, server, proxy, tmp_path):
    server.stop()
    assert service.request("POST", resource.path("acme"), resource.body("confidential")).status == 503
    server.start()
    log = (tmp_path / "function.log").read_text()
    assert "database unavailable" in log
    assert "confidential" not in log
    assert "X-Amz-Signature" not in log + proxy.log.read_text()


def client_of(proxy):
    token = iam_token.mint(proxy.host, proxy.port, APPLICATION, ACCESS_KEY["AWS_REGION"], ACCESS_KEY)
    return psycopg.connect(
        host=proxy.host,
        port=proxy.port,
        user=APPLICATION,
        password=token,
        dbname=DATABASE,
        sslmode="verify-full",
        sslrootcert=proxy.variables["SSL_CERT_FILE"],
        autocommit=True,
    )


def test_a_rotated_password_costs_no_request(service, server, tmp_path):
    assert get(service) == (200, None)
    with as_superuser(server) as connection:
        connection.execute(f"ALTER ROLE {APPLICATION} PASSWORD 'rotated, and still not a secret'")
        (tmp_path / "credentials.json").write_text(json.dumps({APPLICATION: "rotated, and still not a secret"}))
        connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'application'")
        try:
            assert get(service) == (200, None)
        finally:
            connection.execute(f"ALTER ROLE {APPLICATION} PASSWORD '{PASSWORD}'")


@pytest.fixture
def name_server(tmp_path):
    """A name server, and an interpreter that knows no other."""
    if os.geteuid() != 0:
        pytest.skip("only root may give a process another resolv.conf (mount namespace) and listen on port 53")
    resolv, python = tmp_path / "resolv.conf", tmp_path / "python"
    address = f"127.77.{os.getpid() // 256 % 256}.{os.getpid() % 256}"  # a resolver asks port 53 only
    resolv.write_text(f"nameserver {address}\n")
    python.write_text(
        f'#!/bin/sh\nexec unshare --mount sh -c \'mount --bind {resolv} /etc/resolv.conf && exec "$0" "$@"\' '
        f'{sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        yield server, str(python)


def test_a_name_server_that_does_not_answer_is_a_503(proxy, tmp_path, name_server):
    server, python = name_server
    with environment(proxy, tmp_path, python=python, DB_HOST="proxy.example.org") as cold:
        cold.wait_until_ready()
        assert get(Service(cold)) == (503, "1")
    assert server.recv(4096)


def answer_in_turns(server, addresses):
    """Answer each question for an address with all of them, every time beginning with the next one."""
    records = [b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(each) for each in addresses]
    with contextlib.suppress(OSError):
        while True:
            question, client = server.recvfrom(4096)
            end = question.index(b"\0", 12) + 5
            is_wanted = question[end - 4 : end - 2] == b"\0\1"  # and not IPv6
            flags_and_counts = b"\x81\x80\0\1\0" + bytes([is_wanted * len(records)]) + b"\0\0\0\0"
            server.sendto(question[:2] + flags_and_counts + question[12:end] + b"".join(records * is_wanted), client)
            records = [*records[is_wanted:], *records[:is_wanted]]


def test_an_address_that_is_out_of_reach_costs_no_request(server, certificates, tmp_path, name_server):
    """Whatever the order in which the name server gives it; the resolver would prefer 127.0.0.1."""
    names, python = name_server
    silent, speaking = "127.0.0.78", "127.0.0.79"
    proxy = stand_in_before(server, certificates, tmp_path, percent=2, host="proxy.example.org")
    proxy.command[proxy.command.index("--listen") + 1] = f"{speaking}:{proxy.port}"
    proxy.start()
    with socket.create_server((silent, proxy.port)):
        threading.Thread(target=answer_in_turns, args=(names, [silent, speaking]), daemon=True).start()
        with environment(proxy, tmp_path, python=python, DB_CONNECT_TIMEOUT_SECONDS="0.5") as running:
            running.wait_until_ready()
            for _ in range(3):
                assert get(Service(running)) == (200, None)
                proxy.stop()
                proxy.start()
    proxy.stop()
    assert (tmp_path / "function.log").read_text().count("connect failed") == 1

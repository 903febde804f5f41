"""`python -m local.rds_proxy`, as people and programs start it."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.rds_proxy.server_connection import Upstream
from local.rds_proxy.settings import Settings
from tests.conftest import ROOT, free_port
from tests.local.conftest import HOST, REGION, Database, make_token

COMMAND = [sys.executable, "-m", "local.rds_proxy"]


def flags(database: Database, **changed: str | None) -> list[str]:
    given = {
        "listen": f"{HOST}:0",
        "upstream": str(database.server.socket_directory),
        "region": REGION,
        "certificates": str(database.certificates),
        "credentials": str(database.credentials),
        "access_keys": str(database.access_keys),
        **changed,
    }
    return [
        word for name, value in given.items() if value is not None for word in ("--" + name.replace("_", "-"), value)
    ]


@contextmanager
def running(database: Database, log: Path, **changed: str | None) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    with (
        log.open("w") as output,
        subprocess.Popen(
            [*COMMAND, *flags(database, **changed)], cwd=ROOT, stdout=subprocess.PIPE, stderr=output, text=True
        ) as process,
    ):
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()


def connect(database: Database, port: int, token: str | None = None) -> psycopg.Connection:
    return psycopg.connect(
        host=HOST,
        port=port,
        user="app",
        dbname="one",
        password=token or make_token(HOST, port, "app"),
        sslmode="verify-full",
        sslrootcert=str(database.certificates / "ca.pem"),
        autocommit=True,
    )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_ends_cleanly(database: Database, tmp_path: Path, how: signal.Signals) -> None:
    log, metrics = tmp_path / "log", f"{HOST}:{free_port()}"
    with running(database, log, metrics=metrics) as (process, ready):
        assert ready == {"ready": True, "address": HOST, "port": ready["port"], "metrics": f"http://{metrics}/"}
        with connect(database, ready["port"]) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
            with urllib.request.urlopen(f"http://{metrics}/metrics.json", timeout=5) as answer:
                found = json.load(answer)
            assert (found["ClientConnections"], found["DatabaseConnections"]) == (1, 1)
            assert found["MaxDatabaseConnectionsAllowed"] == 30
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"http://{metrics}/other", timeout=5)
            caught.value.close()
            assert caught.value.code == 404
            process.send_signal(how)
            assert process.wait(10) == 0
            with pytest.raises(psycopg.OperationalError, match="the proxy is shutting down"):
                client.execute("SELECT 1")
    assert log.read_text() == ""


def test_the_database_may_be_reached_over_tcp(database: Database, tmp_path: Path) -> None:
    """The upstream is another stand-in, which speaks TLS and, with IAM authentication off, SCRAM."""
    root = str(database.certificates / "ca.pem")
    inner = {"access_keys": None, "iam_auth": "disabled"}
    with running(database, tmp_path / "inner", **inner) as (_, ready):
        outer = {"upstream": f"{HOST}:{ready['port']}", "upstream_root_certificate": root, "max_connections": "10"}
        with (
            running(database, tmp_path / "outer", **outer) as (_, ready),
            connect(database, ready["port"]) as client,
        ):
            assert client.execute("SELECT current_user").fetchone() == ("app",)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"listen": "0.0.0.0:5432"}, "listens on loopback only: 0.0.0.0 is not a loopback address"),
        ({"listen": "10.0.0.1:5432"}, "listens on loopback only: 10.0.0.1 is not a loopback address"),
        ({"listen": "example.com:5432"}, "listens on loopback only: example.com is not a loopback address"),
        ({"metrics": "0.0.0.0:9090"}, "listens on loopback only: 0.0.0.0 is not a loopback address"),
        ({"listen": "127.0.0.1"}, "--listen 127.0.0.1: give an address and a port, such as 127.0.0.1:6432"),
        ({"listen": "127.0.0.1:99999"}, "give an address and a port"),
        ({"upstream": "nowhere"}, "--upstream nowhere: give an address and a port"),
        ({"certificates": None}, "give --certificates, or --tls-certificate and --tls-key"),
        ({"certificates": None, "tls_certificate": "no.pem", "tls_key": "no.key"}, "No such file"),
        ({"credentials": None}, "give --credentials or --secret-arn"),
        ({"secret_arn": "arn:aws:secretsmanager:x"}, "give --credentials or --secret-arn"),
        ({"credentials": "no.json"}, "No such file"),
        ({"access_keys": None}, "give --access-keys, or --iam-auth disabled"),
        ({"access_keys": "no.json"}, "No such file"),
        ({"max_connections_percent": "101"}, "max_connections_percent is 101, and must be from 1 to 100"),
        ({"max_connections_percent": "10", "max_idle_connections_percent": "20"}, "must be from 0 to 10"),
        ({"connection_borrow_timeout": "301"}, "connection_borrow_timeout is 301, and must be from 0 to 300"),
        ({"idle_client_timeout": "28801"}, "must be from 0.1 to 28800"),
        ({"max_connections": "0"}, "max_connections is 0, and must be from 1 to 262143"),
        ({"max_connections": "many"}, "invalid int value: 'many'"),
    ],
)
def test_flags_that_make_no_sense_are_refused_with_a_sentence(
    database: Database, capsys: pytest.CaptureFixture[str], changed: dict[str, str | None], sentence: str
) -> None:
    from local.rds_proxy.__main__ import main

    with pytest.raises(SystemExit) as caught:
        main(flags(database, **changed))
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err


def test_no_settings_can_be_made_that_listen_elsewhere(tmp_path: Path) -> None:
    upstream = Upstream(socket=tmp_path)
    with pytest.raises(ValueError, match=r"0\.0\.0\.0 is not a loopback address"):
        Settings(address="0.0.0.0", port=0, upstream=upstream, certificate=tmp_path, key=tmp_path)


def test_an_address_that_is_taken_is_told(database: Database, tmp_path: Path) -> None:
    with running(database, tmp_path / "log") as (_, ready):
        again = [*COMMAND, *flags(database, listen=f"{HOST}:{ready['port']}")]
        done = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert done.stderr.startswith(f"the proxy can't listen on {HOST}:{ready['port']}: ")


def test_help_shows_how_to_use_it_alone() -> None:
    done = subprocess.run([*COMMAND, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0
    assert "in front of any PostgreSQL" in done.stdout
    assert "credentials.json" in done.stdout

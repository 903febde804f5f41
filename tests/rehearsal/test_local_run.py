"""`make up` puts the whole path in place on this machine; `make down` leaves nothing of it."""

import json
import shlex
import socket
import subprocess

from local import resource
from local.postgres.server import SUPERUSER, binaries
from stacks.environments import LOCAL
from stacks.postgres.database import DATABASE_NAME
from tests.conftest import ROOT
from tests.rehearsal.fixtures import UNVALIDATED, LocalRun, interrupt


def psql(run, query):
    command = [
        binaries() / "psql",
        "-h",
        run.account.database_socket(),
        "-U",
        SUPERUSER,
        "-d",
        DATABASE_NAME,
        "-Atc",
        query,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_request_becomes_a_row(deployed):
    status, made = deployed.request("POST", resource.path("acme"), resource.body("first"))
    assert status == 201
    assert psql(deployed, f"SELECT {resource.TEXT} FROM {resource.TABLE} WHERE id = '{made['id']}'") == "first"
    assert deployed.request("GET", resource.path("acme", made["id"])) == (200, made)


def test_the_functions_connection_went_through_the_stand_in_as_the_application(deployed):
    assert deployed.request("GET", "/health")[0] == 200
    others = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
    activity = f"SELECT DISTINCT usename FROM pg_stat_activity WHERE {others}"
    assert psql(deployed, activity) == "application"


def test_a_request_without_a_signature_is_refused(deployed):
    url = f"{deployed.account.api_url()}/health"
    found = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url], capture_output=True, text=True, check=True
    )
    assert found.stdout == "403"


def test_an_unknown_route_is_a_problem_document(deployed):
    status, problem = deployed.request("GET", "/nowhere")
    assert (status, problem["type"]) == (404, "/problems/unknown-route")


def test_the_printed_curl_line_works(deployed):
    line = next(line for line in deployed.output.splitlines() if line.startswith("  curl"))
    found = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True)
    assert json.loads(found.stdout)[resource.TEXT] == "first"


def test_a_second_run_changes_nothing(deployed):
    before = deployed.processes()
    code, output = deployed("up", "--store", "postgres", **UNVALIDATED)
    assert code == 0, output
    assert "cdk bootstrap" not in output
    assert deployed.request("GET", resource.path("acme"))[0] == 200
    assert [line for line in before if "local." in line] == [line for line in deployed.processes() if "local." in line]


def test_another_port_than_where_it_runs_is_a_sentence(deployed):
    command = deployed.command("up", "--store", "postgres", "--port", str(deployed.port + 1))
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert f"the local AWS runs on port {deployed.port}: `make up` deploys to it there, or `make down`" in found.stderr


def test_status_names_what_runs(deployed):
    code, output = deployed("status")
    assert code == 0
    assert all(name in output for name in ("local.aws", "local.postgres", "local.rds_proxy", f"{LOCAL.prefix}-service"))


def test_two_at_once_are_told_apart(tmp_path):
    run = LocalRun(tmp_path)
    first = run.start("up")
    try:
        while first.poll() is None and not (tmp_path / "emulator.json").exists():
            pass
        code, output = run("up")
        assert code == 1
        assert f"another `make up` is at work (process {first.pid})" in output
    finally:
        interrupt(first)
        output, _ = first.communicate(timeout=60)
    assert first.returncode != 0
    assert "nothing that this run started is left running" in output
    assert run.processes() == []


def test_down_ends_an_up_that_is_still_at_work_and_nothing_is_left_outside(tmp_path):
    run = LocalRun(tmp_path / "state")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    first = run.start("up", TMPDIR=str(elsewhere))
    log = run.state / "logs" / "cdk-bootstrap.log"
    while first.poll() is None and not (log.exists() and "Bootstrapping" in log.read_text()):
        pass
    code, output = run("down")
    assert code == 0, output
    first.communicate(timeout=60)
    assert first.returncode != 0
    assert run.processes() == []
    assert list(elsewhere.iterdir()) == []


def test_a_port_in_use_is_a_sentence(tmp_path):
    run = LocalRun(tmp_path)
    with socket.create_server(("127.0.0.1", run.port)):
        code, output = run("up")
    assert code == 1
    assert f"127.0.0.1:{run.port} is not free" in output
    assert "Traceback" not in output
    assert run.processes() == []


def test_status_and_down_of_nothing_are_sentences(tmp_path):
    run = LocalRun(tmp_path)
    assert run("status") == (1, "\nnothing runs here: `make up` starts it\n\nsee docs/errors.md#local-run\n")
    assert run("down") == (0, "nothing runs here\n")


def test_the_folder_is_left_as_it_was(deployed):
    """What a run makes is in its state folder, and in folders that git ignores."""
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line for line in changed.stdout.splitlines() if line[3:].startswith(("build/", "cdk.out"))] == []

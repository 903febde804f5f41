"""`make spike` and `make drill`, small: their shape and what must hold, not their figures."""

import json
import re
import signal
import subprocess
import sys

import pytest

from benchmarks.deployed import api_function
from benchmarks.drill import report as drill_report
from benchmarks.drill.__main__ import drill
from benchmarks.drill.faults import FAULTS
from benchmarks.spike import functions
from tests.conftest import ROOT

SPIKE = [sys.executable, "-m", "benchmarks.spike", "--functions", "0"]
CLIENTS, MOST = 110, 97  # PostgreSQL keeps 3 of its 100 connections to superusers


def stands_alone(page):
    """Whether a page loads nothing and runs nothing."""
    return not re.search(r"<script|<link|<img|src=|url\(|https?://", page)


def test_the_spike_shows_the_failure_and_its_cure(tmp_path):
    command = [*SPIKE, "--clients", str(CLIENTS), "--output", str(tmp_path)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert output.returncode == 0, output.stderr
    assert output.stdout.splitlines()[-1] == str(tmp_path / "spike.json")
    direct, pooled = json.loads((tmp_path / "spike.json").read_text())["phases"]
    assert (direct["connected"], direct["refused"]) == (MOST, CLIENTS - MOST)
    assert set(direct["refused_connection_attempts"]) <= {
        "sorry, too many clients already",
        "remaining connection slots are reserved for roles with the SUPERUSER attribute",
    }
    assert direct["requests_failed"] > 0
    assert direct["requests_done"] == direct["rows_stored"]
    assert (pooled["connected"], pooled["refused_at_the_first_attempt"], pooled["requests_failed"]) == (CLIENTS, 0, 0)
    assert pooled["peak_server_connections"] <= 20
    page = (tmp_path / "spike.html").read_text()
    assert stands_alone(page)
    assert page.count("<polyline") == 4


def test_an_interrupted_spike_leaves_nothing(tmp_path):
    command = [*SPIKE, "--clients", str(CLIENTS), "--output", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        found = process.stdout.readline()
        assert "PostgreSQL with max_connections=100" in found
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted: nothing that this run started is left running" in complaint
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert [line for line in running.splitlines() if "headroom-spike-" in line] == []


@pytest.fixture
def five(deployed):
    """What is deployed, with a reserved concurrency of 5 whatever the environment says."""
    client, name = deployed.account.client("lambda"), api_function(deployed.account)
    before = client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)
    yield deployed
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=before)


def test_one_invocation_more_than_the_reserved_concurrency_is_answered_429(five):
    found = functions.fill(five.account, reserved=5)
    assert found["answers_by_status"] == {"200": 5, "429": 1}
    assert (found["first_answer_status"], found["function_processes"]) == (429, 5)


def test_the_drill_loses_and_duplicates_nothing_and_leaves_what_is_deployed_as_it_was(five, tmp_path):
    deployed = five
    before = deployed.account.function_variables()
    chosen = ("every backend killed", "restart", "connections reset")
    trials = drill(deployed.account, [fault for fault in FAULTS if fault.name in chosen], tmp_path)
    assert [trial.fault.name for trial in trials] == list(chosen)
    assert [problem for trial in trials for problem in trial.problems] == []
    drill_report.write_page(tmp_path / "drill.html", trials)
    page = (tmp_path / "drill.html").read_text()
    assert stands_alone(page)
    assert page.count("<svg") == len(chosen)
    assert deployed.account.function_variables() == before
    assert deployed.request("GET", "/health")[0] == 200

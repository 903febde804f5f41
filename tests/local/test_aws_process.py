"""The process of the local AWS: how it starts, what it listens on, and that nothing is left of it."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from local.aws.gate import refusal
from tests.local.aws_emulator import (
    NETWORK,
    PYTHON,
    ROOT,
    command,
    descendants,
    function,
    is_running,
    role,
    running_emulator,
)

DEADLINE_SECONDS = 30
BUSY = """
import pathlib, os
def handler(event, context):
    pathlib.Path(os.environ["STARTED"]).touch()
    while True:
        pass
"""
INSTANCE = {
    "Type": "AWS::RDS::DBInstance",
    "DeletionPolicy": "Delete",
    "Properties": {
        "Engine": "postgres",
        "DBInstanceClass": "db.t4g.small",
        "Port": "55433",
        "MasterUsername": "master",
        "MasterUserPassword": "password",
    },
}
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes and sockets in /proc")


def refused(*arguments):
    finished = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr
    return finished.stderr


def test_a_port_in_use_is_a_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port} is not free (Address already in use)" in refused(*command(tmp_path / "a", port=port))


def test_a_state_folder_serves_one_emulator_at_a_time(tmp_path):
    with running_emulator(tmp_path) as first:
        assert f"another local AWS is using {first.state}" in refused(*command(first.state))
    with running_emulator(tmp_path):
        pass


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("internals.VERSION = '1.0'", "is installed and local/aws/internals.py was written against 1.0"),
        ("internals.USED['ministack.app']['gone'] = None", "ministack.app.gone is gone"),
        ("internals.USED['ministack.app']['app'] = ('a',)", "ministack.app.app takes ('scope', 'receive', 'send')"),
    ],
)
def test_another_ministack_is_a_sentence_that_says_what_changed(tmp_path, change, sentence):
    code = f"import sys; from local.aws import internals; {change}; sys.argv[1:] = sys.argv[2:]"
    start = "from local.aws.__main__ import main; main()"
    assert sentence in refused(PYTHON, "-c", f"{code}; {start}", *command(tmp_path)[2:])


@pytest.mark.parametrize(
    ("path", "headers", "reason"),
    [
        ("/", {"Origin": "https://example.com"}, "not for web pages"),
        ("/", {"Sec-Fetch-Site": "cross-site"}, "not for web pages"),
        ("/", {"Host": "rebound.example.com"}, "is called as 127.0.0.1 or localhost"),
        ("/_ministack/reset", {}, "is reset by ending it"),
        ("/_aws/execute-api/00000000/x", {"Origin": "https://example.com"}, None),
        ("/", {"Host": "bucket.localhost"}, None),
        ("/", {"Sec-Fetch-Site": "none"}, None),  # typed into the address bar
    ],
)
def test_web_pages_reach_deployed_apis_and_nothing_else(path, headers, reason):
    given = {"host": "127.0.0.1:4566", **{name.lower(): value for name, value in headers.items()}}
    found = refusal(path, given)
    assert (found is None) if reason is None else reason in found


def test_a_refused_request_gets_its_reason(tmp_path):
    with running_emulator(tmp_path) as emulator:
        page = urllib.request.Request(f"{emulator.endpoint}/", headers={"Origin": "https://example.com"})
        with pytest.raises(urllib.error.HTTPError, match="403") as refused, urllib.request.urlopen(page, timeout=30):
            pass
        with refused.value as answer:
            assert "not for web pages" in json.load(answer)["message"]


def listening(pids):
    """The addresses on which these processes listen, as the kernel knows them."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(descriptor.readlink()))
            except FileNotFoundError:
                continue
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if (fields[3] == "0A" or table.startswith("udp")) and f"socket:[{fields[9]}]" in inodes:
                found.append((table, fields[1].split(":")[0]))
    return found


def call_until_cut_off(functions, name):
    with contextlib.suppress(ClientError, HTTPClientError):
        functions.invoke(FunctionName=name)


@linux_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_it_listens_on_loopback_only_and_nothing_is_left_of_it(tmp_path, number):
    with running_emulator(tmp_path) as emulator:
        busy = function(BUSY, Environment={"Variables": {"STARTED": str(tmp_path / "started")}}, Timeout=900)
        idle = function("exports.handler = async () => 'done';", runtime="nodejs24.x")
        resources = {**NETWORK, "Instance": INSTANCE, "Role": role("lambda"), "Busy": busy, "Idle": idle}
        names = emulator.deploy("everything", resources, Busy={"Ref": "Busy"}, Idle={"Ref": "Idle"})
        functions = emulator.client("lambda")
        assert json.load(functions.invoke(FunctionName=names["Idle"])["Payload"]) == "done"
        caller = threading.Thread(target=call_until_cut_off, args=(functions, names["Busy"]))
        caller.start()
        deadline, poll = time.monotonic() + DEADLINE_SECONDS, threading.Event()
        while not (tmp_path / "started").exists():
            assert time.monotonic() < deadline
            poll.wait(0.02)
        processes = descendants(emulator.process.pid)
        sockets = listening({emulator.process.pid, *processes})
        # The emulator, the database, and the claim of the database's address.
        assert sorted(table for table, _ in sockets) == ["tcp", "tcp", "udp"]
        assert all(address.endswith("7F") for _, address in sockets)  # 127.x.x.x, little-endian
        assert len(processes) > 4
        status = emulator.stop(number)
        assert status == (0 if number != signal.SIGKILL else -signal.SIGKILL)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while left := [pid for pid in processes if is_running(pid)]:
            assert time.monotonic() < deadline, left
            poll.wait(0.05)
        caller.join()


@linux_only
def test_a_deployment_that_waits_for_an_answer_does_not_keep_it(tmp_path):
    with running_emulator(tmp_path) as emulator:
        silent = function("def handler(event, context): pass")
        custom = {"Type": "Custom::Silent", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Silent", "Arn"]}}}
        template = {"Resources": {"Role": role("lambda"), "Silent": silent, "Custom": custom}}
        cloudformation = emulator.client("cloudformation")
        cloudformation.create_stack(
            StackName="waiting", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        deadline, poll = time.monotonic() + DEADLINE_SECONDS, threading.Event()
        while not emulator.client("lambda").list_functions()["Functions"] or not descendants(emulator.process.pid):
            assert time.monotonic() < deadline
            poll.wait(0.05)
        assert emulator.stop() == 0

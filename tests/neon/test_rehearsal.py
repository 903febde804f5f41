"""`make up STORE=neon` serves the same API from a PostgreSQL outside the local AWS, behind PgBouncer."""

import json
import re
import shlex
import socket
import subprocess
from urllib.parse import urlsplit

import pytest

from local.up.options import local
from tests.debian import program
from tests.rehearsal.fixtures import UNVALIDATED, LocalRun

PROJECTS = "/tenants/acme/projects"


@pytest.fixture(scope="module")
def on_neon(tmp_path_factory):
    """The environment `local` on Neon, deployed."""
    program("pgbouncer", package="pgbouncer")  # `make up` fetches nothing
    run = LocalRun(tmp_path_factory.mktemp("local-neon"))
    code, output = run("up", "--store", "neon", **UNVALIDATED)
    assert code == 0, output
    run.output = output
    name = local("neon").store.secret_name
    text = run.account.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    run.secret = json.loads(text)
    yield run
    code, output = run("down")
    assert code == 0, output
    assert run.processes() == []
    for name in ("url", "direct_url", "sql_endpoint"):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(run.secret[name]).port), 1)


def test_a_project_lives_in_the_database_outside(on_neon):
    """The migration function has made roles and tables; the local AWS checks each function's right to the secret."""
    made = [on_neon.request("POST", PROJECTS, {"name": name}) for name in ("first", "second")]
    assert [status for status, _ in made] == [201] * 2, made
    first, second = (project for _, project in made)
    assert on_neon.request("GET", f"{PROJECTS}/{first['id']}") == (200, first)
    status, page = on_neon.request("GET", f"{PROJECTS}?limit=1")
    assert (status, page["items"]) == (200, [first])
    assert on_neon.request("GET", f"{PROJECTS}?cursor={page['next_cursor']}") == (200, {"items": [second]})
    assert on_neon.request("DELETE", f"{PROJECTS}/{second['id']}") == (204, None)


def test_every_printed_command_works(on_neon):
    lines = [line for line in on_neon.output.splitlines() if re.match(r"  (curl|/)", line)]
    answers = [subprocess.run(shlex.split(line), capture_output=True, text=True, check=True).stdout for line in lines]
    assert len(answers) == 3
    assert all("first" in answer for answer in answers), answers


def test_the_urls_are_in_no_template_variable_or_log(on_neon):
    passwords = [urlsplit(on_neon.secret[name]).password for name in ("url", "direct_url")]
    state = on_neon.state
    paths = [*(state / "logs").rglob("*.log"), *(state / "cdk.out").rglob("*.json"), state / "neon" / "postgresql.log"]
    texts = [path.read_text(errors="replace") for path in paths]
    texts += [on_neon.output, str(on_neon.account.client("lambda").list_functions())]
    assert [password for password in passwords for text in texts if password in text] == []

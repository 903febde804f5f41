"""What `make audit` says about packages; the registry here is a server of the test, which npm itself asks."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ci import audit

ADVISORY = {
    "id": 1,
    "url": "https://github.com/advisories/GHSA-test",
    "title": "a test's",
    "severity": "high",
    "vulnerable_versions": "<99",
}


class Registry(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = self.server.answer
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send_error(404)

    def log_message(self, *words):
        pass


@pytest.fixture
def registry(monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def npm_lock():
    return next(lock for lock in audit.locks() if str(lock) == "package-lock.json")


def test_a_vulnerable_package_is_named(registry):
    registry.answer = (200, {"aws-cdk": [ADVISORY]})
    found = audit.audit(npm_lock())
    assert found.not_reached is None
    assert found.packages > 0
    assert found.vulnerabilities == ["aws-cdk: high, a test's"]


def test_without_advisories_nothing_is_called_audited(registry):
    registry.answer = (405, {})
    found = audit.audit(npm_lock())
    assert "405" in found.not_reached
    assert found.vulnerabilities == []


def test_every_lock_file_is_asked_about():
    files = subprocess.run(
        ["git", "ls-files", "*requirements*.txt", "*package-lock.json"], cwd=audit.ROOT, capture_output=True, text=True
    )
    if files.returncode != 0:
        pytest.skip("this folder is no git repository")
    assert {path for path in files.stdout.split() if "snapshots" not in path} <= {str(lock) for lock in audit.locks()}

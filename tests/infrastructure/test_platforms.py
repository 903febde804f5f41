"""Other machines than this one, as far as that can be shown from here."""

import os
import re
import subprocess
import sys

import pytest

from local import machine
from tests.conftest import ROOT

PLATFORMS = [
    f"{machine}-{system}" for machine in ("aarch64", "x86_64") for system in ("unknown-linux-gnu", "apple-darwin")
]
# Packages that stopped building for Macs with Intel processors: there, templates can be synthesized and deployed.
ENOUGH_TO_DEPLOY = ["requirements.txt", "requirements-node.txt", "lambda_src/requirements.txt"]
LOCKS = re.findall(r"compile \w+ ([\w./-]+\.txt)", (ROOT / "Makefile").read_text())
LOCKS += [str(path.relative_to(ROOT)) for path in (ROOT / "lambda_src").glob("*/requirements.txt")]  # of options


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_lock_file_installs_from_wheels_only(platform, tmp_path):
    for lock in ENOUGH_TO_DEPLOY if platform == "x86_64-apple-darwin" else LOCKS:
        command = ["uv", "pip", "install", "--quiet", "--dry-run", "--target", tmp_path, "--python-platform", platform]
        command += ["--python-version", "3.13", "--only-binary", ":all:", "--require-hashes", "-r", lock]
        found = subprocess.run(
            [sys.executable, "-m", *map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if "error sending request" in found.stderr and not os.environ.get("CI"):
            pytest.skip("the package registry is not reachable from here")
        assert found.returncode == 0, f"{lock}: {found.stderr}"


def test_without_setpriv_an_ordinary_user_starts_a_database_as_it_is(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda _name: None)
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    assert machine.launcher() == []
    monkeypatch.setattr(machine.os, "geteuid", lambda: 0)
    with pytest.raises(RuntimeError, match="run this as an ordinary user"):
        machine.launcher()


def test_a_socket_of_postgresql_fits_on_macos_too():
    assert machine.SOCKET_PATH_LIMIT + len("/.s.PGSQL.54320") <= 103
    assert len(machine.SHORT) < 10


def test_what_only_one_system_has_is_asked_for_in_one_place():
    """Or in a place that docs/platforms.md names."""
    text = (ROOT / "docs" / "platforms.md").read_text()
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in names.stdout.split():
        path = ROOT / name
        if name == "tests/infrastructure/test_platforms.py" or not path.exists():
            continue
        if re.search(r"sys\.platform|platform\.(system|machine|uname)\(|os\.uname|setpriv|/proc/", path.read_text()):
            assert name in text, (
                f"{name} depends on the system: put it into local/machine.py, or into docs/platforms.md"
            )


def test_of_two_commands_at_once_one_waits(tmp_path):
    alone = [sys.executable, ROOT / "local" / "alone.py", tmp_path / "lock"]
    held = [*alone, "sh", "-c", "echo started; read line; echo first >> log"]
    first = subprocess.Popen(held, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "started\n"
    second = subprocess.Popen([*alone, "sh", "-c", "echo second >> log"], cwd=tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(0.3)
    first.communicate("\n")
    assert second.wait(30) == 0
    assert (tmp_path / "log").read_text() == "first\nsecond\n"

"""Programs from Debian's packages: found, unpacked without root, or a reason that a reader can act on."""

import subprocess

import pytest

import tests.debian
from local import debian
from local.debian import find, require
from tests.debian import program


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    """Nothing is on PATH, and nothing was unpacked."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(debian, "SYSTEM", ())
    monkeypatch.setattr(debian, "WRAPPED", tmp_path / "usr" / "wrapped")
    monkeypatch.setattr(tests.debian, "UNPACKED", tmp_path)
    tests.debian._found_or_fetched.cache_clear()
    yield tmp_path
    tests.debian._found_or_fetched.cache_clear()


def test_a_program_that_can_not_be_had_skips_its_tests_with_a_reason(bare_machine, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(
        pytest.skip.Exception, match=r"no apt-get and no dpkg here.*install Debian's package server-core"
    ):
        program("serverd", package="server-core")


def test_in_ci_it_fails_them(bare_machine, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"serverd is not on this machine"):
        program("serverd", package="server-core")


def test_who_fetches_nothing_says_how_to_get_it(bare_machine):
    assert find("serverd") is None
    with pytest.raises(RuntimeError, match=r"`sudo apt-get install server-core`.*tests.debian serverd server-core"):
        require("serverd", package="server-core")


def test_what_is_unpacked_is_started_with_the_libraries_beside_it(bare_machine, monkeypatch):
    (bare_machine / "usr" / "sbin").mkdir(parents=True)
    (bare_machine / "usr" / "lib" / "x86_64-linux-gnu").mkdir(parents=True)
    server = bare_machine / "usr" / "sbin" / "serverd"
    server.write_text('#!/bin/sh\necho "$LD_LIBRARY_PATH" "$@"\n')
    server.chmod(0o755)
    monkeypatch.setattr(tests.debian, "WRAPPED", debian.WRAPPED)
    tests.debian._wrap("serverd", "server-core")
    told = subprocess.run([find("serverd"), "--flag"], capture_output=True, text=True, check=True).stdout
    assert told == f"{bare_machine}/usr/lib/x86_64-linux-gnu --flag\n"

"""What an update moves, and what it leaves to people."""

import tomllib

from ci.update import GROUPS_BY_HAND, MAJOR_BY_HAND, moved, pinned, wanted
from tests.conftest import ROOT

PROJECT = (ROOT / "pyproject.toml").read_text()


def groups(text):
    found = tomllib.loads(text)["dependency-groups"]
    return {name: [each for each in pins if isinstance(each, str)] for name, pins in found.items()}


def test_every_pin_is_known_but_for_groups_that_are_moved_by_hand():
    known = pinned(PROJECT)
    for group, pins in groups(PROJECT).items():
        for pin in pins:
            name, version = pin.partition(";")[0].split("==")
            assert group in GROUPS_BY_HAND or known[name] == version


def test_a_pin_moves_wherever_it_stands_and_keeps_its_marker():
    after = groups(moved(PROJECT, {"boto3": "9.9.9", "awslambdaric": "8.8.8", "psycopg": "7.7.7"}))
    pins = [pin for group, found in after.items() if group not in GROUPS_BY_HAND for pin in found]
    assert {pin for pin in pins if pin.startswith("boto3")} == {"boto3==9.9.9"}
    assert {pin for pin in pins if pin.startswith("awslambdaric")} == {"awslambdaric==8.8.8; sys_platform == 'linux'"}
    assert {pin for pin in pins if pin.startswith("psycopg[")} == {"psycopg[binary]==7.7.7"}
    assert after["emulator"] == groups(PROJECT)["emulator"]
    assert moved(PROJECT, {}) == PROJECT


def test_a_major_version_of_postgresql_or_node_stays():
    pins = pinned(PROJECT)
    for name in MAJOR_BY_HAND:
        major = int(pins[name].split(".")[0])
        assert f"{name}>={pins[name]},<{major + 1}" in wanted(pins)
    assert f"boto3>={pins['boto3']}" in wanted(pins)

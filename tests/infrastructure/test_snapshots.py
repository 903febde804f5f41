import json

import pytest

from .snapshots import ASSET, DIRECTORY, differences, of_option, texts
from .synthesis import OPTIONS, OWN, STACKS, synthesize, templates

NAMES = [f"{environment.name}-{stack}.json" for environment in OWN for stack in STACKS]


@pytest.mark.parametrize("name", NAMES)
def test_the_template_is_the_one_that_was_reviewed(own, name):
    path = DIRECTORY / name
    expected = path.read_text() if path.exists() else ""
    found = differences(expected, texts(own)[name], name)
    assert not found, f"if this is meant, `make snapshot` and review:\n{found}"


def test_the_templates_of_each_options_example_are_those_that_were_reviewed(tmp_path):
    found = texts(templates(synthesize(tmp_path, OPTIONS)))
    reviewed = {path.name: path.read_text() for each in OPTIONS for path in of_option(each.name).iterdir()}
    assert sorted(found) == sorted(reviewed)
    changes = "\n".join(filter(None, (differences(reviewed[name], text, name) for name, text in found.items())))
    assert not changes, f"if this is meant, `make snapshot` and review:\n{changes}"


def test_there_is_no_snapshot_of_what_no_longer_exists():
    assert sorted(path.name for path in DIRECTORY.iterdir()) == sorted(NAMES)


def test_a_difference_names_the_resource_and_shows_the_lines():
    def template(percent):
        return json.dumps({"Resources": {"Pool": {"Type": "T", "MaxConnectionsPercent": percent}}}, indent=2)

    found = differences(template(75), template(90), "dev-data.json")
    assert "~ Pool T" in found
    assert '-      "MaxConnectionsPercent": 75' in found
    assert '+      "MaxConnectionsPercent": 90' in found


def test_a_snapshot_holds_no_hash_of_an_asset(own):
    found = "".join(texts(own).values())
    assert "<asset>.zip" in found
    assert not ASSET.search(found)
    assert "BootstrapVersion" not in found

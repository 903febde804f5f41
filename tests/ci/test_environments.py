"""Which environments the workflows deploy, and with which roles."""

import json
from dataclasses import replace

import pytest

from ci.environments import account_variable, main, matrix
from stacks.environments import ENVIRONMENTS
from stacks.runtime import this_machine
from tests.environments import DEV

ACCOUNTS = {account_variable(each.name): f"{number:012}" for number, each in enumerate(ENVIRONMENTS, start=1)}


@pytest.fixture
def ask(monkeypatch, capsys):
    def run(*words, variables=ACCOUNTS):
        monkeypatch.setattr("sys.argv", ["ci.environments", *words])
        monkeypatch.setenv("VARIABLES", json.dumps(variables))
        main()
        return json.loads(capsys.readouterr().out.removeprefix("environments="))

    return run


def test_environments_come_in_the_order_of_the_file_and_local_is_none_of_them(ask):
    names = [each.name for each in ENVIRONMENTS if each.name != "local"]
    assert [each["name"] for each in ask("")] == names
    assert [each["name"] for each in ask(names[0])] == names[:1]
    assert ask(variables={}) == []


def test_an_environment_without_an_account_is_a_sentence(ask):
    with pytest.raises(
        SystemExit, match="'produktion' is no environment with a variable AWS_ACCOUNT_PRODUKTION, there"
    ):
        ask("produktion")


def test_a_hyphen_of_a_name_is_an_underscore_in_its_variable():
    environment = replace(DEV, name="eu-test", runtime=this_machine())
    (found,) = matrix([environment], {"AWS_ACCOUNT_EU_TEST": "123456789012"})
    assert found["read"] == f"arn:aws:iam::123456789012:role/{DEV.service}-eu-test-read"


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("us-east-1", "aws")]
)
def test_a_role_is_named_in_its_regions_partition(region, partition):
    (found,) = matrix([replace(DEV, region=region)], {account_variable(DEV.name): "123456789012"})
    assert found["deploy"].startswith(f"arn:{partition}:iam::")

import dataclasses
import json
import re
from dataclasses import replace

import pytest

from stacks import environments as own
from stacks.budget.findings import WARNING
from stacks.budget.rules import judge
from stacks.capacity import PIN_SAFE
from stacks.local import PORT, on_this_machine
from stacks.runtime import Runtime, this_machine
from stacks.stage import EnvironmentStage
from tests.environments import SERVICE

from .synthesis import FIXED, MACHINE, OPTIONS, STACKS

DEV, LOCAL = (next(each for each in FIXED if each.name == name) for name in ("dev", "local"))
# A rule between two groups has the path of the other group, and the port, in its logical id.
RULE = re.compile(r"(?:dev|local)Data(Network[A-Za-z]+?)[0-9A-F]{8}(54320|5432|443)[0-9A-F]{8}(?![0-9A-F])")
VERSION = re.compile(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}")
HASH = re.compile(r"[0-9a-f]{64}")


def test_the_environments_are_of_one_service_and_one_of_them_is_for_this_machine():
    assert {each.service for each in own.ENVIRONMENTS} == {own.SERVICE}
    assert [each for each in own.ENVIRONMENTS if each.name == "local"] == [own.LOCAL]
    assert own.LOCAL.runtime == this_machine()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda each: each.name)
def test_the_local_environment_of_any_other_store_differs_in_its_name_and_runtime_only(option):
    assert on_this_machine(option) == replace(option, name="local", runtime=this_machine())


def test_the_local_configuration_is_devs_but_for_what_a_machine_forces():
    store = replace(DEV.store, port=PORT, max_connections=DEV.budget.max_connections)
    assert replace(DEV, name="local", runtime=MACHINE, store=store) == LOCAL


def test_the_local_templates_are_devs_but_for_what_a_machine_forces(synthesized):
    found = {
        (path[-1], str(before), str(after))
        for stack in STACKS
        for path, before, after in differences(normal(synthesized["dev", stack]), normal(synthesized["local", stack]))
    }
    assert found == {
        ("Runtime", "python3.13", f"python{MACHINE.python}"),
        ("Architectures", "['arm64']", f"['{MACHINE.architecture}']"),
        ("Port", "5432", "54320"),
        ("FromPort", "5432", "54320"),
        ("ToPort", "5432", "54320"),
        ("DB_PORT", "5432", "54320"),
        ("max_connections", "None", str(DEV.budget.max_connections)),
    }


def normal(template):
    """The template with dev's name for local, and without ids that only hash the name."""
    text = json.dumps(template).replace(LOCAL.prefix, DEV.prefix).replace("local/", "dev/")
    text = text.replace("stack of local", "stack of dev")
    return json.loads(HASH.sub("", VERSION.sub(r"\1", RULE.sub(r"\1", text))))


def differences(before, after, path=()):
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            yield from differences(before.get(key), after.get(key), (*path, key))
    elif ordered(before) != ordered(after):
        yield path, before, after


def ordered(value):
    """A list, such as DependsOn, is in the order of ids that hash the environment's name."""
    return sorted(value, key=json.dumps) if isinstance(value, list) else value


@pytest.mark.parametrize("environment", FIXED, ids=lambda each: each.name)
def test_stacks_are_named_for_service_and_environment(app, environment):
    stage = app.node.find_child(environment.name)
    assert [stage.data.stack_name, stage.service.stack_name] == [
        f"{SERVICE}-{environment.name}-data",
        f"{SERVICE}-{environment.name}-service",
    ]


@pytest.mark.parametrize("environment", FIXED, ids=lambda each: each.name)
def test_a_retained_environment_cannot_be_deleted_by_accident(app, environment):
    stage = app.node.find_child(environment.name)
    assert stage.data.termination_protection is environment.retain
    assert stage.service.termination_protection is environment.retain


@pytest.mark.parametrize("environment", FIXED, ids=lambda each: each.name)
def test_an_environment_has_a_region_and_no_account(app, environment):
    stage = app.node.find_child(environment.name)
    assert stage.region == environment.region
    assert stage.account is None
    assert stage.data.tags.tag_values() == {"service": SERVICE, "environment": environment.name}


def test_this_machine_is_one_that_lambda_has_a_runtime_for():
    assert isinstance(this_machine(), Runtime)


def test_what_is_only_a_warning_is_said_where_cdk_shows_it(app):
    said = {
        stage.node.id: [
            entry.data for entry in stage.node.find_child("Service").node.metadata if entry.type == "aws:cdk:warning"
        ]
        for stage in app.node.children
        if isinstance(stage, EnvironmentStage)
    }
    expected = {each.name: [str(found) for found in judge(each.budget) if found.severity == WARNING] for each in FIXED}
    assert {name: [text.partition(" [ack: ")[0] for text in warnings] for name, warnings in said.items()} == expected


@pytest.mark.parametrize("environment", FIXED, ids=lambda each: each.name)
def test_every_session_may_be_pinned_in_the_environments_as_they_come(environment):
    assert environment.budget.verdict == PIN_SAFE


def test_the_local_environment_has_devs_budget():
    budgets = {each.name: dataclasses.replace(each.budget, plan=DEV.budget.plan) for each in (DEV, LOCAL)}
    assert budgets["local"] == budgets["dev"]

"""The environments of this project, as they are in stacks/environments.py."""

import pytest

import app
from stacks.checks.catalogue import check, stages
from stacks.checks.connections import max_connections
from stacks.checks.plugin import ProxyChecks
from tests.environments import PROD
from tests.infrastructure.synthesis import OWN, EnvironmentStage, synthesize

from .cases import TODAY, described, templates


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    synthesized = synthesize(tmp_path_factory.mktemp("cdk.out"), OWN)
    return {each.node.id: each for each in synthesized.node.children if isinstance(each, EnvironmentStage)}


@pytest.mark.parametrize("name", [each.name for each in OWN])
def test_nothing_is_found_in_an_environment(environments, name):
    found = [
        finding
        for stage in stages(templates(environments[name], app.production), today=TODAY)
        for finding in check(stage)
    ]
    assert not found, described(found)


def test_the_rules_see_the_functions_proxy_and_database_of_production(tmp_path):
    """Or finding nothing would mean nothing."""
    (stage,) = stages(templates(synthesize(tmp_path, [PROD]).node.find_child("prod")))
    assert [proxy.targets for proxy in stage.proxies] == [stage.databases]
    assert stage.users_of(stage.proxies[0].resource)
    assert stage.deployment_functions & set(stage.uses)
    assert max_connections(stage, stage.databases[0])


def test_the_app_has_the_rule_pack(monkeypatch):
    """That the plugin works is test_plugin.py's; a synthesis of the real app would start CDK's validators for this."""
    added = []
    monkeypatch.setattr(
        app, "ProxyChecks", lambda *given, **named: added.append(ProxyChecks(*given, **named)) or added[-1]
    )
    app.build((), repository=None)
    assert added


def test_what_a_name_does_not_say_is_not_production():
    assert [app.production(path) for path in ("prod/Data", "live/Data", "test/Data", "dev/Data")] == [
        True,
        True,
        False,
        False,
    ]

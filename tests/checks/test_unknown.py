"""What only a deployment decides is never a finding, and no value whatever breaks a rule."""

import copy

import pytest

from stacks.checks.catalogue import check, stages
from stacks.checks.template import Template

from .cases import TODAY, Case, build, described, templates
from .right import an_api_and_a_worker, everything_by_hand, secrets_and_iam_tokens
from .service import service

PARAMETER = {"Ref": "AParameter"}
STRANGE = ("x", 7, True, None, [], {}, [[1]], [{"a": 1}], {"a": {"b": []}}, {"Ref": "AWS::NoValue"}, {"Fn::Join": "x"})
SHAPES = {
    "iam": service,
    "by-hand": everything_by_hand,
    "secrets": secrets_and_iam_tokens,
    "worker": an_api_and_a_worker,
}


@pytest.fixture(params=SHAPES)
def synthesized(app, request, tmp_path):
    return templates(build(app, Case(f"unknown_{request.param}", SHAPES[request.param])))


def paths(value, path=()):
    """Every path into a value, short of what is inside an intrinsic function."""
    if path:
        yield path
    if isinstance(value, dict) and not (len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))):
        for key, each in value.items():
            yield from paths(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from paths(each, (*path, index))


def replaced(value, path, by):
    changed = copy.deepcopy(value)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = by
    return changed


def variations(synthesized, by):
    """Each template with one value of one resource's properties replaced, resolved anew."""
    for number, template in enumerate(synthesized):
        for id, resource in template.body["Resources"].items():
            for path in paths(resource.get("Properties", {})):
                body = copy.copy(template.body)
                properties = replaced(resource["Properties"], path, by)
                body["Resources"] = {**body["Resources"], id: {**resource, "Properties": properties}}
                bodies = [body if i == number else each.body for i, each in enumerate(synthesized)]
                changed = [
                    Template(new, old.stack, old.path, old.name, old.region, old.account, old.production)
                    for new, old in zip(bodies, synthesized, strict=True)
                ]
                yield f"{id}.{'.'.join(map(str, path))}", changed


def test_a_parameter_in_place_of_any_value_is_no_finding(synthesized):
    for where, changed in variations(synthesized, PARAMETER):
        found = [finding for stage in stages(changed, today=TODAY) for finding in check(stage)]
        assert not found, f"{where}: {described(found)}"


@pytest.mark.parametrize("strange", STRANGE, ids=repr)
def test_no_value_breaks_a_rule(app, strange):
    synthesized = templates(build(app, Case(f"strange_{STRANGE.index(strange)}", service)))
    tried = 0
    for _, changed in variations(synthesized, strange):
        for stage in stages(changed, today=TODAY):
            check(stage)
            tried += 1
    assert tried > 100

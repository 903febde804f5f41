import pytest

from stacks.checks.catalogue import CATALOGUE, severity_of

from .cases import build, described, findings
from .suite import CASES, RIGHT, WRONG


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.id)
def test_a_wrong_stack_is_found_by_its_rule_and_no_other(app, case):
    found = findings(build(app, case), case.today)
    assert {(each.rule.id, severity_of(each)) for each in found} == {(case.rule, case.severity)}, described(found)


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.id)
def test_in_a_correct_stack_nothing_is_found(app, case):
    found = findings(build(app, case), case.today)
    assert not found, described(found)


def test_every_rule_has_a_wrong_stack():
    assert {rule.id for rule in CATALOGUE} == {case.rule for case in WRONG}


def test_every_severity_of_a_rule_is_shown():
    """What is an error in production and a warning elsewhere has a stack of both kinds."""
    shown = {(case.rule, case.severity) for case in WRONG}
    for rule in CATALOGUE:
        declared = {rule.severity.of(production) for production in (True, False, None)} - {None}
        assert {(rule.id, severity) for severity in declared} <= shown


def test_the_suite_is_large_enough_and_its_names_are_unique():
    assert len(WRONG) >= 60
    assert len(RIGHT) >= 10
    assert len({case.name for case in CASES}) == len(CASES)

"""The arithmetic of connections: against AWS's published points, worked examples, and properties that must hold."""

import dataclasses
import math
import random
import re
from fractions import Fraction
from math import ceil, comb

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambda_src.database import retry
from lambda_src.database.retry import Verdict
from stacks import capacity
from stacks.budget.binomial import quantile_99
from stacks.budget.findings import ERROR, NOTE, WARNING, fitting_repairs, severity
from stacks.budget.instance_classes import INSTANCE_CLASSES, estimated_max_connections, instance_class, larger
from stacks.budget.plan import Plan, Workload
from stacks.budget.rules import RULES, errors, judge
from stacks.capacity import MULTIPLEX_DEPENDENT, PIN_SAFE, REFUSED, Budget, pool_size
from stacks.config import Function, Pool, RdsPostgres, Throttle
from tests import environments

OF_A_FUNCTION = {each.name for each in dataclasses.fields(Workload)}
PROD = {
    "environment": "prod",
    "instance": "r8g.large",
    "multi_az": True,
    "retain": True,
    "account_concurrency": 1000,
    "alarm_address": "operations@corp.test",
}


def plan(**values):
    function = {"reserved_concurrency": 50} | {k: v for k, v in values.items() if k in OF_A_FUNCTION}
    rest = {key: value for key, value in values.items() if key not in OF_A_FUNCTION}
    return Plan(
        **{"environment": "test", "instance": "t4g.micro", "account_concurrency": 1000} | rest,
        workloads=(Workload(**function),),
    )


def budget(**values):
    return Budget.of(plan(**values))


def half_busy(share):
    return {"seconds": 0.1, "seconds_in_database": share / 10}


# AWS publishes what max_connections becomes by memory for Aurora Serverless v2 PostgreSQL, at 2 GiB a unit.
@pytest.mark.parametrize(("gib", "published"), [(2, 189), (8, 823), (16, 1669), (32, 3360), (64, 5000), (256, 5000)])
def test_the_estimate_of_max_connections_meets_what_aws_publishes(gib, published):
    assert abs(estimated_max_connections(gib) - published) <= 1


@pytest.mark.parametrize(
    ("name", "estimate"),
    [
        ("t4g.micro", 83),
        ("t4g.small", 189),
        ("t4g.medium", 400),
        ("t4g.large", 823),
        ("r8g.large", 1668),
        ("r8g.2xlarge", 5000),
    ],
)
def test_a_class_has_its_estimate(name, estimate):
    assert budget(instance=name).estimated_max_connections == estimate


def test_a_plan_counts_on_five_percent_less_than_the_estimate():
    assert budget(instance="t4g.micro").max_connections == 78
    assert budget(instance="r8g.large").max_connections == 1584


def test_a_burstable_micro_is_not_taken_for_the_112_that_its_whole_memory_would_give():
    assert 2**30 // 9531392 == 112
    assert budget(instance="t4g.micro").estimated_max_connections in range(79, 88)  # what is reported of real ones


def test_an_unknown_class_is_an_error_that_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"^instance is 't4g\.nano', known are t3, t4g in micro, small, .* r8g, r8gd in "
    ):
        instance_class("t4g.nano")
    with pytest.raises(ValueError, match="known are"):
        plan(instance="db.t4g.micro")


def test_every_class_has_memory_in_proportion_to_its_name():
    for each in INSTANCE_CLASSES.values():
        assert each.vcpus >= 2
        assert each.memory_gib >= 1
    assert (INSTANCE_CLASSES["m8g.48xlarge"].vcpus, INSTANCE_CLASSES["m8g.48xlarge"].memory_gib) == (192, 768)
    assert (INSTANCE_CLASSES["r8g.xlarge"].vcpus, INSTANCE_CLASSES["r8g.xlarge"].memory_gib) == (4, 32)
    assert (INSTANCE_CLASSES["t3.xlarge"].vcpus, INSTANCE_CLASSES["t3.xlarge"].memory_gib) == (4, 16)


def test_the_next_larger_class_stays_in_its_family_while_there_is_one():
    assert larger(instance_class("t4g.micro"))[0].name == "t4g.small"
    assert larger(instance_class("t4g.2xlarge"))[0].name == "r8g.2xlarge"


@pytest.mark.parametrize(
    ("share", "mean", "busy", "needed"), [(0.25, 12.5, 20, 26), (0.4, 20, 28, 37), (1, 50, 50, 65)]
)
def test_50_instances_need_about_20_connections_at_a_quarter_of_the_time_in_the_database(share, mean, busy, needed):
    b = budget(reserved_concurrency=50, **half_busy(share))
    assert (b.busy_mean, b.busy_99, b.needed) == (mean, busy, needed)


def test_90_percent_of_100_connections_are_pin_safe_for_50_instances_and_leave_5_slots():
    b = budget(max_connections=100, max_connections_percent=90, reserved_concurrency=50)
    assert (b.slots, b.pool, b.administrator_slots, b.verdict) == (95, 90, 5, PIN_SAFE)


def test_the_same_on_a_real_micro_leaves_administrators_too_little():
    b = budget(max_connections=83, max_connections_percent=90, reserved_concurrency=50)
    assert (b.pool, b.slots, b.administrator_slots, b.highest_percent) == (74, 78, 4, 81)
    assert [each.id for each in judge(b) if each.severity == ERROR] == ["A04"]


def test_20_instances_at_30_percent_fit_a_micro_at_any_percentage_from_30_to_81():
    b = budget(max_connections=83, reserved_concurrency=20, **half_busy(0.3))
    assert (b.busy_99, b.needed, b.lowest_percent, b.highest_percent) == (11, 15, 30, 81)


@pytest.mark.parametrize(
    ("connections", "percent", "share", "most"),
    [
        *((83, 81, share, most) for share, most in ((0.2, 191), (0.3, 130), (0.5, 82))),
        *((189, 92, share, most) for share, most in ((0.2, 555), (0.3, 375), (0.5, 231))),
        *((400, 96, share, most) for share, most in ((0.2, 1307), (0.3, 878), (0.5, 537))),
    ],
)
def test_a_pool_serves_so_many_instances_and_not_one_more(connections, percent, share, most):
    def verdict(reserved):
        return budget(
            instance="r8g.large",
            max_connections=connections,
            max_connections_percent=percent,
            reserved_concurrency=reserved,
            **half_busy(share),
        ).verdict

    assert verdict(most) == MULTIPLEX_DEPENDENT
    assert verdict(most + 1) == REFUSED


def test_200_instances_half_the_time_in_the_database_are_refused_on_a_micro_with_what_would_repair_it():
    (finding,) = [each for each in judge(budget(reserved_concurrency=200, **half_busy(0.5))) if each.severity == ERROR]
    assert str(finding) == (
        "A06 200 reserved need 151 pooled connections (99 % busy 116 × 1.3) but 80 % of max_connections=78 "
        "(planned for t4g.micro) gives 62: set instance to t4g.small, or lower reserved_concurrency to 74"
    )


def test_what_is_left_out_is_derived():
    b = budget(reserved_concurrency=5)
    assert (b.max_connections_percent, b.max_idle_connections_percent) == (80, 40)
    assert (b.connection_borrow_timeout, b.statement_timeout, b.idle_client_timeout) == (2, 2, 300)
    assert (b.throttle_rate, b.throttle_burst) == (40, 10)
    assert budget(instance="r8g.large").max_connections_percent == 85


def test_what_is_set_by_hand_is_kept_and_checked():
    b = budget(
        connection_borrow_timeout=25, throttle_rate=501, max_idle_connections_percent=80, idle_client_timeout=240
    )
    assert {"C03", "C08", "A12", "B08"} <= {each.id for each in judge(b)}
    assert (b.connection_borrow_timeout, b.throttle_rate, b.idle_client_timeout) == (25, 501, 240)


def test_requests_are_limited_by_duration_or_by_lambdas_ten_a_second():
    assert budget(reserved_concurrency=50, seconds=0.5).requests_per_second == 100
    assert budget(reserved_concurrency=50, seconds=0.02).requests_per_second == 500


def test_retries_are_the_functions_own(monkeypatch):
    monkeypatch.setattr(random, "uniform", max)
    longest = [retry.pause(number, Verdict.RECONNECT, math.inf) for number in range(1, retry.ATTEMPTS)]
    assert (capacity.ATTEMPTS, capacity.retry_pauses()) == (retry.ATTEMPTS, pytest.approx(sum(longest)))


def test_the_deadline_bounds_all_attempts_together():
    b = budget(connect_timeout_seconds=2, deadline_seconds=3)
    assert b.retry_budget == pytest.approx(4 * 2 + 0.8 + 1.6 + 3.2)
    assert b.longest_answer == 4
    assert budget(deadline_seconds=20).longest_answer == 21, "a statement may take all of the deadline"


def test_several_functions_share_one_budget():
    workloads = (
        Workload(name="api", reserved_concurrency=50),
        Workload(name="worker", reserved_concurrency=20, seconds=1, seconds_in_database=0.5),
    )
    b = Budget.of(Plan(environment="test", instance="t4g.micro", workloads=workloads, max_connections_percent=20))
    assert (b.concurrency, b.clients, b.busy_mean) == (70, 70, 22.5)
    assert b.busy_99 == quantile_99(70, Fraction(225, 700))
    (refusal,) = errors(b)
    assert refusal.startswith("A06 50 reserved + 20 reserved need 42 pooled connections (99 % busy 32 × 1.3) but 20 %")
    assert refusal.endswith("raise max_connections_percent to 54, or set instance to t4g.medium")


def test_of_several_functions_the_one_that_reserves_most_is_named_in_a_repair():
    workloads = (Workload(name="api", reserved_concurrency=200), Workload(name="worker", reserved_concurrency=20))
    b = Budget.of(Plan(environment="test", instance="t4g.micro", workloads=workloads, max_connections_percent=40))
    (refusal,) = errors(b)
    assert re.search(r"or lower api\.reserved_concurrency to \d+$", refusal)
    assert not errors(Budget.of(b.plan.changed({"api.reserved_concurrency": int(refusal.split()[-1])})))


def test_the_example_of_two_functions_in_a_pool_of_16_connections_is_refused_as_the_style_shows():
    b = budget(
        max_connections=83, max_connections_percent=20, reserved_concurrency=70, seconds=0.1, seconds_in_database=0.02
    )
    assert b.pool == 16
    assert "A06" in [each.id for each in judge(b)]


@pytest.mark.parametrize(
    ("severity_", "values", "id"),
    [
        (ERROR, {"max_connections_percent": 50, "max_idle_connections_percent": 51}, "A01"),
        (ERROR, {"max_connections_percent": 100}, "A04"),
        (WARNING, {"max_connections_percent": 40, "instance": "t4g.medium"}, "A05"),
        (ERROR, {"reserved_concurrency": 100, "seconds_in_database": 0.08}, "A06"),
        (WARNING, {"reserved_concurrency": 100}, "A07"),
        (ERROR, {"reserved_concurrency": 100, "keeps_session_state": True}, "A08"),
        (WARNING, {"reserved_concurrency": 40, "seconds_in_database": 0.08}, "A11"),
        (WARNING, {"max_idle_connections_percent": 0}, "A12"),
        (WARNING, {"max_connections_percent": 60, "max_idle_connections_percent": 60}, "A12"),
        (ERROR, {"max_connections": 84}, "A13"),
        (WARNING, {"reserved_concurrency": 10, "connections": 2}, "A15"),
        (WARNING, {"reserved_concurrency": 50}, "A18"),
        (ERROR, {"instance": "r8g.large", "reserved_concurrency": 901}, "B01"),
        (WARNING, {"account_concurrency": None}, "B02"),
        (WARNING, {"requests_per_second": 501}, "B07"),
        (WARNING, {"throttle_rate": 501}, "B08"),
        (WARNING, {"instance": "r8g.large", "reserved_concurrency": 201}, "B10"),
        (WARNING, {"connection_borrow_timeout": 0}, "C02"),
        (ERROR, {"connection_borrow_timeout": 25}, "C03"),
        (WARNING, {"connection_borrow_timeout": 5}, "C03"),
        (ERROR, {"api_timeout_seconds": 25}, "C04"),
        (ERROR, {"deadline_seconds": 25}, "C05"),
        (WARNING, {"seconds": 3, "seconds_in_database": 3}, "C05"),
        (WARNING, {"connect_timeout_seconds": 2, "deadline_seconds": 2}, "C06"),
        (ERROR, {"connect_timeout_seconds": 5, "deadline_seconds": 5}, "C06"),
        (ERROR, {"idle_client_timeout": 240}, "C08"),
        (WARNING, {"reserved_concurrency": 100, "idle_client_timeout": 901}, "C09"),
        (ERROR, {"statement_timeout_seconds": 25}, "C10"),
        (WARNING, {"statement_timeout_seconds": 3}, "C10"),
        (NOTE, {"multi_az": False}, "F01"),
        (ERROR, PROD | {"multi_az": False}, "F01"),
        (ERROR, PROD | {"retain": False}, "F02"),
        (ERROR, PROD | {"backup_retention_days": 6}, "F04"),
        (ERROR, PROD | {"instance": "t4g.large"}, "F07"),
        (ERROR, PROD | {"debug_logging": True}, "G03"),
        (ERROR, PROD | {"alarm_address": None}, "J06"),
        (WARNING, PROD | {"alarm_address": "operations@example.com"}, "J06"),
    ],
)
def test_an_inequality_that_fails_is_found(severity_, values, id):
    found = judge(budget(**values))
    assert (id, severity_) in [(each.id, each.severity) for each in found], list(map(str, found))


def test_a_good_production_plan_has_no_finding():
    assert judge(budget(**PROD)) == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reserved": 3}, r"'reserved' is no input of the budget, known are account_concurrency, .*throttle_rate"),
        ({"reserved_concurrency": 0}, "api: reserved_concurrency is 0, allowed is a whole number from 1"),
        (
            {"max_connections_percent": 101},
            "test: max_connections_percent is 101, allowed is a whole number from 1 to 100",
        ),
        ({"seconds_in_database": 1.0}, r"seconds_in_database is 1\.0, allowed is at most seconds \(0\.08\)"),
        ({"seconds": "fast"}, "seconds is 'fast', allowed is a number of seconds above 0"),
        ({"multi_az": "maybe"}, "multi_az is 'maybe', allowed is True or False"),
        ({"worker.seconds": 1.0}, r"'worker\.seconds' is no input"),
    ],
)
def test_a_change_that_means_nothing_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        plan().changed(changes)


# Properties.

shares = st.integers(0, 100).map(lambda percent: Fraction(percent, 100))
plans = st.builds(
    plan,
    instance=st.sampled_from(["t4g.micro", "t4g.small", "t4g.medium", "m8g.large", "r8g.large", "r8g.4xlarge"]),
    reserved_concurrency=st.integers(1, 1200),
    seconds=st.sampled_from([0.01, 0.08, 0.5, 3]),
    seconds_in_database=st.sampled_from([0.001, 0.002, 0.005, 0.01]),
    connections=st.integers(1, 3),
    keeps_session_state=st.booleans(),
    max_connections_percent=st.none() | st.integers(1, 100),
    max_idle_connections_percent=st.none() | st.integers(0, 100),
    administrators=st.integers(1, 30),
    account_concurrency=st.none() | st.integers(101, 3000),
    connect_timeout_seconds=st.integers(2, 5),
    deadline_seconds=st.integers(2, 28),
    timeout_seconds=st.integers(2, 29),
    connection_borrow_timeout=st.none() | st.integers(0, 300),
    statement_timeout_seconds=st.none() | st.integers(1, 300),
    idle_client_timeout=st.none() | st.integers(60, 28800),
    throttle_rate=st.none() | st.integers(1, 10000),
    requests_per_second=st.none() | st.integers(1, 20000),
    environment=st.sampled_from(["test", "prod"]),
)


@settings(deadline=None)  # a machine under load is no failure
@given(st.integers(1, 60), shares)
@example(2, Fraction(1, 10))  # P(X > 1) is exactly 1 %
@example(50, Fraction(1, 4))
def test_the_quantile_is_that_of_exact_fractions(n, share):
    def at_most(k):
        return sum((comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(k + 1)), Fraction(0))

    quantile = quantile_99(n, share)
    assert at_most(quantile) >= Fraction(99, 100)
    assert quantile == 0 or at_most(quantile - 1) < Fraction(99, 100)


@settings(deadline=None)  # a machine under load is no failure
@given(st.integers(1, 2000), shares)
def test_the_quantile_lies_between_the_mean_and_all(n, share):
    assert int(n * share) <= quantile_99(n, share) <= n


@settings(deadline=None)  # a machine under load is no failure
@given(plans, st.integers(1, 100))
def test_more_concurrency_never_needs_less(plan_, more):
    reserved = plan_.workloads[0].reserved_concurrency
    before, after = Budget.of(plan_), Budget.of(plan_.changed({"reserved_concurrency": reserved + more}))
    for name in ("busy_mean", "busy_99", "needed", "clients", "lowest_percent", "requests_per_second"):
        assert getattr(after, name) >= getattr(before, name), name
    order = [PIN_SAFE, MULTIPLEX_DEPENDENT, REFUSED]
    fixed = {"max_connections_percent": before.max_connections_percent}
    after = Budget.of(plan_.changed(fixed | {"reserved_concurrency": reserved + more}))
    assert order.index(after.verdict) >= order.index(before.verdict)


@settings(deadline=None, max_examples=40)  # a machine under load is no failure
@given(plans)
def test_nothing_is_ever_more_than_there_is(plan_):
    b = Budget.of(plan_)
    assert b.busy_99 <= b.concurrency <= b.clients
    assert b.pool <= b.max_connections
    if b.max_connections_percent <= b.highest_percent:
        assert b.pool + plan_.administrators <= b.slots < b.max_connections
    if not errors(b):
        assert b.needed <= b.pool <= b.slots - plan_.administrators
        assert b.throttle_rate >= 1
    if plan_.throttle_rate is None and b.requests_per_second >= 1.25:
        assert b.throttle_rate <= b.requests_per_second


@settings(deadline=None)  # a machine under load is no failure
@given(st.integers(20, 5000), st.integers(1, 10))
def test_the_highest_safe_percentage_is_the_highest(connections, administrators):
    values = {"instance": "r8g.24xlarge", "max_connections": connections, "administrators": administrators}
    highest = budget(**values).highest_percent

    def room(percent):  # for administrators, and not rounded
        return connections - 5 - Fraction(connections * percent, 100)

    assert room(highest) >= administrators
    assert highest == 100 or room(highest + 1) < administrators
    if highest >= 1:
        assert "A04" not in [each.id for each in judge(budget(**values, max_connections_percent=highest))]
    if highest < 100:
        assert "A04" in [each.id for each in judge(budget(**values, max_connections_percent=highest + 1))]


@settings(deadline=None)  # a machine under load is no failure
@given(plans)
def test_the_lowest_percentage_holds_what_is_needed_and_is_the_lowest(plan_):
    b = Budget.of(plan_)
    assert pool_size(b.max_connections, b.lowest_percent) >= b.needed
    if b.lowest_percent > b.class_minimum_percent:
        assert pool_size(b.max_connections, b.lowest_percent - 1) < b.needed


def failing(b):
    return {(rule, severity(rule, b)) for rule in RULES if not rule.holds(b)}


@settings(deadline=None, max_examples=30)  # a machine under load is no failure
@given(plans)
def test_every_repair_that_a_finding_names_repairs_it_and_breaks_nothing(plan_):
    b = Budget.of(plan_)
    before = failing(b)
    for finding in judge(b):
        for repair in finding.repairs:
            after = failing(Budget.of(plan_.changed(repair.changes)))
            repaired = [(rule, bad) for rule, bad in before - after if (rule.id, bad) == (finding.id, finding.severity)]
            assert repaired, str(finding)
            assert not [rule.id for rule, bad in after - before if bad == ERROR], str(finding)


OF_THE_POOL = {each.name for each in dataclasses.fields(Pool)}
OF_THE_STORE = {each.name for each in dataclasses.fields(RdsPostgres)}
OF_THE_API = {each.name for each in dataclasses.fields(Function)}


def environment(inputs):
    """Production with other inputs, wherever in the configuration they are."""

    def of(names):
        return {name: value for name, value in inputs.items() if name in names}

    throttle = {name: value for name, value in (("rate", inputs.get("throttle_rate")),) if value}
    return dataclasses.replace(
        environments.PROD,
        store=RdsPostgres(**{"multi_az": True} | of(OF_THE_STORE), pool=Pool(**of(OF_THE_POOL))),
        api=Function(**of(OF_THE_API)),
        throttle=Throttle(**throttle),
        **of({"account_concurrency", "retain", "alarm_address"}),
    )


def patient(seconds):
    """Times that a Function allows: connect within the deadline, and the deadline within the timeout."""
    connect, deadline, timeout = sorted(seconds)
    return {
        "connect_timeout_seconds": min(connect, 5),
        "deadline_seconds": deadline,
        "timeout_seconds": max(timeout, deadline + 1),
    }


def idle_within_pool(inputs):
    """Percentages that a Pool allows."""
    percents = [inputs.get(name) for name in ("max_connections_percent", "max_idle_connections_percent")]
    if None not in percents and percents[0] < percents[1]:
        return inputs | {"max_idle_connections_percent": percents[0]}
    return inputs


inputs_of_environments = st.builds(
    lambda times, inputs: idle_within_pool(times | inputs),
    st.lists(st.integers(2, 28), min_size=3, max_size=3).map(patient),
    st.fixed_dictionaries(
        {
            "instance": st.sampled_from(
                ["t4g.micro", "t4g.small", "t3.xlarge", "m8g.large", "r8g.large", "r8g.48xlarge"]
            ),
            "reserved_concurrency": st.integers(1, 1200),
            "seconds_in_database": st.sampled_from([0.001, 0.02, 0.08]),
            "administrators": st.sampled_from([1, 10, 50, 1000]),
            "backup_retention_days": st.integers(0, 14),
        },
        optional={
            "max_connections": st.sampled_from([50, 100, 1000, 262143]),
            "max_connections_percent": st.integers(1, 100),
            "max_idle_connections_percent": st.integers(0, 100),
            "connection_borrow_timeout": st.integers(0, 300),
            "idle_client_timeout": st.integers(60, 28800),
            "statement_timeout_seconds": st.integers(1, 300),
            "connection_max_age_seconds": st.integers(1, 86399),
            "keeps_session_state": st.booleans(),
            "account_concurrency": st.sampled_from([1, 100, 150, 1000]),
            "throttle_rate": st.integers(1, 10000),
            "multi_az": st.booleans(),
            "debug_logging": st.booleans(),
            "credentials": st.sampled_from(["secrets", "iam"]),
        },
    ),
)


@settings(deadline=None, max_examples=40)  # a machine under load is no failure
@given(inputs_of_environments)
@example({"reserved_concurrency": 5, "instance": "r8g.48xlarge", "max_connections_percent": 100,
          "max_idle_connections_percent": 100})  # fmt: skip
@example({"reserved_concurrency": 500, "instance": "r8g.large", "max_connections_percent": 1, "administrators": 1000})
@example({"reserved_concurrency": 73, "instance": "t4g.micro", "max_connections": 100, "administrators": 1000,
          "seconds_in_database": 0.08})  # three inputs have to change together  # fmt: skip
def test_who_does_what_a_refusal_says_has_an_environment_that_is_none(inputs):
    """Each refusal says everything that is wrong, and names a repair for each; following the first ends soon."""
    for _ in range(20):
        others = 1 if inputs.get("credentials") == "iam" else 3  # migrations, and rotation where there are passwords
        plan_ = plan(**{**PROD, **inputs, "other_concurrency": others, "alarm_address": "operations@example.com"})
        refused = [each for each in judge(Budget.of(plan_)) if each.severity == ERROR]
        if not refused:
            environment(inputs)
            return
        with pytest.raises(ValueError, match="connection-budget") as refusal:
            environment(inputs)
        assert all(str(each) in str(refusal.value) for each in refused)
        assert all(each.repairs for each in refused), str(refusal.value)
        if len(refused) > 1:
            fitting = plan_.changed(fitting_repairs(Budget.of(plan_), RULES))
            assert ERROR not in [each.severity for each in judge(Budget.of(fitting))]
            assert "repairs that fit each other: " in str(refusal.value)
        inputs = inputs | refused[0].repairs[0].changes
    pytest.fail(f"still refused: {refused}")


@settings(deadline=None, max_examples=30)  # a machine under load is no failure
@given(plans)
def test_all_that_fails_is_found_at_once_and_errors_come_first(plan_):
    b = Budget.of(plan_)
    found = judge(b)
    assert len(found) == len([rule for rule in RULES if not rule.holds(b)])
    order = [ERROR, WARNING, NOTE]
    assert [order.index(each.severity) for each in found] == sorted(order.index(each.severity) for each in found)
    assert (ERROR in [each.severity for each in found]) >= (b.verdict == REFUSED)


@settings(deadline=None, max_examples=30)  # a machine under load is no failure
@given(plans)
def test_every_sentence_has_its_numbers_and_no_full_stop(plan_):
    for finding in judge(Budget.of(plan_)):
        assert re.search(r"\d|is (True|False|not given|refuses)", finding.sentence), finding
        assert not str(finding).endswith(".")
        assert "None" not in str(finding)


def test_iam_authentication_wants_memory():
    (finding,) = (each for each in judge(budget(instance="t4g.small", credentials="iam")) if each.id == "E05")
    assert finding.severity == WARNING
    assert [repair.changes for repair in finding.repairs] == [{"instance": "t4g.medium"}, {"credentials": "secrets"}]
    assert "E05" not in [each.id for each in judge(budget(instance="t4g.medium", credentials="iam"))]


def test_every_error_rule_can_be_repaired_by_something():
    assert [rule.id for rule in RULES if severity(rule, budget(**PROD)) == ERROR and not rule.inputs] == ["J06"]


def test_needed_is_thirty_percent_above_the_busiest_percent_of_the_time():
    for reserved in range(1, 300, 7):
        b = budget(reserved_concurrency=reserved)
        assert b.needed == ceil(Fraction(13, 10) * b.busy_99)

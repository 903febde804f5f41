"""An impossible value is refused when it is built: what came, what is allowed, what to change."""

import re
from dataclasses import replace

import pytest

from stacks.config import LOG_RETENTION_DAYS, Environment, Function, Pool, RdsPostgres, Throttle
from stacks.logs import RETENTION
from stacks.runtime import Runtime

POOL = Pool(max_connections_percent=75, max_idle_connections_percent=30)
STORE = RdsPostgres(instance="t4g.micro", pool=POOL)
API = Function(reserved_concurrency=5)
ENVIRONMENT = Environment(
    service="headroom",
    name="test",
    region="eu-west-1",
    retain=False,
    store=STORE,
    api=API,
    throttle=Throttle(rate=10, burst=5),
    account_concurrency=1000,
)

IMPOSSIBLE = [
    (POOL, {"max_connections_percent": 0}, "max_connections_percent is 0, allowed is a whole number from 1 to 100"),
    (POOL, {"max_connections_percent": 101}, "max_connections_percent is 101"),
    (POOL, {"max_idle_connections_percent": 76}, "is 76, allowed is at most max_connections_percent (75): lower it"),
    (POOL, {"connection_borrow_timeout": 301}, "connection_borrow_timeout is 301, allowed is a whole number from 0"),
    (POOL, {"idle_client_timeout": 59}, "from 60 to 28800 seconds"),
    (POOL, {"debug_logging": "no"}, "debug_logging is 'no', allowed is True or False"),
    (STORE, {"instance": "db.t4g.micro"}, "allowed is a class such as t4g.micro, without the prefix db."),
    (STORE, {"instance": "t4g.nano"}, "instance is 't4g.nano', known are t3, t4g in micro, small, medium, large"),
    (STORE, {"administrators": 0}, "administrators is 0, allowed is a whole number from 1"),
    (STORE, {"version": "19.1"}, "to 18 (RDS Proxy's last)"),
    (STORE, {"version": "15.14"}, "from 16 (migrations need its GRANT … WITH SET)"),
    (STORE, {"version": "18"}, "such as 18.6"),
    (STORE, {"credentials": "iam", "instance": "r8g.large", "rotation_days": 30}, "there is no password to rotate"),
    (STORE, {"credentials": "plain"}, "credentials is 'plain', allowed is secrets, iam"),
    (STORE, {"rotation_days": 0}, "rotation_days is 0, allowed is a whole number from 1 to 365 days"),
    (STORE, {"master_user": "application"}, "no role of the migrations"),
    (STORE, {"multi_az": 1}, "multi_az is 1, allowed is True or False"),
    (STORE, {"backup_retention_days": 36}, "from 0 to 35 days"),
    (STORE, {"allocated_storage_gib": 10}, "from 20 to 65536 GiB"),
    (STORE, {"allocated_storage_gib": 95}, "allowed is 10 % above allocated_storage_gib (95) and more: raise it"),
    (STORE, {"max_connections": 5}, "max_connections is 5"),
    (STORE, {"statement_timeout_seconds": 0}, "statement_timeout_seconds is 0"),
    (STORE, {"port": 80}, "port is 80"),
    (STORE, {"master_user": "rdsadmin"}, "not beginning with pg_ or rds"),
    (API, {"reserved_concurrency": 0}, "reserved_concurrency is 0, allowed is a whole number from 1"),
    (API, {"reserved_concurrency": "5"}, "reserved_concurrency is '5'"),
    (API, {"reserved_concurrency": True}, "reserved_concurrency is True"),
    (API, {"seconds": 0}, "seconds is 0, allowed is a number of seconds above 0, at most 900"),
    (API, {"seconds_in_database": 0.1}, "seconds_in_database is 0.1, allowed is at most seconds (0.08)"),
    (API, {"requests_per_second": -1}, "requests_per_second is -1, allowed is a number of requests above 0"),
    (API, {"keeps_session_state": "no"}, "keeps_session_state is 'no', allowed is True or False"),
    (API, {"memory_mb": 64}, "from 128 to 10240 MB"),
    (API, {"timeout_seconds": 30}, "from 2 to 29 seconds (an HTTP API gives up at 30)"),
    (API, {"connect_timeout_seconds": 1}, "from 2 to 5 seconds"),
    (API, {"connect_timeout_seconds": 4}, "at most deadline_seconds (3): lower it, or raise the deadline"),
    (API, {"deadline_seconds": 25}, "less than timeout_seconds (25): lower it, or the function ends before"),
    (ENVIRONMENT.throttle, {"rate": 0}, "rate is 0"),
    (ENVIRONMENT.throttle, {"burst": 5001}, "burst is 5001"),
    (Runtime(), {"python": "3.10"}, "python is '3.10', allowed is 3.11, 3.12, 3.13, 3.14"),
    (Runtime(), {"architecture": "riscv64"}, "architecture is 'riscv64', allowed is arm64, x86_64"),
    (ENVIRONMENT, {"name": "Dev"}, "name is 'Dev', allowed is 1 to 24 of a-z, 0-9 and single hyphens"),
    (ENVIRONMENT, {"name": "a--b"}, "single hyphens"),
    (ENVIRONMENT, {"service": "x" * 25}, "allowed is 1 to 24"),
    (ENVIRONMENT, {"region": "Ireland"}, "region is 'Ireland', allowed is a region such as eu-west-1"),
    (ENVIRONMENT, {"retain": None}, "retain is None"),
    (ENVIRONMENT, {"availability_zones": 1}, "from 2 to 3 (RDS Proxy wants two)"),
    (ENVIRONMENT, {"log_retention_days": 8}, "log_retention_days is 8, allowed is 1, 3, 5, 7, 14"),
    (ENVIRONMENT, {"cidr": "10.0.0.1/20"}, "has host bits set"),
    (ENVIRONMENT, {"cidr": "10.0.0.0/24"}, "a private network that holds 2 subnets /24"),
    (ENVIRONMENT, {"cidr": "8.8.0.0/20"}, "a private network"),
    (ENVIRONMENT, {"store": replace(STORE, port=5433)}, "allowed is 5432 outside the environment local"),
    (ENVIRONMENT, {"account_concurrency": 0}, "account_concurrency is 0, allowed is a whole number from 1"),
    (ENVIRONMENT, {"alarm_address": "me"}, "alarm_address is 'me', allowed is an address such as"),
    (ENVIRONMENT, {"runbook": ""}, "runbook is '', allowed is a path or an address"),
    (
        ENVIRONMENT,
        {"store": replace(STORE, pool=Pool(idle_client_timeout=240))},
        "test: C08 connection_max_age_seconds is 240, not less than idle_client_timeout 240: functions use connections "
        "that the proxy has closed: lower connection_max_age_seconds to 239, or raise idle_client_timeout to 241",
    ),
    (
        ENVIRONMENT,
        {"store": replace(STORE, statement_timeout_seconds=25)},
        "C10 statement_timeout_seconds is 25, not less than timeout_seconds 25: statements outlive their callers",
    ),
]


@pytest.mark.parametrize(("possible", "change", "message"), IMPOSSIBLE, ids=lambda each: str(each)[:40])
def test_an_impossible_value_is_refused(possible, change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        replace(possible, **change)


def test_everything_wrong_is_in_one_message():
    with pytest.raises(ValueError, match=r"^Dev: name is .*; region is .*; cidr is .*; store\.port is 5433"):
        replace(ENVIRONMENT, name="Dev", region="", cidr="?", store=replace(STORE, port=5433))


def test_an_environment_whose_budget_does_not_hold_is_refused_with_every_inequality_that_fails():
    store = replace(STORE, pool=Pool(max_connections_percent=90, connection_borrow_timeout=120))
    with pytest.raises(ValueError, match="the connection budget does not hold") as caught:
        replace(ENVIRONMENT, store=store, api=replace(API, reserved_concurrency=200, seconds_in_database=0.040))
    heading, *sentences, together, page = str(caught.value).splitlines()
    assert heading == "test: the connection budget does not hold:"
    assert [sentence.split()[0] for sentence in sentences] == ["A04", "A06", "C03"]
    assert page == "  see docs/errors.md#connection-budget"
    assert all(re.search(r": (raise|lower|set) \w+ to \w+", sentence) for sentence in sentences)
    assert together == "  repairs that fit each other: connection_borrow_timeout=2 instance=t4g.small"


def test_what_production_asks_is_refused_in_prod_only():
    assert replace(ENVIRONMENT, name="staging")
    with pytest.raises(ValueError, match="prod: the connection budget does not hold") as caught:
        replace(ENVIRONMENT, name="prod")
    assert [line.split()[0] for line in str(caught.value).splitlines()[1:-2]] == ["F01", "F02", "F07", "J06"]


def test_a_pool_may_leave_everything_out():
    budget = replace(ENVIRONMENT, store=RdsPostgres(instance="t4g.micro"), throttle=Throttle()).budget
    assert (budget.max_connections_percent, budget.connection_borrow_timeout, budget.throttle_rate) == (80, 2, 40)


def test_another_port_is_for_the_local_environment_only():
    assert replace(ENVIRONMENT, name="local", store=replace(STORE, port=54320)).store.port == 54320


def test_a_configuration_cannot_be_changed_after_it_was_checked():
    with pytest.raises(AttributeError):
        POOL.max_connections_percent = 200


def test_every_retention_that_a_configuration_may_ask_for_is_one_of_cloudwatchs():
    assert {days: RETENTION[days].name for days in (1, 7, 14, 30, 90, 365, 731, 3653)} == {
        1: "ONE_DAY",
        7: "ONE_WEEK",
        14: "TWO_WEEKS",
        30: "ONE_MONTH",
        90: "THREE_MONTHS",
        365: "ONE_YEAR",
        731: "TWO_YEARS",
        3653: "TEN_YEARS",
    }
    assert list(RETENTION) == list(LOG_RETENTION_DAYS)

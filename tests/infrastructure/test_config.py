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
)

IMPOSSIBLE = [
    (POOL, {"max_connections_percent": 0}, "max_connections_percent is 0, allowed is a whole number from 1 to 100"),
    (POOL, {"max_connections_percent": 101}, "max_connections_percent is 101"),
    (POOL, {"max_idle_connections_percent": 76}, "is 76, allowed is at most max_connections_percent (75): lower it"),
    (POOL, {"connection_borrow_timeout": 301}, "connection_borrow_timeout is 301, allowed is a whole number from 0"),
    (POOL, {"idle_client_timeout": 59}, "from 60 to 28800 seconds"),
    (POOL, {"debug_logging": "no"}, "debug_logging is 'no', allowed is True or False"),
    (STORE, {"instance": "db.t4g.micro"}, "allowed is a class such as t4g.micro, without the prefix db."),
    (STORE, {"version": "19.1"}, "that RDS Proxy supports, 10 to 18"),
    (STORE, {"version": "18"}, "such as 18.6"),
    (STORE, {"credentials": "iam"}, "does not deploy yet: set credentials='secrets'"),
    (STORE, {"credentials": "plain"}, "credentials is 'plain', allowed is secrets"),
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
    (
        ENVIRONMENT,
        {"api": replace(API, connection_max_age_seconds=900)},
        "api.connection_max_age_seconds is 900, allowed is less than store.pool.idle_client_timeout (900): lower it",
    ),
    (
        ENVIRONMENT,
        {"store": replace(STORE, statement_timeout_seconds=25)},
        "store.statement_timeout_seconds is 25, allowed is less than api.timeout_seconds (25): lower it",
    ),
]


@pytest.mark.parametrize(("possible", "change", "message"), IMPOSSIBLE, ids=lambda each: str(each)[:40])
def test_an_impossible_value_is_refused(possible, change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        replace(possible, **change)


def test_everything_wrong_is_in_one_message():
    with pytest.raises(ValueError, match=r"^Dev: name is .*; region is .*; cidr is .*; store\.port is 5433"):
        replace(ENVIRONMENT, name="Dev", region="", cidr="?", store=replace(STORE, port=5433))


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

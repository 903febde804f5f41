"""The environments that the template's tests are about: those it comes with, whatever a fork makes of its own.

A copy of the project that a test deploys has them as its stacks/environments.py.
"""

from stacks.config import Environment, Function, Pool, RdsPostgres
from stacks.local import on_this_machine

SERVICE = "headroom"
REGION = "eu-west-1"
REPOSITORY: str | None = None
ACCOUNT_CONCURRENCY = 1000

DEV = Environment(
    service=SERVICE,
    name="dev",
    region=REGION,
    retain=False,
    cidr="10.10.0.0/20",
    log_retention_days=7,
    account_concurrency=ACCOUNT_CONCURRENCY,
    store=RdsPostgres(instance="t4g.micro", backup_retention_days=1, pool=Pool(debug_logging=True)),
    api=Function(reserved_concurrency=5, seconds=0.080, seconds_in_database=0.020),
)

STAGING = Environment(
    service=SERVICE,
    name="staging",
    region=REGION,
    retain=True,
    cidr="10.20.0.0/20",
    account_concurrency=ACCOUNT_CONCURRENCY,
    store=RdsPostgres(instance="t4g.medium", credentials="iam"),
    api=Function(reserved_concurrency=20, seconds=0.080, seconds_in_database=0.020),
)

PROD = Environment(
    service=SERVICE,
    name="prod",
    region=REGION,
    retain=True,
    cidr="10.30.0.0/20",
    availability_zones=3,
    log_retention_days=90,
    account_concurrency=ACCOUNT_CONCURRENCY,
    alarm_address="operations@example.com",
    store=RdsPostgres(
        instance="r8g.large",
        credentials="iam",
        multi_az=True,
        backup_retention_days=14,
        allocated_storage_gib=100,
        max_allocated_storage_gib=1000,
    ),
    api=Function(reserved_concurrency=50, seconds=0.080, seconds_in_database=0.020),
)

LOCAL = on_this_machine(DEV)

ENVIRONMENTS = (DEV, STAGING, PROD, LOCAL)

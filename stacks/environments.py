"""The environments of this service: the one file that a fork edits."""

from stacks.config import Environment, Function, Pool, RdsPostgres
from stacks.local import on_this_machine

SERVICE = "headroom"  # the first part of every name; two services share an account when theirs differ
REGION = "eu-west-1"
REPOSITORY: str | None = None  # "owner/name" on GitHub, once its workflows are to deploy: docs/deployment.md

# Lambda's default. A new account may have less, down to 10, and all functions in it share it:
# aws service-quotas get-service-quota --service-code lambda --quota-code L-B99A9384
ACCOUNT_CONCURRENCY = 1000

# What is left out follows from what is said here: `make budget ENV=dev` prints it, docs/environments/ has it.
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
    alarm_address="operations@example.com",  # yours: synth warns until it is
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

LOCAL = on_this_machine(DEV)  # what `make up` deploys; another environment than dev is as good

ENVIRONMENTS = (DEV, STAGING, PROD, LOCAL)

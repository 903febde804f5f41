"""The environments of this service: the one file that a fork edits."""

from dataclasses import replace

from stacks.config import Environment, Function, Pool, RdsPostgres, Throttle
from stacks.runtime import this_machine

SERVICE = "headroom"  # the first part of every name; two services share an account when theirs differ

DEV = Environment(
    service=SERVICE,
    name="dev",
    region="eu-west-1",
    retain=False,
    cidr="10.10.0.0/20",
    log_retention_days=7,
    store=RdsPostgres(
        instance="t4g.micro",
        backup_retention_days=1,
        pool=Pool(
            max_connections_percent=75, max_idle_connections_percent=30, idle_client_timeout=300, debug_logging=True
        ),
    ),
    api=Function(reserved_concurrency=5),
    throttle=Throttle(rate=40, burst=10),
)

STAGING = Environment(
    service=SERVICE,
    name="staging",
    region="eu-west-1",
    retain=True,
    cidr="10.20.0.0/20",
    store=RdsPostgres(
        instance="t4g.medium",
        pool=Pool(max_connections_percent=85, max_idle_connections_percent=40, idle_client_timeout=600),
    ),
    api=Function(reserved_concurrency=20),
    throttle=Throttle(rate=160, burst=40),
)

PROD = Environment(
    service=SERVICE,
    name="prod",
    region="eu-west-1",
    retain=True,
    cidr="10.30.0.0/20",
    availability_zones=3,
    log_retention_days=90,
    store=RdsPostgres(
        instance="r8g.large",
        multi_az=True,
        backup_retention_days=14,
        allocated_storage_gib=100,
        max_allocated_storage_gib=1000,
        pool=Pool(max_connections_percent=85, max_idle_connections_percent=45, idle_client_timeout=900),
    ),
    api=Function(reserved_concurrency=50),
    throttle=Throttle(rate=400, burst=100),
)

# dev, but for what one machine forces: its interpreter and architecture, a port that no PostgreSQL on it listens on,
# and max_connections, since no instance class decides it.
LOCAL = replace(DEV, name="local", runtime=this_machine(), store=replace(DEV.store, port=54320, max_connections=100))

ENVIRONMENTS = (DEV, STAGING, PROD, LOCAL)

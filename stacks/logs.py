"""Log groups: every one has a retention, and is kept with the environment."""

from typing import Any, cast

from aws_cdk import CfnResource, RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from stacks.config import LOG_RETENTION_DAYS, Environment

FINITE = [each for each in logs.RetentionDays if each is not logs.RetentionDays.INFINITE]  # in ascending order
RETENTION = dict(zip(LOG_RETENTION_DAYS, FINITE, strict=True))


def keep(environment: Environment[Any]) -> RemovalPolicy:
    """Whether a thing outlives its stack: where the environment's data does, and not after a failed creation."""
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if environment.retain else RemovalPolicy.DESTROY


def log_group(scope: Construct, id: str, *, environment: Environment[Any], name: str | None = None) -> logs.LogGroup:
    """A log group; `name` only where the service that writes to it decides the name."""
    return logs.LogGroup(
        scope,
        id,
        log_group_name=name,
        retention=RETENTION[environment.log_retention_days],
        removal_policy=keep(environment),
    )


def default_child(construct: IConstruct) -> CfnResource:
    """The one resource that a construct stands for. A dependency of the construct would spread to all its resources."""
    return cast(CfnResource, construct.node.default_child)

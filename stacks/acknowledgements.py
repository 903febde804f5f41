"""Findings of cdk-nag that this template accepts, each with a reason that a reviewer can check.

Only what is found is acknowledged, and only where: nothing here hides a finding that an environment should not have.
"""

from typing import Any

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

from stacks.config import PROXY_PORT, Environment
from stacks.data_stack import DataStack
from stacks.notifications import Notifications
from stacks.runtime import PYTHON_VERSIONS
from stacks.service_stack import ServiceStack


def acknowledge(data: DataStack, service: ServiceStack, environment: Environment) -> None:
    """Acknowledge what is found in this environment, at the construct where it is found."""
    _functions(data, service, environment)
    _database(data, environment)
    _notifications(data)


def _functions(data: DataStack, service: ServiceStack, environment: Environment) -> None:
    rotation = [data.rotation.rotate] if data.rotation else []
    for each in (data.migrations.migrate, *rotation, service.projects):
        accept(
            each.role,
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            "Lambda attaches a function to a VPC with ec2 actions that must be allowed on every resource, and X-Ray's "
            "have no resources; the policy NoInterfaces denies the ec2 ones to the function's own code",
        )
        accept_function(each.function, environment)


def accept_function(function: IConstruct, environment: Environment[Any]) -> None:
    """Acknowledge what is found at every function of the zip."""
    accept(
        function,
        "Serverless::Serverless-LambdaDLQ",
        "a dead-letter queue holds failed asynchronous invocations, and this function is invoked synchronously: "
        "by the API, by the custom resource Custom::Trigger, which fails the deployment, or by Secrets Manager, "
        "which repeats a rotation that failed",
    )
    if environment.runtime.python != PYTHON_VERSIONS[-1]:
        for rule in ("AwsSolutions::AwsSolutions-L1", "Serverless::Serverless-LambdaLatestVersion"):
            accept(function, rule, _why_not_newest(environment))


def _why_not_newest(environment: Environment[Any]) -> str:
    python = environment.runtime.python
    if environment.name == "local":
        return f"the local environment's functions are executed by this machine's own interpreter, Python {python}"
    return (
        f"Python {python} is the newest that the tests execute this zip with, and one that Lambda supports; "
        "it is one line in stacks/runtime.py"
    )


def _database(data: DataStack, environment: Environment) -> None:
    store = environment.store
    if store.port == PROXY_PORT:
        accept(
            data.database.instance,
            "AwsSolutions::AwsSolutions-RDS11",
            f"RDS Proxy for PostgreSQL listens on {PROXY_PORT} whatever the instance's port is, so another would hide "
            "nothing; security groups let only the proxy and the migration function reach the instance",
        )
    if environment.name == "prod":
        return  # what follows is a choice of cost over availability, which prod does not make
    if not store.multi_az:
        accept(
            data.database.instance,
            "AwsSolutions::AwsSolutions-RDS3",
            f"{environment.name} may be down while RDS replaces a failed instance; a standby would double its cost",
        )
    if not environment.retain:
        accept(
            data.database.instance,
            "AwsSolutions::AwsSolutions-RDS10",
            f"{environment.name} has retain=False in stacks/environments.py: its data may be deleted with its stack",
        )


def _notifications(data: DataStack) -> None:
    told = data.notifications
    if told.topic is None:
        return
    accept_subscription(told)
    accept(
        told.events,
        "Serverless::Serverless-EventBusDLQ",
        "the target is a topic of the same account and Region, which EventBridge repeats for 24 hours; RDS keeps the "
        "event for 14 days",
    )


def accept_subscription(told: Notifications) -> None:
    """Acknowledge what is found at an e-mail address that is told of alarms."""
    accept(
        told.subscription,
        "Serverless::Serverless-SNSRedrivePolicy",
        "SNS repeats an e-mail for six hours; one that is lost is not the only trace, since the alarm keeps its state "
        "and its history, and RDS its events",
    )


def accept(where: IConstruct, rule: str, reason: str) -> None:
    """Acknowledge one finding at the construct where it is found."""
    Validations.of(where).acknowledge(Acknowledgment(id=rule, reason=reason))

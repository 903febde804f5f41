"""Findings of cdk-nag that this template accepts, each with a reason that a reviewer can check.

Only what is found is acknowledged, and only where: nothing here hides a finding that an environment should not have.
This is what environments of several stores have in common.
"""

from typing import Any

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct

from stacks.config import Environment
from stacks.notifications import Notifications
from stacks.runtime import PYTHON_VERSIONS


def accept_function(function: lambda_.Function, environment: Environment[Any]) -> None:
    """Acknowledge what is found at every function."""
    accept(
        function,
        "Serverless::Serverless-LambdaDLQ",
        "a dead-letter queue holds failed asynchronous invocations, and this function is invoked synchronously: "
        "by the API, by the custom resource Custom::Trigger, which fails the deployment, or by Secrets Manager, "
        "which repeats a rotation that failed",
    )
    if function.runtime.name == f"python{environment.runtime.python}" != f"python{PYTHON_VERSIONS[-1]}":
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

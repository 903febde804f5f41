"""An environment on RDS PostgreSQL: its two stacks, and the findings of cdk-nag that are acknowledged there."""

from stacks.acknowledgements import accept, accept_function, accept_subscription
from stacks.config import PROXY_PORT, Environment
from stacks.postgres.data_stack import DataStack
from stacks.postgres.service_stack import ServiceStack
from stacks.stage import Stacks


def acknowledge(data: DataStack, service: ServiceStack, environment: Environment) -> None:
    """Acknowledge what is found in this environment, at the construct where it is found."""
    _functions(data, service, environment)
    _database(data, environment)
    _notifications(data)


def _functions(data: DataStack, service: ServiceStack, environment: Environment) -> None:
    rotation = [data.rotation.rotate] if data.rotation else []
    for each in (data.migrations.migrate, *rotation, service.handler):
        accept(
            each.role,
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            "Lambda attaches a function to a VPC with ec2 actions that must be allowed on every resource, and X-Ray's "
            "have no resources; the policy NoInterfaces denies the ec2 ones to the function's own code",
        )
        accept_function(each.function, environment)


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
        data.proxy.events,
        "Serverless::Serverless-EventBusDLQ",
        "the target is a topic of the same account and Region, which EventBridge repeats for 24 hours; RDS keeps the "
        "event for 14 days",
    )


STACKS = Stacks(DataStack, ServiceStack, acknowledge)

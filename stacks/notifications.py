"""Who is told of alarms, and of what a store adds."""

from typing import Any

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.config import Environment

SENDERS = ("cloudwatch.amazonaws.com", "events.amazonaws.com")


class Notifications(Construct):
    """An encrypted topic with the environment's address; nothing without an address.

    It is with the data, since its address confirms a subscription once.
    """

    def __init__(self, scope: Construct, id: str, *, environment: Environment[Any]) -> None:
        super().__init__(scope, id)
        self.topic: sns.Topic | None = None
        if environment.alarm_address is not None:
            self.topic = self._topic(environment.alarm_address, environment)

    def tell_of(self, alarm: cloudwatch.Alarm) -> None:
        """Send a message when an alarm goes off, and when it is over."""
        if self.topic is not None:
            alarm.add_alarm_action(actions.SnsAction(self.topic))
            alarm.add_ok_action(actions.SnsAction(self.topic))

    def _topic(self, address: str, environment: Environment[Any]) -> sns.Topic:
        key = kms.Key(
            self,
            "Key",
            description=f"{environment.prefix}: messages to {address}",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,  # nothing is kept that it encrypts
        )
        for sender in SENDERS:  # SNS's own key lets neither of them encrypt
            key.grant_encrypt_decrypt(iam.ServicePrincipal(sender))
        topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=True)
        self.subscription = topic.add_subscription(subscriptions.EmailSubscription(address))
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        return topic

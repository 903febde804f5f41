"""Who is told, and of what: alarms, what RDS says of the proxy, rotations that fail."""

from typing import Any

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.config import Environment

SENDERS = ("cloudwatch.amazonaws.com", "events.amazonaws.com")
# Amazon RDS User Guide, "Working with RDS Proxy events": what no metric tells
PROXY_EVENTS = {"RDS-EVENT-0243": "no addresses are left in a subnet", "RDS-EVENT-0275": "clients are throttled"}


class Notifications(Construct):
    """An encrypted topic with the environment's address, and the events of its proxy; nothing without an address.

    It is with the data, since its address confirms a subscription once.
    """

    def __init__(self, scope: Construct, id: str, *, proxy_name: str | None, environment: Environment[Any]) -> None:
        super().__init__(scope, id)
        self.topic: sns.Topic | None = None
        if environment.alarm_address is not None:
            self.topic = self._topic(environment.alarm_address, environment)
            if proxy_name is not None:
                self.events = self._events(self.topic, proxy_name)

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

    def _events(self, topic: sns.Topic, proxy_name: str) -> events.Rule:
        return events.Rule(
            self,
            "ProxyEvents",
            description=f"{proxy_name}: {', '.join(PROXY_EVENTS.values())}",
            event_pattern=events.EventPattern(
                source=["aws.rds"],
                detail_type=["RDS DB Proxy Event"],
                detail={"EventID": list(PROXY_EVENTS), "SourceIdentifier": [proxy_name]},
            ),
            targets=[targets.SnsTopic(topic)],
        )

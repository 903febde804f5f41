from datetime import date

from aws_cdk import Duration, Stack, Stage
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk.aws_logs_destinations import LambdaDestination

from ..cases import wrong
from ..service import alarmed, direct, function_of_sam, http_api, pinning_alarm, resource, service

NEVER_OVER = dynamodb.Billing.on_demand(max_read_request_units=100, max_write_request_units=100)
RESTORABLE = dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True)


def table(stage, **changes):
    arguments = {
        "partition_key": dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
        "deletion_protection": True,
        "point_in_time_recovery_specification": RESTORABLE,
        "billing": NEVER_OVER,
    } | changes
    kept = {name: value for name, value in arguments.items() if value is not None}
    return dynamodb.TableV2(Stack(stage, "Stack"), "Table", **kept)


@wrong("G01")
def a_name_with_underscores(stage):
    service(stage, proxy={"db_proxy_name": "my_proxy"})


@wrong("G01")
def two_proxies_of_one_name(stage):
    service(stage, stack=Stack(stage, "First"), proxy={"db_proxy_name": "proxy"})
    service(stage, stack=Stack(stage, "Second"), proxy={"db_proxy_name": "proxy"})


@wrong("G02", "warning")
def one_name_in_two_stages(stage):
    service(stage, proxy={"db_proxy_name": "Proxy"})
    service(Stage(stage, "Second"), proxy={"db_proxy_name": "Proxy"})


@wrong("G03", "warning")
def statements_in_the_log(stage):
    service(stage, proxy={"debug_logging": True})


@wrong("G03", environment="prod")
def statements_in_the_log_of_production(stage):
    alarmed(service(stage, proxy={"debug_logging": True}))


@wrong("G04", "warning", environment="prod")
def a_production_proxy_that_nobody_watches(stage):
    service(stage)


@wrong("H01")
def a_runtime_of_the_past(stage):
    service(stage, client={"runtime": lambda_.Runtime.PYTHON_3_9})


@wrong("H01", "warning", today=date(2027, 2, 1))
def a_runtime_that_ends_soon(stage):
    service(stage, client={"runtime": lambda_.Runtime.PYTHON_3_11})


@wrong("H03", "warning")
def no_tracing(stage):
    service(stage, client={"tracing": None})


@wrong("H03", "warning")
def a_function_left_to_the_defaults(stage):
    direct(stage, client={"tracing": None, "memory_size": None, "logging_format": None, "log_group": None})


@wrong("H03", "warning")
def logs_for_ever(stage):
    it = service(stage)
    resource(it.stack.node.find_child("FunctionLogs")).add_property_deletion_override("RetentionInDays")


@wrong("H04", "warning")
def the_managed_vpc_policy(stage):
    it = service(stage)
    managed = "service-role/AWSLambdaVPCAccessExecutionRole"
    it.function.role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(managed))


@wrong("H05", "warning")
def a_schedule_whose_failures_vanish(stage):
    it = service(stage)
    schedule = events.Schedule.rate(Duration.minutes(5))
    events.Rule(it.stack, "Rule", schedule=schedule, targets=[targets.LambdaFunction(it.function)])


@wrong("H05", "warning")
def a_topic_whose_failures_vanish(stage):
    it = service(stage)
    sns.Topic(it.stack, "Topic").add_subscription(subscriptions.LambdaSubscription(it.function))


@wrong("H05", "warning")
def a_bucket_whose_failures_vanish(stage):
    it = service(stage)
    bucket = s3.Bucket(it.stack, "Bucket")
    bucket.add_event_notification(s3.EventType.OBJECT_CREATED, notifications.LambdaDestination(it.function))


@wrong("H05", "warning")
def a_stream_that_one_record_blocks(stage):
    it = service(stage)
    stream = kinesis.Stream(it.stack, "Stream")
    it.function.add_event_source(sources.KinesisEventSource(stream, starting_position=lambda_.StartingPosition.LATEST))


@wrong("H06", "warning")
def a_url_for_everybody(stage):
    service(stage).function.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)


@wrong("I01", "warning")
def a_table_that_cannot_be_restored(stage):
    table(stage, point_in_time_recovery_specification=None)


@wrong("I01", environment="prod")
def a_production_table_that_cannot_be_restored(stage):
    table(stage, point_in_time_recovery_specification=None)


@wrong("I02", "warning")
def a_table_that_can_be_deleted(stage):
    table(stage, deletion_protection=None)


@wrong("I02", environment="prod")
def an_old_table_that_can_be_deleted_in_production(stage):
    dynamodb.Table(
        Stack(stage, "Stack"),
        "Table",
        partition_key=dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
        point_in_time_recovery_specification=RESTORABLE,
    )


@wrong("I03", "warning")
def a_table_that_costs_what_it_may(stage):
    table(stage, billing=None)


@wrong("I06")
def ttl_with_strong_consistency(stage):
    it = table(stage, time_to_live_attribute="expires")
    resource(it).add_property_override("MultiRegionConsistency", "STRONG")


@wrong("I07", "warning")
def a_tenant_that_may_scan(stage):
    it = table(stage)
    role = iam.Role(it.stack, "Tenant", assumed_by=iam.AccountRootPrincipal())
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["dynamodb:Query", "dynamodb:Scan"],
            resources=[it.table_arn],
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["TENANT#${aws:PrincipalTag/TenantId}"]}},
        )
    )


@wrong("J06", environment="prod")
def an_alarm_that_tells_nobody(stage):
    it = service(stage)
    pinning_alarm(it.stack, it.proxy)


@wrong("J07", "warning")
def a_route_for_everybody(stage):
    it = service(stage)
    http_api(it.stack, it.function, authorizer=False)


@wrong("J07", environment="prod")
def a_production_route_for_everybody(stage):
    it = service(stage)
    alarmed(it)
    api = http_api(it.stack, it.function)
    target = api.node.find_child("GET--projects").node.default_child.target
    apigatewayv2.CfnRoute(it.stack, "Status", api_id=api.api_id, route_key="GET /status", target=target)


@wrong("J08", "warning")
def an_api_without_a_log(stage):
    it = service(stage)
    http_api(it.stack, it.function, logged=False)


@wrong("H06", "warning")
def a_url_of_sam_for_everybody(stage):
    function_of_sam(Stack(stage, "Stack"), FunctionUrlConfig={"AuthType": "NONE"})


@wrong("G04", "warning", environment="prod")
def one_of_two_proxies_is_watched(stage):
    """The alarm names one of them."""
    alarmed(service(stage, stack=Stack(stage, "First")))
    service(stage, stack=Stack(stage, "Second"))


@wrong("H05", "warning")
def a_subscription_to_logs_without_a_place_for_failures(stage):
    it = service(stage)
    source = logs.LogGroup(it.stack, "Source", retention=logs.RetentionDays.ONE_DAY)
    source.add_subscription_filter(
        "Filter", destination=LambdaDestination(it.function), filter_pattern=logs.FilterPattern.all_events()
    )

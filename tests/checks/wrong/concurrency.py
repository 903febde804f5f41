from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs

from ..cases import wrong
from ..service import (
    PORT,
    USER,
    alarmed,
    direct,
    function,
    function_of_sam,
    group,
    http_api,
    managed_instances,
    resource,
    service,
)


@wrong("B03")
def no_reserved_concurrency(stage):
    service(stage, client={"reserved_concurrent_executions": None})


@wrong("B03")
def no_reserved_concurrency_without_a_proxy(stage):
    direct(stage, reserved=None)


@wrong("B03")
def a_second_function_added_in_another_stack(stage):
    it = service(stage)
    other = Stack(stage, "Other")
    clients = group(other, "Clients", it.vpc)
    worker = function(
        other,
        it.vpc,
        [clients],
        variables={"HOST": it.proxy.endpoint},
        reserved_concurrent_executions=None,
    )
    it.proxy.grant_connect(worker, USER)
    clients.connections.allow_to(it.groups[1], PORT)


@wrong("B04")
def a_function_that_is_switched_off(stage):
    service(stage, client={"reserved_concurrent_executions": 0})


@wrong("B05")
def more_provisioned_than_reserved(stage):
    it = service(stage)
    lambda_.Alias(
        it.stack, "Live", alias_name="live", version=it.function.current_version, provisioned_concurrent_executions=30
    )


@wrong("B06")
def snapstart_without_a_version(stage):
    service(stage, client={"snap_start": lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS})


@wrong("B06")
def snapstart_with_provisioned_concurrency(stage):
    it = service(stage, client={"snap_start": lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS})
    alias = lambda_.Alias(it.stack, "Live", alias_name="live", version=it.function.current_version)
    settings = {"ProvisionedConcurrentExecutions": 2}
    resource(alias).add_property_override("ProvisionedConcurrencyConfig", settings)


@wrong("B08", "warning")
def an_api_without_throttling(stage):
    it = service(stage)
    http_api(it.stack, it.function, throttled=False)


@wrong("B08", "warning")
def an_api_that_lets_through_too_much(stage):
    it = service(stage, client={"reserved_concurrent_executions": 5})
    http_api(it.stack, it.function)


@wrong("C14", environment="prod")
def a_production_api_without_throttling(stage):
    it = service(stage)
    alarmed(it)
    http_api(it.stack, it.function, throttled=False)


@wrong("B09", "warning")
def a_queue_that_floods_the_function(stage):
    it = service(stage)
    queue = sqs.Queue(it.stack, "Queue", visibility_timeout=Duration.minutes(5))
    it.function.add_event_source(sources.SqsEventSource(queue))


@wrong("B09", "warning")
def a_queue_that_delivers_twice(stage):
    it = service(stage)
    queue = sqs.Queue(it.stack, "Queue", visibility_timeout=Duration.seconds(30))
    it.function.add_event_source(sources.SqsEventSource(queue, max_concurrency=5))


@wrong("B05")
def provisioned_concurrency_that_scales_beyond_what_is_reserved(stage):
    it = service(stage)
    live = lambda_.Alias(
        it.stack, "Live", alias_name="live", version=it.function.current_version, provisioned_concurrent_executions=2
    )
    live.add_auto_scaling(min_capacity=2, max_capacity=50).scale_on_utilization(utilization_target=0.7)


@wrong("A16")
def managed_instances_without_a_bound(stage):
    it = service(stage, client={"reserved_concurrent_executions": None})
    managed_instances(it.function)


@wrong("A07", "warning")
def more_invocations_of_managed_instances_than_connections(stage):
    it = service(stage, client={"reserved_concurrent_executions": None})
    managed_instances(it.function, environments=100, each=64)


@wrong("A17")
def environments_of_every_tenant_at_the_database(stage):
    it = direct(stage)
    resource(it.function).add_property_override("TenancyConfig", {"TenantIsolationMode": "PER_TENANT"})


@wrong("B05")
def more_provisioned_than_reserved_by_sam(stage):
    provisioned = {"ProvisionedConcurrentExecutions": 20}
    function_of_sam(
        Stack(stage, "Stack"),
        ReservedConcurrentExecutions=10,
        AutoPublishAlias="live",
        ProvisionedConcurrencyConfig=provisioned,
    )

from aws_cdk import CfnParameter, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds

from ..cases import wrong
from ..service import (
    PORT,
    USER,
    aurora,
    clients_of_aurora,
    database_proxy,
    direct,
    group,
    pinning_alarm,
    resource,
    service,
    target_group,
)

SMALL = {"instance_type": ec2.InstanceType("t4g.small"), "multi_az": True}


@wrong("A01")
def idle_percent_above_max_percent(stage):
    service(stage, proxy={"max_connections_percent": 50, "max_idle_connections_percent": 80})


@wrong("A01")
def idle_percent_raised_by_an_escape_hatch(stage):
    it = service(stage)
    path = "ConnectionPoolConfigurationInfo.MaxIdleConnectionsPercent"
    target_group(it.proxy).add_property_override(path, 95)


@wrong("A02")
def max_percent_of_150(stage):
    service(stage, proxy={"max_connections_percent": 150, "max_idle_connections_percent": 40})


@wrong("A02")
def max_percent_of_0(stage):
    service(stage, proxy={"max_connections_percent": 0, "max_idle_connections_percent": None})


@wrong("A03")
def idle_percent_without_max_percent(stage):
    service(stage, proxy={"max_connections_percent": None, "max_idle_connections_percent": 30})


@wrong("A04")
def the_whole_database_for_the_pool(stage):
    service(stage, proxy={"max_connections_percent": 100})


@wrong("A04")
def percentages_left_to_the_default(stage):
    service(stage, proxy={"max_connections_percent": None, "max_idle_connections_percent": None})


@wrong("A04")
def ninety_percent_of_a_micro(stage):
    database = {"instance_type": ec2.InstanceType("t4g.micro"), "iam_authentication": None}
    service(stage, secrets=True, database=database, proxy={"max_connections_percent": 90})


@wrong("A04")
def a_pool_of_all_of_max_connections_but_one(stage):
    service(stage, database={"parameters": {"max_connections": "100"}}, proxy={"max_connections_percent": 99})


@wrong("A05", "warning")
def ten_percent_of_a_large(stage):
    service(stage, proxy={"max_connections_percent": 10, "max_idle_connections_percent": 5})


@wrong("A05", "warning")
def forty_percent_of_a_burstable_medium(stage):
    changes = {"max_connections_percent": 40, "max_idle_connections_percent": 10}
    service(stage, database={"instance_type": ec2.InstanceType("t4g.medium")}, proxy=changes)


@wrong("A07", "warning")
def more_functions_than_connections_and_nobody_watches(stage):
    database = {"parameters": {"max_connections": "100"}}
    service(stage, database=database, client={"reserved_concurrent_executions": 200})


@wrong("A09")
def two_proxies_that_take_all_of_one_database(stage):
    it = service(stage)
    second = group(it.stack, "SecondGroup", it.vpc)
    second.connections.allow_to(it.groups[2], PORT)
    _, role = database_proxy(it.stack, it.vpc, [second], it.instance, id="Second")
    it.instance.grant_connect(role, USER)


@wrong("A09", "warning")
def two_proxies_for_availability(stage):
    half = {"max_connections_percent": 40, "max_idle_connections_percent": 20}
    it = service(stage, proxy=half)
    second = group(it.stack, "SecondGroup", it.vpc)
    second.connections.allow_to(it.groups[2], PORT)
    _, role = database_proxy(it.stack, it.vpc, [second], it.instance, id="Second", **half)
    it.instance.grant_connect(role, USER)


@wrong("A10")
def more_functions_than_connections_without_a_proxy(stage):
    direct(stage, reserved=500, database=SMALL)


@wrong("A10")
def a_few_functions_too_many_for_max_connections(stage):
    direct(stage, reserved=90, database={"parameters": {"max_connections": "100"}})


@wrong("A12", "warning")
def no_idle_connections(stage):
    service(stage, proxy={"max_idle_connections_percent": 0})


@wrong("A12", "warning")
def every_connection_idle(stage):
    service(stage, proxy={"max_connections_percent": 60, "max_idle_connections_percent": 60})


@wrong("A13")
def max_connections_beyond_the_memory(stage):
    changes = {"parameters": {"max_connections": "1000"}, "instance_type": ec2.InstanceType("t4g.medium")}
    service(stage, database=changes)


@wrong("A13")
def max_connections_of_4(stage):
    it = direct(stage, database={"parameters": {"max_connections": "4"}})
    resource(it.function).add_property_override("ReservedConcurrentExecutions", {"Ref": "Concurrency"})
    CfnParameter(it.stack, "Concurrency", type="Number")  # or A10 would say that no function fits


MEDIUM = rds.ClusterInstance.provisioned("Writer", instance_type=ec2.InstanceType("t4g.medium"))


@wrong("A04")
def nearly_all_of_a_small_aurora(stage):
    aurora(stage, writer=MEDIUM, proxy={"max_connections_percent": 99})


@wrong("A07", "warning")
def more_functions_than_connections_of_aurora(stage):
    cluster, proxy = aurora(stage, writer=MEDIUM, proxy={"max_connections_percent": 60})
    for client in clients_of_aurora(cluster, proxy.endpoint, count=3, reserved=100):
        proxy.grant_connect(client, USER)


@wrong("A10")
def more_functions_than_connections_of_aurora_serverless(stage):
    cluster, _ = aurora(stage, serverless_v2_min_capacity=1, serverless_v2_max_capacity=2)
    database = Stack.of(cluster).node.find_child("DatabaseGroup")
    for client in clients_of_aurora(cluster, cluster.cluster_endpoint.hostname, reserved=400, port_of=database):
        cluster.grant_connect(client, USER)


@wrong("A04")
def a_pool_of_what_a_formula_gives(stage):
    """About 69 connections, of which 85 % leaves five."""
    few = "LEAST({DBInstanceClassMemory/230000000},5000)"
    service(stage, database={"parameters": {"max_connections": few}})


@wrong("A07", "warning")
def an_alarm_of_the_other_proxy(stage):
    database = {"parameters": {"max_connections": "100"}}
    it = service(stage, stack=Stack(stage, "First"), database=database)
    pinning_alarm(it.stack, it.proxy)
    service(stage, stack=Stack(stage, "Second"), database=database, client={"reserved_concurrent_executions": 200})


@wrong("A13")
def a_connection_for_every_mebibyte(stage):
    service(stage, database={"parameters": {"max_connections": "{DBInstanceClassMemory/1048576}"}})

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from ..cases import wrong
from ..service import (
    CODE,
    PORT,
    USER,
    application_secret,
    database_proxy,
    function,
    group,
    instance,
    network,
    resource,
    service,
)

PUBLIC = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
WITH_PUBLIC = {
    "subnet_configuration": [
        ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24),
        ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24),
    ]
}


@wrong("D01")
def a_function_in_one_subnet(stage):
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    service(stage, stack=stack, vpc=vpc, client={"vpc_subnets": ec2.SubnetSelection(subnets=vpc.isolated_subnets[:1])})


@wrong("D01")
def a_proxy_in_two_subnets_of_one_zone(stage):
    it = service(stage)
    zone = it.vpc.availability_zones[0]
    subnets = [
        ec2.PrivateSubnet(it.stack, f"Subnet{i}", vpc_id=it.vpc.vpc_id, availability_zone=zone, cidr_block=cidr)
        for i, cidr in enumerate(("10.0.10.0/24", "10.0.11.0/24"))
    ]
    resource(it.proxy).add_property_override("VpcSubnetIds", [subnet.subnet_id for subnet in subnets])


@wrong("D02")
def a_zone_without_rds_proxy(stage):
    it = service(stage)
    subnet = resource(it.vpc.isolated_subnets[0])
    subnet.add_property_deletion_override("AvailabilityZone")
    subnet.add_property_override("AvailabilityZoneId", "use1-az3")


@wrong("D03")
def subnets_of_eleven_addresses(stage):
    small = ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=28)
    service(stage, vpc={"subnet_configuration": [small]})


@wrong("D03")
def a_large_class_in_small_subnets(stage):
    small = ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=26)
    service(
        stage,
        vpc={"subnet_configuration": [small]},
        database={"instance_type": ec2.InstanceType("r8g.16xlarge"), "database_insights_mode": None},
    )


@wrong("D04")
def a_proxy_in_public_subnets(stage):
    service(stage, vpc=WITH_PUBLIC, proxy={"vpc_subnets": PUBLIC})


@wrong("D04")
def a_database_in_public_subnets(stage):
    service(stage, vpc=WITH_PUBLIC, database={"vpc_subnets": PUBLIC})


@wrong("D04")
def a_function_in_public_subnets(stage):
    service(stage, vpc=WITH_PUBLIC, client={"vpc_subnets": PUBLIC, "allow_public_subnet": True})


@wrong("D04")
def a_database_with_a_public_address(stage):
    service(stage, database={"publicly_accessible": True})


@wrong("D05")
def dedicated_tenancy(stage):
    service(stage, vpc={"default_instance_tenancy": ec2.DefaultInstanceTenancy.DEDICATED})


@wrong("D06")
def a_proxy_in_another_vpc(stage):
    stack = Stack(stage, "Stack")
    database_vpc = network(stack)
    proxy_vpc = network(stack, "Other", ip_addresses=ec2.IpAddresses.cidr("10.1.0.0/16"))
    groups = [group(stack, "DatabaseGroup", database_vpc), group(stack, "ProxyGroup", proxy_vpc)]
    database = instance(stack, database_vpc, [groups[0]])
    groups[1].connections.allow_to(groups[0], PORT)
    _, role = database_proxy(stack, proxy_vpc, [groups[1]], database)
    database.grant_connect(role, USER)


@wrong("D07")
def an_isolated_function_that_reads_a_secret(stage):
    it = service(stage)
    secret = secretsmanager.Secret(it.stack, "Key")
    secret.grant_read(it.function)


@wrong("D07")
def an_isolated_function_that_reads_a_table(stage):
    from aws_cdk import aws_dynamodb as dynamodb

    it = service(stage)
    key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    table = dynamodb.TableV2(
        it.stack,
        "Table",
        partition_key=key,
        deletion_protection=True,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        billing=dynamodb.Billing.on_demand(max_read_request_units=100, max_write_request_units=100),
    )
    table.grant_read_data(it.function)


@wrong("D09")
def an_isolated_rotation(stage):
    it = service(stage)
    application_secret(it.stack, "Reports", username="reports", rotated_in=it.vpc)


@wrong("D09")
def a_rotation_function_that_is_isolated(stage):
    it = service(stage)
    rotate = function(it.stack, it.vpc, [group(it.stack, "RotationGroup", it.vpc)], id="Rotate")
    secret = rds.DatabaseSecret(it.stack, "Reports", username="reports")
    secret.add_rotation_schedule("Rotation", rotation_lambda=rotate)


@wrong("D14")
def a_dual_stack_endpoint_in_ipv4_subnets(stage):
    it = service(stage)
    resource(it.proxy).add_property_override("EndpointNetworkType", "DUAL")


@wrong("D14")
def ipv6_to_an_ipv4_database(stage):
    it = service(stage)
    resource(it.proxy).add_property_override("TargetConnectionNetworkType", "IPV6")


@wrong("D17", "warning")
def an_endpoint_open_to_the_vpc(stage):
    it = service(stage)
    it.vpc.add_interface_endpoint("Secrets", service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER)


@wrong("D15", "warning")
def a_name_of_ones_own_for_the_proxy(stage):
    it = service(stage)
    zone = route53.PrivateHostedZone(it.stack, "Zone", zone_name="internal.example", vpc=it.vpc)
    route53.CnameRecord(it.stack, "Name", zone=zone, record_name="db", domain_name=it.proxy.endpoint)


@wrong("D07")
def an_isolated_function_that_sends_to_a_queue(stage):
    it = service(stage)
    sqs.Queue(it.stack, "Queue").grant_send_messages(it.function)


@wrong("D07")
def an_isolated_function_that_reads_a_bucket(stage):
    it = service(stage)
    s3.Bucket(it.stack, "Bucket").grant_read(it.function)


@wrong("D07")
def a_function_that_calls_another_from_isolated_subnets(stage):
    it = service(stage)
    other = lambda_.Function(it.stack, "Mail", runtime=lambda_.Runtime.PYTHON_3_13, handler="index.handler", code=CODE)
    other.grant_invoke(it.function)

from aws_cdk import Stack, Token, triggers
from aws_cdk import aws_ec2 as ec2

from ..cases import wrong
from ..service import (
    PORT,
    USER,
    direct,
    function,
    group,
    http_api,
    network,
    service,
)


@wrong("D10")
def the_whole_vpc_into_the_database(stage):
    it = service(stage)
    it.instance.connections.allow_default_port_from(ec2.Peer.ipv4(it.vpc.vpc_cidr_block))


@wrong("D10")
def an_office_into_the_database(stage):
    it = service(stage)
    it.groups[2].add_ingress_rule(ec2.Peer.ipv4("203.0.113.0/24"), PORT)


@wrong("D10")
def anybody_into_the_database(stage):
    it = direct(stage)
    it.groups[1].add_ingress_rule(ec2.Peer.any_ipv4(), PORT)


@wrong("D10")
def anybody_into_the_proxy(stage):
    it = service(stage)
    it.proxy.connections.allow_from_any_ipv4(PORT)


@wrong("D10")
def a_function_past_its_proxy(stage):
    it = service(stage)
    it.instance.connections.allow_default_port_from(it.function)


@wrong("D10")
def an_api_past_the_proxy(stage):
    """Its function has the database alone, as a migration may, which no API calls."""
    it = service(stage)
    clients = group(it.stack, "ReportsGroup", it.vpc)
    clients.connections.allow_to(it.groups[2], PORT)
    variables = {"DB_HOST": it.instance.db_instance_endpoint_address, "DB_USER": USER}
    reports = function(it.stack, it.vpc, [clients], id="Reports", variables=variables)
    it.instance.grant_connect(reports, USER)
    http_api(it.stack, reports)


@wrong("D10")
def a_rule_added_in_another_stack(stage):
    it = service(stage)
    other = Stack(stage, "Other")
    ec2.CfnSecurityGroupIngress(
        other,
        "Office",
        group_id=it.groups[2].security_group_id,
        ip_protocol="tcp",
        from_port=5432,
        to_port=5432,
        cidr_ip="198.51.100.7/32",
    )


@wrong("D11", "warning")
def a_proxy_that_may_leave_for_anywhere(stage):
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    it = service(
        stage,
        stack=stack,
        vpc=vpc,
        chain=False,
        proxy={"security_groups": [group(stack, "Open", vpc, allow_all_outbound=True)]},
    )
    it.groups[0].connections.allow_to(it.proxy, PORT)
    it.instance.connections.allow_from(it.proxy, PORT)


@wrong("D11", "warning")
def a_function_that_may_leave_for_anywhere(stage):
    stack = Stack(stage, "Stack")
    vpc = network(stack)
    it = service(
        stage, stack=stack, vpc=vpc, client={"security_groups": [group(stack, "Open", vpc, allow_all_outbound=True)]}
    )
    it.proxy.connections.allow_from(it.function, PORT)


@wrong("D12")
def no_rule_from_function_to_proxy(stage):
    it = service(stage, chain=False)
    it.groups[1].connections.allow_to(it.groups[2], PORT)


@wrong("D12")
def a_function_outside_the_vpc(stage):
    stack = Stack(stage, "Stack")
    it = service(stage, stack=stack)
    outside = function(stack, id="Outside", variables={"DB_HOST": it.proxy.endpoint})
    it.proxy.grant_connect(outside, USER)


@wrong("D12")
def ingress_without_egress(stage):
    it = service(stage, chain=False)
    it.groups[1].connections.allow_to(it.groups[2], PORT)
    it.groups[1].add_ingress_rule(it.groups[0], PORT)


@wrong("D12")
def a_proxy_written_by_hand_that_the_database_does_not_admit(stage):
    it = service(stage)
    for ingress in [each for each in it.groups[2].node.children if "from" in each.node.id]:
        it.groups[2].node.try_remove_child(ingress.node.id)


@wrong("D13")
def the_databases_port_at_the_proxy(stage):
    it = service(stage, chain=False, database={"port": 6543})
    it.groups[0].connections.allow_to(it.groups[1], ec2.Port.tcp(6543))
    it.groups[1].connections.allow_to(it.groups[2], ec2.Port.tcp(6543))


@wrong("D11", "warning")
def a_function_that_may_go_to_anybodys_database(stage):
    it = service(stage)
    it.groups[0].add_egress_rule(ec2.Peer.any_ipv4(), PORT)


@wrong("D12")
def a_function_without_a_proxy_that_may_not_enter(stage):
    it = service(stage)
    reports = group(it.stack, "ReportsGroup", it.vpc)
    variables = {"DB_HOST": it.instance.db_instance_endpoint_address}
    it.instance.grant_connect(function(it.stack, it.vpc, [reports], id="Reports", variables=variables), "reports")


@wrong("D12")
def migrations_that_may_not_enter(stage):
    it = service(stage)
    migrations = group(it.stack, "MigrationsGroup", it.vpc)
    variables = {"DB_HOST": it.instance.db_instance_endpoint_address}
    migrate = function(it.stack, it.vpc, [migrations], id="Migrate", variables=variables)
    it.instance.grant_connect(migrate, "migrator")
    triggers.Trigger(it.stack, "Run", handler=migrate)


@wrong("D13")
def the_databases_port_by_reference_at_the_proxy(stage):
    it = service(stage, chain=False, database={"port": 6543})
    it.groups[0].connections.allow_to(it.groups[1], ec2.Port.tcp(it.instance.instance_endpoint.port))
    it.groups[1].connections.allow_to(it.groups[2], ec2.Port.tcp(6543))


@wrong("D13")
def the_databases_port_in_the_environment(stage):
    it = service(stage, chain=False, database={"port": 6543})
    it.groups[0].connections.allow_to(it.groups[1], PORT)
    it.groups[1].connections.allow_to(it.groups[2], ec2.Port.tcp(6543))
    it.function.add_environment("DB_PORT", Token.as_string(it.instance.instance_endpoint.port))


@wrong("D13")
def the_port_of_pgbouncer_in_a_url(stage):
    it = service(stage)
    it.function.add_environment("DATABASE_URL", f"postgresql://{USER}@{it.proxy.endpoint}:6432/projects")

"""D: subnets, zones and ways out."""

import ipaddress
from collections.abc import Iterator
from typing import Any

from .reachability import subnets_of
from .rule import Finding, Severity, rule
from .stage import DATABASES, Stage
from .template import Resource, Unknown, mentioned, mentions, truth

PREREQUISITES = 'Amazon RDS User Guide, "Setting up network prerequisites for RDS Proxy"'
LIMITATIONS = 'Amazon RDS User Guide, "Amazon RDS Proxy", quotas and limitations'
LAMBDA_VPC = 'AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC"'
ZONES_WITHOUT_PROXY = ("use1-az3", "usw1-az2")
KEPT_BY_AWS = 5  # addresses of every subnet
# Addresses that a proxy may need in a subnet, by the size of the instance class.
ADDRESSES = {"2xlarge": 15, "4xlarge": 25, "8xlarge": 45, "12xlarge": 60, "16xlarge": 75, "24xlarge": 110}
FEWEST_ADDRESSES = 10
ADDRESSES_PER_ENDPOINT = 3
# What a function calls itself, and the endpoint that it would need; pollers and the runtime call others for it.
CALLS = {
    "secretsmanager": ("secretsmanager:GetSecretValue",),
    "ssm": ("ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"),
    "dynamodb": ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
}


def _places(stage: Stage) -> Iterator[tuple[Resource, str, list[Any] | None]]:
    """Everything that is on the way to a database, the property with its subnets, and the subnets."""
    for proxy in stage.proxies:
        yield proxy.resource, "VpcSubnetIds", stage.network.subnets(proxy.resource)
    for group in _subnet_groups(stage):
        yield group, "SubnetIds", stage.network.subnets(group)
    for function in (each for each, used in stage.uses.items() if used):
        if function.get("VpcConfig") is not None:
            yield function, "VpcConfig.SubnetIds", stage.network.subnets(function)


def _subnet_groups(stage: Stage) -> list[Resource]:
    named = [each.get("DBSubnetGroupName") for each in stage.of_type(*DATABASES)]
    groups = [each.resource for each in mentioned(named) if each.resource.type == "AWS::RDS::DBSubnetGroup"]
    return list(dict.fromkeys(groups))


@rule(
    "D01",
    Severity.ERROR,
    "proxy, database and functions are in two subnets of two availability zones or more",
    fix="choose subnets of at least two availability zones",
    source=f"{PREREQUISITES}; Security Hub Lambda.5",
)
def two_zones(stage: Stage) -> Iterator[Finding]:
    for resource, path, subnets in _places(stage):
        if subnets is None or any(isinstance(each, Unknown) for each in subnets):
            continue
        zones = [_zone(each) for each in subnets]
        if len(set(subnets)) == 1:
            yield Finding(resource, path, "one subnet")
        elif subnets and None not in zones and len(set(zones)) == 1:
            yield Finding(resource, path, f"{len(subnets)} subnets of one zone")


def _zone(subnet: Any) -> Any:
    if not isinstance(subnet, Resource):
        return None
    return subnet.get("AvailabilityZone") or subnet.get("AvailabilityZoneId")


@rule(
    "D02",
    Severity.ERROR,
    "a proxy is in zones where there is RDS Proxy",
    fix="choose another availability zone; use1-az3 and usw1-az2 have no RDS Proxy",
    source=LIMITATIONS,
)
def zones_have_proxies(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        for subnet in stage.network.subnets(proxy.resource) or []:
            zone = subnet.get("AvailabilityZoneId") if isinstance(subnet, Resource) else None
            if zone in ZONES_WITHOUT_PROXY:
                yield Finding(subnet, "AvailabilityZoneId", f"{zone}, for {proxy.resource.id}")


@rule(
    "D03",
    Severity.ERROR,
    "a proxy's subnets have addresses for it to grow",
    fix="use larger subnets (a /26 is enough in front of classes up to 8xlarge, a /24 of any)",
    source=f'{PREREQUISITES}, "Planning for IP address capacity"',
)
def subnets_have_addresses(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        for subnet in stage.network.subnets(proxy.resource) or []:
            free = _free_addresses(subnet)
            if free is None:
                continue
            sizes = [str(target.get("DBInstanceClass")).rpartition(".")[2] for target in proxy.targets]
            needed = max([ADDRESSES.get(size, FEWEST_ADDRESSES) for size in sizes] or [FEWEST_ADDRESSES])
            others = _others_in(stage, subnet, proxy.resource)
            if free < needed + others:
                value = f"{subnet.get('CidrBlock')} has {free} addresses, of which others take {others} and the proxy {needed}"
                yield Finding(subnet, "CidrBlock", value)


def _free_addresses(subnet: Any) -> int | None:
    cidr = subnet.get("CidrBlock") if isinstance(subnet, Resource) else None
    try:
        return ipaddress.IPv4Network(cidr).num_addresses - KEPT_BY_AWS if isinstance(cidr, str) else None
    except ValueError:
        return None


def _others_in(stage: Stage, subnet: Any, proxy: Resource) -> int:
    network = stage.network
    databases = [each for each in stage.databases if subnet in (network.database_subnets(each) or [])]
    functions = {str(network.groups(each)) for each in stage.functions if subnet in (network.subnets(each) or [])}
    endpoints = [
        each
        for each in stage.of_type("AWS::EC2::VPCEndpoint")
        if each.get("VpcEndpointType") == "Interface" and subnet in (network.subnets(each) or [])
    ]
    more = [each for each in stage.of_type("AWS::RDS::DBProxyEndpoint") if mentions(each.get("DBProxyName"), proxy)]
    return len(databases) + len(functions) + len(endpoints) + ADDRESSES_PER_ENDPOINT * len(more)


@rule(
    "D04",
    Severity.ERROR,
    "proxy, database and functions are in private subnets, and the database has no public address",
    fix="choose private or isolated subnets, and publicly_accessible=False",
    source=f"Security Hub RDS.2 and RDS.46; {LAMBDA_VPC}",
)
def nothing_is_public(stage: Stage) -> Iterator[Finding]:
    for resource, path, subnets in _places(stage):
        public = [each.id for each in subnets or [] if stage.network.is_public(each)]
        if public:
            yield Finding(resource, path, f"public subnet{'s' * (len(public) > 1)} {', '.join(public)}")
    for database in stage.of_type(*DATABASES):
        if truth(database.get("PubliclyAccessible")):
            yield Finding(database, "PubliclyAccessible", "true")


@rule(
    "D05",
    Severity.ERROR,
    "a proxy's VPC has default tenancy, and does not enforce encryption controls",
    fix="use a VPC with default tenancy, and encryption controls in monitor mode",
    source=LIMITATIONS,
)
def vpc_can_have_a_proxy(stage: Stage) -> Iterator[Finding]:
    for vpc in {vpc for proxy in stage.proxies for vpc in _vpcs(stage, stage.network.subnets(proxy.resource))}:
        if vpc.get("InstanceTenancy") == "dedicated":
            yield Finding(vpc, "InstanceTenancy", "dedicated")
        for controls in stage.of_type("AWS::EC2::VPCEncryptionControl"):
            if mentions(controls.get("VpcId"), vpc) and controls.get("Mode") == "enforce":
                yield Finding(controls, "Mode", "enforce")


def _vpcs(stage: Stage, subnets: list[Any] | None) -> set[Resource]:
    return {vpc for each in subnets or [] if (vpc := stage.network.vpc(each)) is not None}


@rule(
    "D06",
    Severity.ERROR,
    "a proxy is in the VPC of its database",
    fix="put the proxy into subnets of the database's VPC",
    source=LIMITATIONS,
)
def proxy_is_in_the_databases_vpc(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        own = _vpcs(stage, stage.network.subnets(proxy.resource))
        for target in proxy.targets:
            theirs = _vpcs(stage, stage.network.database_subnets(target))
            if own and theirs and not own & theirs:
                names = [", ".join(sorted(each.id for each in vpcs)) for vpcs in (own, theirs)]
                yield Finding(proxy.resource, "VpcSubnetIds", f"in {names[0]}, and {target.id} is in {names[1]}")


@rule(
    "D07",
    Severity.ERROR,
    "a function in a VPC can reach the services that it calls",
    fix="add a VPC endpoint for the service (a gateway endpoint for DynamoDB), or subnets with a NAT gateway; "
    "an IAM token for a proxy needs neither",
    source=LAMBDA_VPC,
)
def functions_reach_services(stage: Stage) -> Iterator[Finding]:
    rotation = set(_rotation_functions(stage))
    for function in stage.functions:
        vpc = _closed_vpc(stage, stage.network.subnets(function))
        if vpc is None or function in rotation:
            continue
        allowed = [each for each in stage.policies.of(function.get("Role")) if each.is_allow]
        for service, actions in CALLS.items():
            called = any("*" not in each.actions and each.allows(*actions) for each in allowed)
            if called and not stage.network.has_endpoint(vpc, service):
                value = f"isolated subnets without an endpoint for {service}, which its role may call"
                yield Finding(function, "VpcConfig.SubnetIds", value)


def _closed_vpc(stage: Stage, subnets: list[Any] | None) -> Resource | None:
    """The VPC of subnets of which it is known that none has a way out."""
    if not subnets or not all(stage.network.is_closed(each) for each in subnets):
        return None
    return next(iter(_vpcs(stage, subnets)), None)


@rule(
    "D09",
    Severity.ERROR,
    "what rotates a secret in a VPC can reach Secrets Manager",
    fix="add an interface endpoint for Secrets Manager, or subnets with a NAT gateway",
    source='AWS Secrets Manager User Guide, "Network access for a rotation function"',
)
def rotation_reaches_secrets_manager(stage: Stage) -> Iterator[Finding]:
    for schedule in stage.of_type("AWS::SecretsManager::RotationSchedule"):
        vpc = _closed_vpc(stage, _rotation_subnets(stage, schedule))
        if vpc is not None and not stage.network.has_endpoint(vpc, "secretsmanager"):
            path = "HostedRotationLambda" if schedule.get("HostedRotationLambda") else "RotationLambdaARN"
            yield Finding(schedule, path, "in isolated subnets without an endpoint for secretsmanager")


def _rotation_functions(stage: Stage) -> Iterator[Resource]:
    for schedule in stage.of_type("AWS::SecretsManager::RotationSchedule"):
        function = stage.function_of(schedule.get("RotationLambdaARN"))
        if function is not None:
            yield function


def _rotation_subnets(stage: Stage, schedule: Resource) -> list[Any] | None:
    hosted = schedule.get("HostedRotationLambda", "VpcSubnetIds")
    if hosted is not None:
        return subnets_of(hosted)
    arn = schedule.get("RotationLambdaARN")
    function = stage.function_of(arn)
    if function is not None:
        return stage.network.subnets(function)
    application = next((a.resource for a in mentioned(arn) if a.resource.type == "AWS::Serverless::Application"), None)
    return None if application is None else subnets_of(application.get("Parameters", "vpcSubnetIds"))


@rule(
    "D14",
    Severity.ERROR,
    "a proxy with IPv6 has subnets and a database with IPv6",
    fix="give the subnets IPv6 addresses and the database network_type DUAL, or use IPV4",
    source="RDS API Reference, CreateDBProxy",
)
def ipv6_is_possible(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        kind = proxy.resource.get("EndpointNetworkType")
        subnets = stage.network.subnets(proxy.resource) or []
        if kind in ("IPV6", "DUAL"):
            without = [each.id for each in subnets if isinstance(each, Resource) and not _has_ipv6(stage, each)]
            if without:
                yield Finding(proxy.resource, "EndpointNetworkType", f"{kind}, and {', '.join(without)} without IPv6")
        if proxy.resource.get("TargetConnectionNetworkType") == "IPV6":
            for target in proxy.targets:
                if target.get("NetworkType") in (None, "IPV4"):
                    value = f"IPV6, and {target.id} has NetworkType {target.get('NetworkType') or 'IPV4'}"
                    yield Finding(proxy.resource, "TargetConnectionNetworkType", value)


def _has_ipv6(stage: Stage, subnet: Resource) -> bool:
    names = ("Ipv6CidrBlock", "Ipv6IpamPoolId", "Ipv6Native")
    blocks = stage.of_type("AWS::EC2::SubnetCidrBlock")
    return any(subnet.get(name) is not None for name in names) or any(mentions(b.get("SubnetId"), subnet) for b in blocks)


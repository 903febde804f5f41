"""D: what the subnets and the VPC of a proxy must have."""

import ipaddress
from collections.abc import Iterator
from typing import Any

from .references import mentions
from .rule import Finding, Severity, rule
from .stage import Stage
from .template import Resource

PREREQUISITES = 'Amazon RDS User Guide, "Setting up network prerequisites for RDS Proxy"'
LIMITATIONS = 'Amazon RDS User Guide, "Amazon RDS Proxy", quotas and limitations'
ZONES_WITHOUT_PROXY = ("use1-az3", "usw1-az2")
KEPT_BY_AWS = 5  # addresses of every subnet
# Addresses that a proxy may need in a subnet, by the size of the instance class.
ADDRESSES = {"2xlarge": 15, "4xlarge": 25, "8xlarge": 45, "12xlarge": 60, "16xlarge": 75, "24xlarge": 110}
FEWEST_ADDRESSES = 10
ADDRESSES_PER_ENDPOINT = 3


@rule(
    "D02",
    Severity.ERROR,
    "a proxy is in zones where there is RDS Proxy",
    fix="choose another availability zone; use1-az3 and usw1-az2 have no RDS Proxy",
    source=LIMITATIONS,
)
def _zones_have_proxies(stage: Stage) -> Iterator[Finding]:
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
def _subnets_have_addresses(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        for subnet in stage.network.subnets(proxy.resource) or []:
            free = _free_addresses(subnet)
            if free is None:
                continue
            sizes = [str(target.get("DBInstanceClass")).rpartition(".")[2] for target in proxy.targets]
            needed = max([ADDRESSES.get(size, FEWEST_ADDRESSES) for size in sizes] or [FEWEST_ADDRESSES])
            others = _others_in(stage, subnet, proxy.resource)
            if free < needed + others:
                value = f"{subnet.get('CidrBlock')} has {free} addresses; others take {others}, and the proxy {needed}"
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
    "D05",
    Severity.ERROR,
    "a proxy's VPC has default tenancy, and does not enforce encryption controls",
    fix="use a VPC with default tenancy, and encryption controls in monitor mode",
    source=LIMITATIONS,
)
def _vpc_can_have_a_proxy(stage: Stage) -> Iterator[Finding]:
    for vpc in {vpc for proxy in stage.proxies for vpc in stage.network.vpcs(stage.network.subnets(proxy.resource))}:
        if vpc.get("InstanceTenancy") == "dedicated":
            yield Finding(vpc, "InstanceTenancy", "dedicated")
        for controls in stage.of_type("AWS::EC2::VPCEncryptionControl"):
            if mentions(controls.get("VpcId"), vpc) and controls.get("Mode") == "enforce":
                yield Finding(controls, "Mode", "enforce")


@rule(
    "D06",
    Severity.ERROR,
    "a proxy is in the VPC of its database",
    fix="put the proxy into subnets of the database's VPC",
    source=LIMITATIONS,
)
def _proxy_is_in_the_databases_vpc(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        own = stage.network.vpcs(stage.network.subnets(proxy.resource))
        for target in proxy.targets:
            theirs = stage.network.vpcs(stage.network.database_subnets(target))
            if own and theirs and not own & theirs:
                names = [", ".join(sorted(each.id for each in vpcs)) for vpcs in (own, theirs)]
                yield Finding(proxy.resource, "VpcSubnetIds", f"in {names[0]}, and {target.id} is in {names[1]}")


@rule(
    "D14",
    Severity.ERROR,
    "a proxy with IPv6 has subnets and a database with IPv6",
    fix="give the subnets IPv6 addresses and the database network_type DUAL, or use IPV4",
    source="RDS API Reference, CreateDBProxy",
)
def _ipv6_is_possible(stage: Stage) -> Iterator[Finding]:
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
    return any(subnet.get(name) is not None for name in names) or any(
        mentions(b.get("SubnetId"), subnet) for b in blocks
    )

"""Security groups, subnets and routes of a stage: who can speak to whom."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .references import comparable, mentioned
from .servers import DATABASES, port_of
from .template import Attribute, Resource
from .templates import Templates
from .values import Text, Unknown, listed, number, within

GROUP = "AWS::EC2::SecurityGroup"
ANYWHERE = ("0.0.0.0/0", "::/0")
PEERS = (
    "SourceSecurityGroupId",
    "DestinationSecurityGroupId",
    "CidrIp",
    "CidrIpv6",
    "SourcePrefixListId",
    "DestinationPrefixListId",
)
SOME_GROUP = Unknown("a group that only a deployment decides")
NOWHERE = "255.255.255.255/32"  # the rule that CDK writes for "no egress"


@dataclass(frozen=True)
class GroupRule:
    """One rule of a security group: whom it lets in, or out to."""

    resource: Resource  # the resource of the template that it is written in
    body: dict[str, Any]

    @property
    def peer(self) -> Any:
        """A group, addresses, or Unknown."""
        return next((group_of(self.body[name]) for name in PEERS if self.body.get(name) is not None), Unknown("peer"))

    @property
    def protocol(self) -> str | None:
        """tcp, udp, icmp, or -1 for all; None when it cannot be known."""
        value = self.body.get("IpProtocol", "-1")
        return None if isinstance(value, Unknown) else str(value)

    @property
    def is_known(self) -> bool:
        """Whether it is known whose it is, and what it is about."""
        names = ("GroupId", "IpProtocol", "FromPort", "ToPort")
        return not any(isinstance(self.body.get(name), Unknown) for name in names)

    def covers(self, port: int | None) -> bool:
        """Whether it is, or may be, about a TCP port; a port that cannot be known is."""
        if self.protocol not in ("tcp", "6", "-1", None):
            return False
        low, high = _port(self.body.get("FromPort")), _port(self.body.get("ToPort"))
        return self.protocol == "-1" or port is None or low is None or high is None or low <= port <= high

    @property
    def is_open(self) -> bool:
        """Whether its peer is everybody."""
        return self.peer in ANYWHERE


class Network:
    """The security groups, subnets and routes of a stage."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def groups(self, resource: Resource) -> list[Any]:
        """The security groups of a proxy, database, function or endpoint; those of other stages are no Resource."""
        names = ("VpcSecurityGroupIds", "VPCSecurityGroups", "SecurityGroupIds")
        own = next((value for name in names if (value := resource.get(name)) is not None), None)
        value = own if own is not None else resource.get("VpcConfig", "SecurityGroupIds")
        return [group_of(each) for each in listed(value)]

    @cached_property
    def _ingress(self) -> dict[Any, list[GroupRule]]:
        return self._rules("SecurityGroupIngress")

    @cached_property
    def _egress(self) -> dict[Any, list[GroupRule]]:
        return self._rules("SecurityGroupEgress")

    def _rules(self, direction: str) -> dict[Any, list[GroupRule]]:
        found: dict[Any, list[GroupRule]] = {}
        for group in self._templates.of_type(GROUP):
            rules = [each if isinstance(each, dict) else {} for each in listed(group.get(direction))]
            found.setdefault(group, []).extend(GroupRule(group, each) for each in rules)
        for resource in self._templates.of_type(f"AWS::EC2::{direction}"):
            group = group_of(resource.get("GroupId"))
            key = SOME_GROUP if isinstance(group, Unknown) else group
            found.setdefault(key, []).append(GroupRule(resource, resource.properties))
        return found

    def ingress(self, group: Any) -> list[GroupRule]:
        """The rules of this stage that let somebody in, or may be of this group."""
        return [*self._ingress.get(group, []), *self._ingress.get(SOME_GROUP, [])]

    def egress(self, group: Any) -> list[GroupRule]:
        """The rules of this stage that let somebody out; EC2 gives a group without any one rule for everything."""
        rules = [*self._egress.get(group, []), *self._egress.get(SOME_GROUP, [])]
        if not rules and isinstance(group, Resource):
            return [GroupRule(group, {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"})]
        return [rule for rule in rules if rule.peer != NOWHERE]

    def admits(self, servers: Iterable[Any], clients: Iterable[Any], port: int | None = None) -> bool:
        """Whether a rule of this stage names one of the clients' groups at one of the servers'."""
        wanted = [client for client in clients if not isinstance(client, Unknown)]
        return any(rule.peer in wanted and rule.covers(port) for server in servers for rule in self.ingress(server))

    def may_enter(self, servers: list[Any], clients: list[Any], port: int | None) -> bool:
        """False only where it is known that no rule lets the clients in to the servers."""
        if not servers or not clients or not all(isinstance(each, Resource) for each in (*servers, *clients)):
            return True
        rules = [rule for server in servers for rule in self.ingress(server) if rule.covers(port)]
        return any(rule.peer in clients or _may_be_anybody(rule) for rule in rules)

    def may_leave(self, clients: list[Any], servers: list[Any], port: int | None) -> bool:
        """False only where it is known that no rule lets the clients out to the servers."""
        if not servers or not clients or not all(isinstance(each, Resource) for each in (*servers, *clients)):
            return True
        rules = [rule for client in clients for rule in self.egress(client) if rule.covers(port)]
        return any(rule.peer in servers or _may_be_anybody(rule) for rule in rules)

    def subnets(self, resource: Resource) -> list[Any] | None:
        """The subnets of a proxy, subnet group, function or endpoint; None when they cannot be known."""
        for path in (("VpcSubnetIds",), ("SubnetIds",), ("VpcConfig", "SubnetIds")):
            value = resource.get(*path)
            if value is not None:
                return subnets_of(value)
        return []

    def database_subnets(self, database: Resource) -> list[Any] | None:
        """The subnets of a database's subnet group; None when they cannot be known."""
        group = next((a.resource for a in mentioned(database.get("DBSubnetGroupName"))), None)
        return None if group is None else self.subnets(group)

    @cached_property
    def _route_tables(self) -> dict[Resource, Resource]:
        found = {}
        for association in self._templates.of_type("AWS::EC2::SubnetRouteTableAssociation"):
            subnet, table = resource_of(association.get("SubnetId")), resource_of(association.get("RouteTableId"))
            if subnet is not None and table is not None:
                found[subnet] = table
        return found

    def route_table(self, subnet: Any) -> Resource | None:
        """The route table of a subnet; None when it is not of this stage."""
        return self._route_tables.get(subnet) if isinstance(subnet, Resource) else None

    @cached_property
    def _routes(self) -> dict[Resource, list[Resource]]:
        found: dict[Resource, list[Resource]] = {}
        for route in self._templates.of_type("AWS::EC2::Route"):
            table = resource_of(route.get("RouteTableId"))
            if table is not None:
                found.setdefault(table, []).append(route)
        return found

    def is_public(self, subnet: Any) -> bool:
        """Whether it is known that a subnet's default route is an internet gateway."""
        table = self.route_table(subnet)
        return table is not None and any(
            _is_default(each) and _to_internet(each) for each in self._routes.get(table, [])
        )

    def is_closed(self, subnet: Any) -> bool:
        """Whether it is known that a subnet has no way out of the VPC: no route but those to endpoints."""
        table = self.route_table(subnet)
        return table is not None and not self._routes.get(table)

    def vpc(self, subnet: Any) -> Any:
        """The VPC of a subnet; None when it is not of this stage."""
        return resource_of(subnet.get("VpcId")) if isinstance(subnet, Resource) else None

    def vpcs(self, subnets: list[Any] | None) -> set[Resource]:
        """The VPCs of subnets, as far as they are of this stage."""
        return {vpc for each in subnets or [] if (vpc := self.vpc(each)) is not None}

    def has_endpoint(self, vpc: Any, service: str) -> bool:
        """False only where it is known that a VPC of this stage has no endpoint for a service."""
        return any(
            resource_of(each.get("VpcId")) in (vpc, None) and service_of(each) in (service, None)
            for each in self._templates.of_type("AWS::EC2::VPCEndpoint")
        )


def _port(value: Any) -> float | None:
    """A port, also where it is a reference to a database's: the default port of CDK's proxies is one."""
    is_database = isinstance(value, Attribute) and value.resource.type in DATABASES
    return port_of(value.resource) if is_database else number(value)


def _may_be_anybody(rule: GroupRule) -> bool:
    return not isinstance(rule.peer, Resource) or isinstance(rule.body.get("GroupId"), Unknown)


def service_of(endpoint: Resource) -> str | None:
    """The last word of an endpoint's service name, such as secretsmanager; None when it cannot be known."""
    name = endpoint.get("ServiceName")
    text = name if isinstance(name, str) else name.literal if isinstance(name, Text) else ""
    return text.rpartition(".")[2].removesuffix("-fips").removesuffix("-smtp") or None


def resource_of(value: Any) -> Resource | None:
    """The resource that a value refers to, where it is nothing but that reference."""
    return value.resource if isinstance(value, Attribute) else None


def group_of(value: Any) -> Any:
    """A security group as its resource; an id, addresses or Unknown stay what they are."""
    return value.resource if isinstance(value, Attribute) and value.resource.type == GROUP else comparable(value)


def subnets_of(value: Any) -> list[Any] | None:
    """Subnets as their resources; None when the list cannot be known. "a,b" is a list too."""
    if isinstance(value, Text):
        return [each.resource for each in mentioned(value)] if set(value.literal) <= {"\0", ","} else None
    if not isinstance(value, list):
        return None
    return [each.resource if isinstance(each, Attribute) else comparable(each) for each in value]


def _is_default(route: Resource) -> bool:
    return (
        within(route.properties, "DestinationCidrBlock") in ANYWHERE
        or route.get("DestinationIpv6CidrBlock") in ANYWHERE
    )


def _to_internet(route: Resource) -> bool:
    gateway = resource_of(route.get("GatewayId"))
    if gateway is not None:
        return gateway.type == "AWS::EC2::InternetGateway"
    return isinstance(route.get("GatewayId"), str) and str(route.get("GatewayId")).startswith("igw-")

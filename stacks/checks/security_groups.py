"""D: the chain of security groups: function -> proxy -> database, and nobody else."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from .apis import integrations
from .reachability import GroupRule, service_of
from .references import mentioned, shown
from .rule import Finding, Severity, rule
from .servers import DATABASES, Proxy, port_of
from .stage import Stage
from .template import Attribute, Resource
from .values import Text, Unknown, number

GROUPS = 'Amazon RDS User Guide, "Setting up network prerequisites for RDS Proxy", security groups'

PORT_NAME = re.compile(r"(DB|DATABASE|PG|POSTGRES|POSTGRESQL|MYSQL|RDS|DB_PROXY|RDS_PROXY)_?PORT", re.IGNORECASE)
PORT_IN_URL = re.compile(r":(\d+)")


def _rule_at(found: GroupRule, direction: str) -> str:
    return direction if found.resource.type == "AWS::EC2::SecurityGroup" else "CidrIp"


def _addresses(found: GroupRule) -> Any:
    """The addresses of a rule's peer: a text, or those of a VPC; None when it is a group, or cannot be known."""
    peer = found.peer
    if isinstance(peer, Resource | Unknown | Text):
        return None
    if isinstance(peer, str):
        return None if peer.startswith(("sg-", "pl-")) else peer
    of_vpc = [each for each in mentioned(peer) if each.resource.type == "AWS::EC2::VPC"]
    return shown(peer) if any("Cidr" in each.name for each in of_vpc) else None


@rule(
    "D10",
    Severity.ERROR,
    "only security groups of the proxy and of what must go past it may enter the database's",
    fix="allow the proxy's security group, which is not the database's own, and those of migrations or rotation, not "
    "addresses (a prefix list for those of an office or a VPN), nor functions that have the proxy",
    source="Security Hub EC2.18 and EC2.19; cdk-nag RDS8",
)
def _database_admits_groups_only(stage: Stage) -> Iterator[Finding]:
    seen: set[Any] = set()
    for database in stage.databases:
        for group in stage.network.groups(database):
            if group in seen:
                continue
            seen.add(group)
            for found in stage.network.ingress(group):
                addresses = _addresses(found)
                if addresses is not None and found.is_known and found.covers(port_of(database)):
                    yield Finding(
                        found.resource, _rule_at(found, "SecurityGroupIngress"), f"{addresses} into {database.id}"
                    )
        yield from _past_the_proxy(stage, database)
        yield from _instead_of_the_proxy(stage, database)
    for proxy in stage.proxies:
        for group in stage.network.groups(proxy.resource):
            for found in stage.network.ingress(group):
                if found.is_open and found.is_known and found.covers(port_of(proxy.resource)):
                    path = _rule_at(found, "SecurityGroupIngress")
                    yield Finding(found.resource, path, f"{found.peer} into {proxy.resource.id}")


def _past_the_proxy(stage: Stage, database: Resource) -> Iterator[Finding]:
    """Functions that have the proxy, in a group of their own, which the database admits as well."""
    proxies = {proxy.resource for proxy in stage.proxies_of(database)}
    with_proxy = [each for each in stage.database_functions if stage.uses[each] & proxies]
    shared = [group for each in stage.functions if each not in with_proxy for group in stage.network.groups(each)]
    shared += [group for proxy in proxies for group in stage.network.groups(proxy)]
    for group in stage.network.groups(database):
        for found in stage.network.ingress(group):
            clients = [each for each in with_proxy if found.peer in stage.network.groups(each)]
            if (
                clients
                and found.is_known
                and found.peer not in shared
                and all(database not in stage.uses[each] for each in clients)
            ):
                value = f"{clients[0].id}, which has a proxy, straight into {database.id}"
                yield Finding(found.resource, "SourceSecurityGroupId", value)


def _instead_of_the_proxy(stage: Stage, database: Resource) -> Iterator[Finding]:
    """Functions of an API, so no migrations, that are told the host of a database and not that of its proxy."""
    proxies = [proxy.resource for proxy in stage.proxies_of(database)]
    for function in dict.fromkeys(each.function for each in integrations(stage)):
        told = mentioned(function.get("Environment", "Variables"))
        is_told = any(each.resource == database and each.name == "Endpoint.Address" for each in told)
        if proxies and is_told and not stage.uses.get(function, set()).intersection(proxies):
            value, fix = f"the host of {database.id}, which has {proxies[0].id}", "give the function the proxy's host, "
            fix += "and allow its security group into the proxy's, not into the database's"
            yield Finding(function, "Environment.Variables", value, None, fix)


@rule(
    "D11",
    Severity.WARNING,
    "proxy, database and functions may not leave for just anywhere",
    fix="set allow_all_outbound=False, and allow each group to the next: function -> proxy -> database",
    source=f"{GROUPS}; CDK's default is to allow all",
)
def _egress_is_named(stage: Stage) -> Iterator[Finding]:
    servers = [*(proxy.resource for proxy in stage.proxies), *stage.databases]
    members = [*servers, *(function for function, used in stage.uses.items() if used)]
    groups = {group: member for member in reversed(members) for group in stage.network.groups(member)}
    for group, member in groups.items():
        for found in stage.network.egress(group):
            needless = found.protocol == "-1" or any(found.covers(port) for port in _ports(stage, member))
            if found.is_open and found.is_known and (needless or member in servers):
                what = "all protocols" if found.protocol == "-1" else f"port {shown(found.body.get('FromPort'))}"
                yield Finding(found.resource, "SecurityGroupEgress", f"{member.id} to {found.peer}, {what}")
                break


def _ports(stage: Stage, function: Resource) -> list[int]:
    """The ports that a function has to reach, as far as they are known."""
    return [port for each in stage.uses.get(function, ()) if (port := port_of(each)) is not None]


@rule(
    "D12",
    Severity.ERROR,
    "security groups let each function into its proxy or database, and the proxy into its database",
    fix="allow it on both sides, in and out, for instance proxy.connections.allow_from(function, Port.tcp(5432)); "
    "a grant to connect opens no security group",
    source=GROUPS,
)
def _chain_is_closed(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        for function in stage.users_of(proxy.resource):
            yield from _function_to(stage, function, proxy)
        for target in proxy.targets:
            groups, theirs = stage.network.groups(proxy.resource), stage.network.groups(target)
            fix = "allow it on both sides, in and out, for instance database.connections.allow_default_port_from(proxy)"
            if not stage.network.may_enter(theirs, groups, port_of(target)):
                value = f"no rule lets {proxy.resource.id} into {target.id}"
                yield Finding(target, "VPCSecurityGroups", value, None, fix)
            elif not stage.network.may_leave(groups, theirs, port_of(target)):
                value = f"no rule lets it out to {target.id}"
                yield Finding(proxy.resource, "VpcSecurityGroupIds", value, None, fix)
    for database in stage.databases:
        yield from _straight_into(stage, database)


def _straight_into(stage: Stage, database: Resource) -> Iterator[Finding]:
    """Functions that have a database's host and no proxy of it, and cannot reach it: migrations, too."""
    proxies, theirs = {each.resource for each in stage.proxies_of(database)}, stage.network.groups(database)
    for function in stage.users_of(database, deployment=True):
        clients, path = stage.network.groups(function), "VpcConfig.SecurityGroupIds"
        if database not in stage.hosts(function) or stage.uses[function] & proxies:
            continue
        if not stage.network.may_enter(theirs, clients, port_of(database)):
            yield Finding(function, path, f"no rule lets {function.id} into {database.id}")
        elif not stage.network.may_leave(clients, theirs, port_of(database)):
            yield Finding(function, path, f"no rule lets it out to {database.id}")


def _function_to(stage: Stage, function: Resource, proxy: Proxy) -> Iterator[Finding]:
    if function.get("VpcConfig") is None and function.type == "AWS::Lambda::Function":
        value, fix = f"not set: {proxy.resource.id} can be reached from its VPC only", "set vpc to the proxy's"
        yield Finding(function, "VpcConfig", value, None, f"{fix}, and allow the function's group into the proxy's")
        return
    servers, clients = stage.entrance_groups(proxy), stage.network.groups(function)
    if not stage.network.may_enter(servers, clients, None):
        value = f"no rule lets {function.id} into {proxy.resource.id}"
        yield Finding(function, "VpcConfig.SecurityGroupIds", value)
    elif not stage.network.may_leave(clients, servers, None):
        yield Finding(function, "VpcConfig.SecurityGroupIds", f"no rule lets it out to {proxy.resource.id}")


@rule(
    "D13",
    Severity.ERROR,
    "functions speak to a proxy on its own port, whatever its database's is",
    fix="allow the proxy's port, and tell functions that: 5432 for PostgreSQL, 3306 for MySQL, 1433 for SQL Server",
    source='Amazon RDS User Guide, "Amazon RDS Proxy", quotas and limitations',
)
def _proxy_port_is_open(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        port, servers = port_of(proxy.resource), stage.entrance_groups(proxy)
        if port is None or _is_emulated(proxy.resource):
            continue
        for function in stage.users_of(proxy.resource):
            clients = stage.network.groups(function)
            if not stage.network.may_enter(servers, clients, None) or not stage.network.may_leave(
                clients, servers, None
            ):
                continue  # D12 says so
            if not stage.network.may_enter(servers, clients, port) or not stage.network.may_leave(
                clients, servers, port
            ):
                value = f"{function.id} may not reach {proxy.resource.id} on {port}, but on another port"
                yield Finding(function, "VpcConfig.SecurityGroupIds", value)
            for name, told in _told_ports(stage, function) if stage.only_host(function) is proxy.resource else ():
                if told not in (port, None):
                    value = f"{told}, and {proxy.resource.id} listens on {port}"
                    yield Finding(function, f"Environment.Variables.{name}", value)


def _told_ports(stage: Stage, function: Resource) -> Iterator[tuple[str, int | None]]:
    """The ports that a function's environment says: by the name of a variable, or in a URL after a proxy's host."""
    variables = function.get("Environment", "Variables")
    for name, value in variables.items() if isinstance(variables, dict) else ():
        if PORT_NAME.fullmatch(name):
            server = value.resource if isinstance(value, Attribute) and value.resource.type in DATABASES else None
            found = number(value)
            yield name, port_of(server) if server is not None else None if found is None else int(found)
        for host, after in pairwise(value.parts if isinstance(value, Text) else ()):
            match = PORT_IN_URL.match(after) if isinstance(host, Attribute) and isinstance(after, str) else None
            if match and stage.server_of(host) is not None and "Endpoint" in host.name:
                yield name, int(match[1])


def _is_emulated(resource: Resource) -> bool:
    """Whether a stack says that it is local: an emulator's proxy may listen on any port."""
    words = resource.template.stack.lower().replace("-", "/").replace("_", "/").split("/")
    return "local" in words


@rule(
    "D17",
    Severity.WARNING,
    "an interface endpoint for secrets and parameters is not open to the whole VPC for every principal and secret",
    fix="set open=False and a security group, or give the endpoint a policy that names what may be read by whom",
    source='Amazon VPC User Guide, "Control access to VPC endpoints"; CDK\'s default is open',
)
def _endpoints_are_not_open(stage: Stage) -> Iterator[Finding]:
    for endpoint in stage.of_type("AWS::EC2::VPCEndpoint"):
        if service_of(endpoint) not in ("secretsmanager", "ssm") or endpoint.get("PolicyDocument") is not None:
            continue
        rules = [each for group in stage.network.groups(endpoint) for each in stage.network.ingress(group)]
        opened = next((_addresses(each) for each in rules if _addresses(each) is not None), None)
        if opened is not None:
            yield Finding(endpoint, "PolicyDocument", f"not set, and {opened} may enter")

"""RDS proxies that are stand-ins running on this machine."""

from collections.abc import Mapping
from typing import Any

from local.aws import internals
from local.aws.children import Command
from local.aws.emulation import Emulation
from local.aws.rds import DEFAULT_PORT, Databases, RunningInstance
from local.aws.resources import Properties, Request, Resource, ResourceError, ResourceType
from local.aws.sessions import Sessions

POOL = "ConnectionPoolConfigurationInfo"
POOL_NUMBERS = ("MaxConnectionsPercent", "MaxIdleConnectionsPercent", "ConnectionBorrowTimeout")
NETWORK_TYPES = ("EndpointNetworkType", "TargetConnectionNetworkType")


class Proxies:
    """The proxies of the emulator. The RDS API holds their settings; their processes follow it."""

    def __init__(self, emulation: Emulation, databases: Databases, sessions: Sessions) -> None:
        self._emulation, self._databases, self._sessions = emulation, databases, sessions

    def resource_types(self) -> list[ResourceType]:
        """The types of this module."""
        return [
            ResourceType(
                name="AWS::RDS::DBProxy",
                create=self._create,
                update=self._update,
                delete=self._delete,
                create_only=("DBProxyName", "EngineFamily", "VpcSubnetIds", *NETWORK_TYPES),
                custom_name="DBProxyName",
            ),
            ResourceType(
                name="AWS::RDS::DBProxyTargetGroup",
                create=self._create_target_group,
                update=self._update_target_group,
                delete=self._delete_target_group,
                create_only=("DBProxyName", "TargetGroupName"),
            ),
            ResourceType(
                name="AWS::RDS::DBProxyEndpoint", create=refuse_endpoint, update=refuse_endpoint, delete=lambda _: None
            ),
        ]

    @property
    def _rds(self) -> Any:
        return self._emulation.client("rds")

    def _create(self, request: Request) -> Resource:
        check(request.properties)
        name = request.properties["DBProxyName"]
        networks = {each: request.properties[each] for each in NETWORK_TYPES if each in request.properties}
        self._rds.create_db_proxy(
            DBProxyName=name,
            EngineFamily=request.properties["EngineFamily"],
            VpcSubnetIds=request.properties["VpcSubnetIds"],
            VpcSecurityGroupIds=request.properties.get("VpcSecurityGroupIds", []),
            Tags=request.properties.get("Tags", []),
            **networks,
            **settings(request),
        )
        ports = {each.port for each in self._databases.running.values()} or {DEFAULT_PORT}
        internals.set_proxy_address(name, self._emulation.addresses.reserve(f"proxy {name}", ports))
        return self._resource(name)

    def _update(self, request: Request) -> Resource:
        check(request.properties)
        name = request.physical_id
        groups = {"SecurityGroups": each} if (each := request.properties.get("VpcSecurityGroupIds")) else {}
        self._rds.modify_db_proxy(DBProxyName=name, **groups, **settings(request))
        self._follow(name)
        return self._resource(name)

    def _delete(self, request: Request) -> None:
        self._emulation.children.stop(f"rds-proxy-{request.physical_id}")
        self._rds.delete_db_proxy(DBProxyName=request.physical_id)
        self._emulation.addresses.release(f"proxy {request.physical_id}")

    def _resource(self, name: str) -> Resource:
        proxy = self._describe(name)
        return Resource(name, {each: proxy[each] for each in ("DBProxyArn", "Endpoint", "VpcId")})

    def _create_target_group(self, request: Request) -> Resource:
        if request.properties.get("DBClusterIdentifiers"):
            raise ResourceError("the local AWS has no DB clusters: give the target group DBInstanceIdentifiers")
        name = request.properties["DBProxyName"]
        group = self._rds.modify_db_proxy_target_group(**pool(request.properties))["DBProxyTargetGroup"]
        if instances := request.properties.get("DBInstanceIdentifiers"):
            self._rds.register_db_proxy_targets(DBProxyName=name, DBInstanceIdentifiers=instances)
        try:
            self._follow(name)
        except ResourceError:
            self._deregister(name)
            raise
        return Resource(group["TargetGroupArn"], {"TargetGroupArn": group["TargetGroupArn"]})

    def _update_target_group(self, request: Request) -> Resource:
        if request.changed("DBInstanceIdentifiers"):
            self._deregister(request.properties["DBProxyName"])
            return self._create_target_group(request)
        self._rds.modify_db_proxy_target_group(**pool(request.properties))
        self._follow(request.properties["DBProxyName"])
        return Resource(request.physical_id, {"TargetGroupArn": request.physical_id})

    def _delete_target_group(self, request: Request) -> None:
        self._deregister(request.properties["DBProxyName"])
        self._follow(request.properties["DBProxyName"])

    def _deregister(self, name: str) -> None:
        targets = self._rds.describe_db_proxy_targets(DBProxyName=name)["Targets"]
        if instances := [target["RdsResourceId"] for target in targets]:
            self._rds.deregister_db_proxy_targets(DBProxyName=name, DBInstanceIdentifiers=instances)

    def _describe(self, name: str) -> Mapping[str, Any]:
        proxy: Mapping[str, Any] = self._rds.describe_db_proxies(DBProxyName=name)["DBProxies"][0]
        return proxy

    def _follow(self, name: str) -> None:
        """Have the proxy's process running with the settings that the RDS API describes, or not at all."""
        targets = self._rds.describe_db_proxy_targets(DBProxyName=name)["Targets"]
        if targets:
            command = self._command(self._describe(name), targets[0]["RdsResourceId"])
            self._emulation.children.run(f"rds-proxy-{name}", command)
        else:
            self._emulation.children.stop(f"rds-proxy-{name}")

    def _command(self, proxy: Mapping[str, Any], identifier: str) -> Command:
        instance = self._databases.running[identifier]
        group = self._rds.describe_db_proxy_target_groups(DBProxyName=proxy["DBProxyName"])["TargetGroups"][0]
        limits = group["ConnectionPoolConfig"]
        flags = {
            "--listen": f"{proxy['Endpoint']}:{instance.port}",
            "--metrics": f"{proxy['Endpoint']}:0",
            "--certificates": self._emulation.certificates,
            "--region": internals.region(),
            "--access-keys": self._emulation.access_keys,
            "--max-connections-percent": limits["MaxConnectionsPercent"],
            "--max-idle-connections-percent": limits["MaxIdleConnectionsPercent"],
            "--connection-borrow-timeout": limits["ConnectionBorrowTimeout"],
            "--idle-client-timeout": proxy["IdleClientTimeout"],
        }
        words = [word for flag, value in flags.items() for word in (flag, str(value))]
        words += self._logins(proxy, instance)
        if arn := self._emulation.connect_arn(proxy["DBProxyArn"].rsplit(":", 1)[-1]):
            words += ["--connect-arn", arn]
        words.append("--require-tls" if proxy["RequireTLS"] else "--no-require-tls")
        return Command("local.rds_proxy", tuple(words), environment=self._environment(proxy["RoleArn"]))

    def _logins(self, proxy: Mapping[str, Any], instance: RunningInstance) -> list[str]:
        """How clients log in, and how it logs in to its target: by IAM as any client, or on its socket by password."""
        if proxy.get("DefaultAuthScheme") == "IAM_AUTH":
            root = self._emulation.certificates / "ca.pem"
            upstream = ["--upstream", f"{instance.address}:{instance.port}", "--upstream-root-certificate", str(root)]
            return [*upstream, "--database-iam"]
        secrets = [word for each in proxy["Auth"] for word in ("--secret-arn", each["SecretArn"])]
        mode = proxy["Auth"][0].get("IAMAuth", "DISABLED").lower()
        return ["--upstream", instance.socket_directory, "--iam-auth", mode, *secrets]

    def _environment(self, role: str) -> dict[str, str]:
        """The proxy reads its secrets as its own role, so that a missing grant shows where IAM is enforced."""
        credentials = self._sessions.of(role, "rds-proxy")
        return {
            **credentials,
            "AWS_ENDPOINT_URL": self._emulation.endpoint,
            "AWS_DEFAULT_REGION": internals.region(),
        }


def check(properties: Properties) -> None:
    """Raise ResourceError for a proxy that the stand-in can't be."""
    if properties.get("EngineFamily") != "POSTGRESQL":
        raise ResourceError(f"the local AWS has no proxy for {properties.get('EngineFamily')}: only for POSTGRESQL")
    if properties.get("DefaultAuthScheme", "NONE") != "NONE" and properties.get("Auth"):
        raise ResourceError("the local AWS has no proxy that uses both IAM_AUTH and secrets: give it one of the two")
    modes = {each.get("IAMAuth", "DISABLED") for each in properties.get("Auth", [])}
    if len(modes) > 1 or not modes <= {"REQUIRED", "DISABLED"}:
        raise ResourceError(
            f"the local AWS has proxies whose secrets all say IAMAuth REQUIRED or all DISABLED, not {sorted(modes)}"
        )


def refuse_endpoint(_: Request) -> Resource:
    """Say that further endpoints of a proxy are not emulated."""
    raise ResourceError("the local AWS has no further endpoints of a proxy: connect to the proxy's own Endpoint")


def settings(request: Request) -> dict[str, Any]:
    """What a proxy is created with, and what an update may change."""
    timeout = request.number("IdleClientTimeout")
    return {
        "DefaultAuthScheme": request.properties.get("DefaultAuthScheme", "NONE"),
        **({"Auth": auth} if (auth := request.properties.get("Auth")) else {}),
        "RoleArn": request.properties["RoleArn"],
        "RequireTLS": request.flag("RequireTLS"),
        "DebugLogging": request.flag("DebugLogging"),
        **({} if timeout is None else {"IdleClientTimeout": timeout}),
    }


def pool(properties: Properties) -> dict[str, Any]:
    """A target group's pool settings as the RDS API takes them; a template may write numbers as strings."""
    given = properties.get(POOL, {})
    numbers = {name: int(given[name]) for name in POOL_NUMBERS if name in given}
    rest = {name: value for name, value in given.items() if name not in POOL_NUMBERS}
    return {
        "DBProxyName": properties["DBProxyName"],
        "TargetGroupName": properties["TargetGroupName"],
        "ConnectionPoolConfig": {**rest, **numbers},
    }

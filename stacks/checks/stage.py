"""What the resources of a stage are to each other: proxies and their targets, functions and what they use."""

from collections.abc import Iterable
from datetime import date
from functools import cached_property
from typing import Any

from .plaintext import may_tell
from .policies import Policies
from .reachability import Network
from .references import mentioned
from .servers import DATABASES, Proxy, names
from .template import Attribute, Resource, Template
from .templates import Templates
from .values import Unknown, listed, number, within

CALLED_BY_CUSTOM_RESOURCE = ("ServiceToken", "HandlerArn", "Create", "Update", "Delete")  # Trigger, AwsCustomResource
USER_FUNCTIONS = ("USER_ON_EVENT_FUNCTION_ARN", "USER_IS_COMPLETE_FUNCTION_ARN")
UNNAMED = Unknown("the VPC's default security group")
DEFAULT_FUNCTION_TIMEOUT = 3
CONNECT, DATA_API = "rds-db:connect", "rds-data:ExecuteStatement"
PASSWORDS = (  # where a role may get one from
    *("secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue", "sts:AssumeRole", "s3:GetObject"),
    *("ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath", "appconfig:GetLatestConfiguration"),
)


class Stage:
    """The templates that are deployed together, and what can be read from all of them."""

    def __init__(
        self, templates: Iterable[Template], *, today: date | None = None, app: Iterable[Template] = ()
    ) -> None:
        self.templates = Templates(templates)
        self.others = [each for each in app if each not in self.templates.templates]  # of the other stages of the app
        self.today = today or date.today()  # noqa: DTZ011 - what is out of support depends on a day, not on a zone
        self.policies = Policies(self.templates)
        self.network = Network(self.templates)

    def of_type(self, *types: str) -> list[Resource]:
        """Every resource of one of these types."""
        return self.templates.of_type(*types)

    @cached_property
    def databases(self) -> list[Resource]:
        """Instances and clusters; instances that are members of a cluster are not databases of their own."""
        clusters, instances = self.of_type("AWS::RDS::DBCluster"), self.of_type("AWS::RDS::DBInstance")
        return [*(each for each in instances if each.get("DBClusterIdentifier") is None), *clusters]

    @cached_property
    def proxies(self) -> list[Proxy]:
        """Every proxy of the stage."""
        return [self._proxy(resource) for resource in self.of_type("AWS::RDS::DBProxy")]

    def _proxy(self, resource: Resource) -> Proxy:
        groups = [
            group
            for group in self.of_type("AWS::RDS::DBProxyTargetGroup")
            if names(group.get("DBProxyName"), resource, "DBProxyName", group)
        ]
        targets = [
            database
            for group in groups
            for kind, name in (
                ("DBInstanceIdentifiers", "DBInstanceIdentifier"),
                ("DBClusterIdentifiers", "DBClusterIdentifier"),
            )
            for identifier in listed(group.get(kind))
            for database in self.of_type(*DATABASES)
            if names(identifier, database, name, group)
        ]
        return Proxy(resource, groups, targets)

    def proxies_of(self, database: Resource) -> list[Proxy]:
        """The proxies whose target a database is."""
        return [proxy for proxy in self.proxies if database in proxy.targets]

    @cached_property
    def functions(self) -> list[Resource]:
        """Every Lambda function."""
        return self.of_type("AWS::Lambda::Function", "AWS::Serverless::Function")

    def function_of(self, value: Any) -> Resource | None:
        """The function that an ARN, a name, a version or an alias stands for."""
        for attribute in mentioned(value):
            if attribute.resource in self.functions:
                return attribute.resource
            if attribute.resource.type in ("AWS::Lambda::Version", "AWS::Lambda::Alias"):
                return self.function_of(attribute.resource.get("FunctionName"))
        return next(
            (each for each in self.functions if isinstance(value, str) and each.get("FunctionName") == value), None
        )

    @cached_property
    def deployment_functions(self) -> set[Resource]:
        """Functions that only CloudFormation and Secrets Manager call, one at a time: migrations, rotation."""
        called: list[Any] = [
            each.get("RotationLambdaARN") for each in self.of_type("AWS::SecretsManager::RotationSchedule")
        ]
        for resource in self.templates:
            if resource.type.startswith("Custom::") or resource.type == "AWS::CloudFormation::CustomResource":
                called += [resource.get(name) for name in CALLED_BY_CUSTOM_RESOURCE]
        found = self._named_in(called)
        # CDK's provider framework has the functions that it calls in its environment
        return found | self._named_in(
            [each.get("Environment", "Variables", name) for each in found for name in USER_FUNCTIONS]
        )

    def _named_in(self, values: list[Any]) -> set[Resource]:
        named = {self.function_of(attribute) for value in values for attribute in mentioned(value)}
        return {each for each in named if each is not None}

    @cached_property
    def uses(self) -> dict[Resource, set[Resource]]:
        """The proxies and databases that each function connects to."""
        return {function: self._used_by(function) for function in self.functions}

    def _used_by(self, function: Resource) -> set[Resource]:
        """By what it is told (host or secret), what it may (rds-db:connect), or else by whom its group may reach."""
        statements = self.policies.of(function.get("Role"))
        if function.get("VpcConfig") is None and any(each.allows(DATA_API) for each in statements):
            return set()  # the Data API's connections are not the function's
        may = [
            attribute
            for statement in statements
            if statement.allows(CONNECT, "secretsmanager:GetSecretValue")
            for attribute in mentioned(statement.resources)
        ]
        known = self.hosts(function) | self._served_by(_secrets(function)) | self._served_by(may)
        if known or function in self.deployment_functions or self._has_no_login(function):
            return known
        groups, locked_out = self.network.groups(function), self._locked_out(function)
        proxies = [each.resource for each in self.proxies if not (locked_out and self.requires_iam(each))]
        return {
            server for server in (*proxies, *self.databases) if self.network.admits(self.network.groups(server), groups)
        }

    def hosts(self, function: Resource) -> set[Resource]:
        """The proxies and databases whose endpoints a function's environment has; names and ARNs are for AWS's API."""
        named = mentioned(function.get("Environment", "Variables"))
        return self._served_by(each for each in named if _is_host(each))

    def only_host(self, function: Resource) -> Resource | None:
        """The one proxy or database that a function is told of; None when there are more, or may be."""
        hosts, told = self.hosts(function), function.get("Environment", "Variables")
        values = told.values() if isinstance(told, dict) else ()
        return next(iter(hosts)) if len(hosts) == 1 and not any(isinstance(each, Unknown) for each in values) else None

    def _locked_out(self, function: Resource) -> bool:
        """Whether it is known that a function's role may not log in anywhere by IAM."""
        role = function.get("Role")
        return self.policies.is_complete(role) and not any(each.allows(CONNECT) for each in self.policies.of(role))

    def _has_no_login(self, function: Resource) -> bool:
        """Whether a function is told no password, nor what may hold one, and may not get one."""
        told, role = function.get("Environment", "Variables"), function.get("Role")
        is_told = isinstance(told, Unknown) or any(may_tell(name, value) for name, value in (told or {}).items())
        may = any(each.allows(CONNECT, *PASSWORDS) for each in self.policies.of(role))
        return not is_told and not may and self.policies.is_complete(role)

    def requires_iam(self, proxy: Proxy) -> bool:
        """Whether it is known that clients log in to a proxy by IAM only."""
        auth, scheme = proxy.resource.get("Auth"), proxy.resource.get("DefaultAuthScheme")
        if isinstance(auth, list) and auth:
            return all(isinstance(each, dict) and each.get("IAMAuth") == "REQUIRED" for each in auth)
        return auth in (None, []) and bool(scheme == "IAM_AUTH")

    def _served_by(self, attributes: Iterable[Attribute]) -> set[Resource]:
        return {server for attribute in attributes if (server := self.server_of(attribute)) is not None}

    def server_of(self, attribute: Attribute) -> Resource | None:
        """The proxy or database that an endpoint, an ARN, a resource id, or a secret belongs to."""
        resource = attribute.resource
        if resource.type == "AWS::RDS::DBProxyEndpoint":
            return next((proxy.resource for proxy in self.proxies if resource in self.endpoints_of(proxy)), None)
        if resource.type in ("AWS::RDS::DBProxy", *DATABASES):
            return self.cluster_of(resource)
        if resource.type == "AWS::SecretsManager::SecretTargetAttachment":
            return next(map(self.server_of, mentioned(resource.get("TargetId"))), None)
        if resource.type == "AWS::SecretsManager::Secret":
            return self._server_of_secret(resource)
        return None

    def members_of(self, cluster: Resource) -> list[Resource]:
        """The instances of a cluster."""
        instances = self.of_type("AWS::RDS::DBInstance")
        return [each for each in instances if each is not cluster and self.cluster_of(each) is cluster]

    def endpoints_of(self, proxy: Proxy) -> list[Resource]:
        """The endpoints that a proxy has besides its own."""
        return [
            each
            for each in self.of_type("AWS::RDS::DBProxyEndpoint")
            if names(each.get("DBProxyName"), proxy.resource, "DBProxyName", each)
        ]

    def entrance_groups(self, proxy: Proxy) -> list[Any]:
        """The security groups that functions may enter a proxy by: its own, and those of its endpoints."""
        endpoints = [self.network.groups(each) or [UNNAMED] for each in self.endpoints_of(proxy)]
        return [*self.network.groups(proxy.resource), *(group for groups in endpoints for group in groups)]

    def cluster_of(self, instance: Resource) -> Resource:
        """The cluster that an instance is a member of, or itself."""
        named = next(
            (a.resource for a in mentioned(instance.get("DBClusterIdentifier")) if a.resource.type in DATABASES), None
        )
        return named or instance

    def _server_of_secret(self, secret: Resource) -> Resource | None:
        for proxy in self.proxies:
            if any(self.secret_of(auth) is secret for auth in self.auth(proxy)):
                return proxy.resource
        for attachment in self.of_type("AWS::SecretsManager::SecretTargetAttachment"):
            if any(each.resource is secret for each in mentioned(attachment.get("SecretId"))):
                return next(map(self.server_of, mentioned(attachment.get("TargetId"))), None)
        return next((database for database in self.databases if self.master_secret(database) is secret), None)

    def auth(self, proxy: Proxy) -> list[Any]:
        """The entries of a proxy's Auth."""
        return [each for each in listed(proxy.resource.get("Auth")) if isinstance(each, dict)]

    def secret_of(self, value: Any) -> Resource | None:
        """The secret that a value refers to, also through its attachment to a database."""
        for attribute in mentioned(value):
            if attribute.resource.type == "AWS::SecretsManager::Secret":
                return attribute.resource
            if attribute.resource.type == "AWS::SecretsManager::SecretTargetAttachment":
                return self.secret_of(attribute.resource.get("SecretId"))
        return None

    def master_secret(self, database: Resource) -> Resource | None:
        """The secret that a database's master password comes from, where it is of this stage."""
        return self.secret_of(database.get("MasterUserPassword")) or self.secret_of(database.get("MasterUsername"))

    def users_of(self, server: Resource, *, deployment: bool = False) -> list[Resource]:
        """The functions that connect to a proxy or database; without those that only a deployment calls."""
        return [
            function
            for function, servers in self.uses.items()
            if server in servers and (deployment or function not in self.deployment_functions)
        ]

    @cached_property
    def database_functions(self) -> list[Resource]:
        """The functions that connect to any proxy or database, without those that only a deployment calls."""
        return [each for each, servers in self.uses.items() if servers and each not in self.deployment_functions]

    def parameter(self, database: Resource, name: str) -> Any:
        """A parameter that the database's own parameter group sets; None when it does not."""
        for group in self.parameter_groups(database):
            value = within(group.get("Parameters"), name)
            if value is not None:
                return value
        return None

    def parameter_groups(self, database: Resource) -> list[Resource]:
        """The parameter groups of this stage that a database uses."""
        named = (database.get("DBParameterGroupName"), database.get("DBClusterParameterGroupName"))
        return [a.resource for a in mentioned(list(named)) if a.resource.type.endswith("ParameterGroup")]

    def reserved(self, functions: Iterable[Resource]) -> int | None:
        """The sum of reserved concurrency; None when one has none, or it cannot be known."""
        found = [number(each.get("ReservedConcurrentExecutions")) for each in functions]
        return None if not found or None in found else int(sum(each for each in found if each is not None))

    def timeout(self, function: Resource) -> float | None:
        """A function's timeout in seconds; None when that cannot be known."""
        value = function.get("Timeout")
        return DEFAULT_FUNCTION_TIMEOUT if value is None else number(value)


def _secrets(function: Resource) -> list[Attribute]:
    """The secrets in a function's environment."""
    named = mentioned(function.get("Environment", "Variables"))
    return [each for each in named if _is_of(each, "AWS::SecretsManager::")]


def _is_host(attribute: Attribute) -> bool:
    """Whether an attribute is an endpoint's host; a port alone says nothing, it may be told beside a proxy's host."""
    name = attribute.name
    return "Endpoint" in name and not name.endswith(".Port") and _is_of(attribute, "AWS::RDS::")


def _is_of(attribute: Attribute, service: str) -> bool:
    return attribute.resource.type.startswith(service)

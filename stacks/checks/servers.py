"""Proxies and databases: what functions connect to."""

from dataclasses import dataclass
from typing import Any

from .template import Attribute, Resource
from .values import Unknown, number, truth

PORTS = {"POSTGRESQL": 5432, "MYSQL": 3306, "SQLSERVER": 1433}
DATABASES = ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster")
MYSQL = ("mysql", "mariadb", "aurora-mysql", "aurora")
DEFAULT_MAX_CONNECTIONS_PERCENT = 100
DEFAULT_BORROW_TIMEOUT = 120


@dataclass(eq=False)
class Proxy:
    """A DBProxy with its target groups, and the instances and clusters of this stage that these name."""

    resource: Resource
    groups: list[Resource]
    targets: list[Resource]

    @property
    def engine_family(self) -> Any:
        """POSTGRESQL, MYSQL or SQLSERVER."""
        return self.resource.get("EngineFamily")

    def pool(self, name: str) -> Any:
        """A setting of the pool; None when no target group sets it, Unknown when that cannot be known."""
        values = [group.get("ConnectionPoolConfigurationInfo", name) for group in self.groups]
        return next((value for value in values if value is not None), None)

    @property
    def borrow_timeout(self) -> float | None:
        """Seconds; None when that cannot be known."""
        value = self.pool("ConnectionBorrowTimeout")
        return (DEFAULT_BORROW_TIMEOUT if self.groups else None) if value is None else number(value)

    @property
    def max_connections_percent(self) -> float | None:
        """Of its target's max_connections; None when that cannot be known."""
        value = self.pool("MaxConnectionsPercent")
        return (DEFAULT_MAX_CONNECTIONS_PERCENT if self.groups else None) if value is None else number(value)


def port_of(server: Resource) -> int | None:
    """The port that a proxy or database listens on; None when that cannot be known."""
    if server.type == "AWS::RDS::DBProxy":
        return PORTS.get(str(server.get("EngineFamily")))
    value = server.get("Port")
    if value is not None:
        found = number(value)
        return None if found is None else int(found)
    engine = str(server.get("Engine"))
    return PORTS["POSTGRESQL"] if "postgres" in engine else PORTS["MYSQL"] if engine in MYSQL else None


def is_postgres(database: Resource) -> bool:
    """Whether an instance or cluster is PostgreSQL."""
    return database.get("Engine") in ("postgres", "aurora-postgresql")


def is_false(value: Any) -> bool:
    """Whether a value is known to be false; absent is false, unknown is not."""
    return not isinstance(value, Unknown) and truth(value) is False


def names(value: Any, resource: Resource, name: str, by: Resource) -> bool:
    """Whether a value of `by` is a reference to a resource, or what its property `name` says in the same place."""
    if isinstance(value, Attribute):
        return value.resource is resource
    return isinstance(value, str) and value == resource.get(name) and resource.place == by.place

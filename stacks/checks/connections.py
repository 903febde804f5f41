"""How many connections a database has, and how many clients may want one at once."""

from collections.abc import Iterable

from .classes import GIB_PER_ACU, MOST_WITH_LITTLE_MEMORY, by_formula, default_max_connections, memory_gib
from .references import mentioned
from .servers import is_postgres
from .stage import Stage
from .template import Resource
from .values import Unknown, number

SERVERLESS = "db.serverless"
SCALING = "ServerlessV2ScalingConfiguration"


def max_connections(stage: Stage, database: Resource) -> tuple[int, str] | None:
    """A PostgreSQL database's max_connections, and where the number is from; None when that cannot be known.

    Of a cluster it is that of its smallest instance, which may become the writer.
    """
    if not is_postgres(database):
        return None
    instances = [database, *stage.members_of(database)]
    if any(stage.parameter(each, "max_connections") is not None for each in instances):
        found = next((found for each in instances if (found := max_connections_by_hand(stage, each)) is not None), None)
        return None if found is None else (found, f"max_connections={found}")
    if any(_has_foreign_group(each) for each in instances):
        return None
    sizes = [_by_memory(database, each) for each in instances if _class_of(each) is not None]
    known = [size for size in sizes if size is not None]
    return min(known) if known and len(known) == len(sizes) else None


def max_connections_by_hand(stage: Stage, database: Resource) -> int | None:
    """What a parameter group says, as a number or by a formula of the memory; None when that cannot be known."""
    value = stage.parameter(database, "max_connections")
    found = number(value)
    return by_formula(value, memory_gib(_class_of(database))) if found is None else int(found)


def _class_of(instance: Resource) -> object:
    value = instance.get("DBInstanceClass")
    return instance.get("DBClusterInstanceClass") if value is None else value


def _by_memory(database: Resource, instance: Resource) -> tuple[int, str] | None:
    if _class_of(instance) == SERVERLESS:
        most, least = number(database.get(SCALING, "MaxCapacity")), number(database.get(SCALING, "MinCapacity"))
        if most is None or least is None:
            return None
        found = default_max_connections(GIB_PER_ACU * most)
        found = min(found, MOST_WITH_LITTLE_MEMORY) if least <= 0.5 else found
        return found, f"about {found} connections of {most:.10g} ACU"
    gib = memory_gib(_class_of(instance))
    if gib is None:
        return None
    found = default_max_connections(gib)
    return found, f"about {found} connections of {_class_of(instance)}"


def _has_foreign_group(instance: Resource) -> bool:
    """Whether a parameter group is made elsewhere, and so may set anything."""
    named = (instance.get("DBParameterGroupName"), instance.get("DBClusterParameterGroupName"))
    return any(each is not None and not list(mentioned(each)) and "default." not in str(each) for each in named)


def environments(functions: Iterable[Resource]) -> int | None:
    """How many connections functions may hold at once, one for each invocation; None when that cannot be known."""
    found = [_environments(each) for each in functions]
    return None if not found or None in found else int(sum(each for each in found if each is not None))


def _environments(function: Resource) -> float | None:
    if is_isolated_by_tenant(function):
        return None  # an environment for every tenant, idle ones too
    if is_managed(function):
        most = number(function.get("FunctionScalingConfig", "MaxExecutionEnvironments"))
        each = number(function.get(*CAPACITY_PROVIDER, "PerExecutionEnvironmentMaxConcurrency"))
        return None if most is None or each is None else most * each
    return number(function.get("ReservedConcurrentExecutions"))


CAPACITY_PROVIDER = ("CapacityProviderConfig", "LambdaManagedInstancesCapacityProviderConfig")


def is_managed(function: Resource) -> bool:
    """Whether a function runs on instances of the account, each environment for several invocations at once."""
    value = function.get("CapacityProviderConfig")
    return value is not None and not isinstance(value, Unknown)


def is_isolated_by_tenant(function: Resource) -> bool:
    """Whether each tenant has environments of its own."""
    return bool(function.get("TenancyConfig", "TenantIsolationMode") == "PER_TENANT")

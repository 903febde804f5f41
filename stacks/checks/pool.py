"""A: the pool of a proxy, in percent of its database's connections."""

from collections.abc import Iterator

from .alarms import PINNED, is_watched
from .classes import memory_gib, most_connections
from .connections import environments, is_isolated_by_tenant, is_managed, max_connections, max_connections_by_hand
from .references import shown
from .rule import Finding, Severity, rule
from .servers import Proxy
from .stage import Stage
from .template import Resource
from .values import number

CONNECTION_CONSIDERATIONS = 'Amazon RDS User Guide, "RDS Proxy connection considerations"'
BEST_PRACTICES = 'Amazon RDS User Guide, "Best practices for RDS Proxy"'
API = "RDS API Reference, ConnectionPoolConfiguration"
POOL = "ConnectionPoolConfigurationInfo"
NO_ROLE_CAN_USE = 5  # superuser_reserved_connections (3) and RDS's own (2)
ADMINISTRATORS = 10  # slots for migrations 2, humans 3, monitoring 2, rotation 1, spare 2
ALLOWED_MAX_CONNECTIONS = (6, 262143)
MINIMUM_PERCENT = {"micro": 30, "small": 30, "medium": 55, "large": 35}  # of T classes; of all others 20


def _at(proxy: Proxy, name: str, value: str, fix: str | None = None, severity: Severity | None = None) -> Finding:
    group = next((each for each in proxy.groups if each.get(POOL, name) is not None), None)
    resource = group or (proxy.groups[0] if proxy.groups else proxy.resource)
    return Finding(resource, f"{POOL}.{name}", value, severity, fix)


@rule(
    "A01",
    Severity.ERROR,
    "MaxIdleConnectionsPercent is at most MaxConnectionsPercent",
    fix="lower MaxIdleConnectionsPercent, or raise MaxConnectionsPercent",
    source=API,
)
def _idle_is_at_most_max(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        idle, most = number(proxy.pool("MaxIdleConnectionsPercent")), number(proxy.pool("MaxConnectionsPercent"))
        if idle is not None and most is not None and 1 <= most <= 100 and idle > most:
            yield _at(proxy, "MaxIdleConnectionsPercent", f"{idle:.10g} of at most {most:.10g}")


@rule(
    "A02",
    Severity.ERROR,
    "MaxConnectionsPercent is 1 to 100",
    fix="set a percentage of the database's max_connections",
    source=API,
)
def _percent_is_a_percentage(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        most = number(proxy.pool("MaxConnectionsPercent"))
        if most is not None and not 1 <= most <= 100:
            yield _at(proxy, "MaxConnectionsPercent", f"{most:.10g}")


@rule(
    "A03",
    Severity.ERROR,
    "MaxIdleConnectionsPercent comes with MaxConnectionsPercent",
    fix="set MaxConnectionsPercent too",
    source=API,
)
def _idle_comes_with_max(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        idle = proxy.pool("MaxIdleConnectionsPercent")
        if number(idle) is not None and proxy.pool("MaxConnectionsPercent") is None:
            yield _at(proxy, "MaxIdleConnectionsPercent", f"{shown(idle)} without MaxConnectionsPercent")


@rule(
    "A04",
    Severity.ERROR,
    f"the pool leaves {ADMINISTRATORS} connections to administrators, migrations, monitoring and rotation",
    fix="lower MaxConnectionsPercent (its default is 100)",
    source=f'{BEST_PRACTICES}; AWS re:Post, "remaining connection slots are reserved"',
)
def _pool_leaves_slots(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        percent = proxy.max_connections_percent
        if (
            percent is None
            or not 1 <= percent <= 100
            or (proxy.pool("MaxIdleConnectionsPercent") is not None and (proxy.pool("MaxConnectionsPercent") is None))
        ):
            continue  # A02 and A03 say what is wrong there
        known = max_connections(stage, proxy.targets[0]) if proxy.targets else None
        if known is None:
            if percent == 100:
                yield _at(proxy, "MaxConnectionsPercent", "100, which is every connection there is")
            continue
        most, where = known
        highest = 100 * (most - NO_ROLE_CAN_USE - ADMINISTRATORS) // most
        if percent > highest:
            pool = int(most * percent / 100)
            free = most - NO_ROLE_CAN_USE - pool
            value = f"{percent:.10g}, which of {where} is a pool of {pool} and leaves {max(free, 0)}"
            yield _at(
                proxy, "MaxConnectionsPercent", value, f"lower MaxConnectionsPercent to {max(highest, 1)} or less"
            )


@rule(
    "A05",
    Severity.WARNING,
    "MaxConnectionsPercent is at least what AWS recommends for the instance class",
    fix="raise MaxConnectionsPercent, or take a larger class",
    source=f"{CONNECTION_CONSIDERATIONS} (small 30); {BEST_PRACTICES} (T medium 55, T large 35, others 20)",
)
def _percent_is_not_too_low(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        percent = number(proxy.pool("MaxConnectionsPercent"))
        for target in proxy.targets:
            instance_class = target.get("DBInstanceClass")
            if percent is None or not isinstance(instance_class, str) or memory_gib(instance_class) is None:
                continue
            minimum = MINIMUM_PERCENT.get(instance_class.split(".")[2], 20) if instance_class[3:4] == "t" else 20
            if 1 <= percent < minimum:
                fix = f"raise MaxConnectionsPercent to {minimum} or more, or take a larger class"
                yield _at(
                    proxy, "MaxConnectionsPercent", f"{percent:.10g} of at least {minimum} for {instance_class}", fix
                )


@rule(
    "A07",
    Severity.WARNING,
    "where functions can outnumber the pool's connections, an alarm tells of pinned sessions",
    fix=f"add an alarm on {PINNED}, or raise the pool, or reserve less concurrency",
    source=CONNECTION_CONSIDERATIONS,
)
def _multiplexing_is_watched(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        pool, clients = pool_and_clients(stage, proxy)
        if pool is not None and clients is not None and clients > pool and not is_watched(stage, proxy):
            yield _at(proxy, "MaxConnectionsPercent", f"a pool of {pool} for {clients} functions at once, and no alarm")


def pool_and_clients(stage: Stage, proxy: Proxy) -> tuple[int | None, int | None]:
    """Connections that a proxy may hold open, and functions that may want one at once; None where unknown."""
    known = max_connections(stage, proxy.targets[0]) if proxy.targets else None
    percent = proxy.max_connections_percent
    is_known = known is not None and percent is not None and 1 <= percent <= 100
    pool = int(known[0] * percent / 100) if is_known and known and percent else None
    return pool, environments(stage.users_of(proxy.resource))


@rule(
    "A09",
    Severity.ERROR,
    "the pools of all proxies of a database are at most 100 % of its connections",
    fix="use one proxy for the database; it is redundant as it is",
    source=BEST_PRACTICES,
)
def _one_proxy_per_database(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        proxies = stage.proxies_of(database)
        percents = [proxy.max_connections_percent for proxy in proxies]
        conditions = {each.resource.body.get("Condition") for each in proxies} - {None}
        if len(proxies) < 2 or None in percents or len(conditions) > 1:
            continue  # of proxies with conditions of their own, one may be instead of the other
        total = sum(percent for percent in percents if percent is not None)
        value = f"{', '.join(proxy.resource.id for proxy in proxies)} together take {total:.10g} % of {database.id}"
        yield _at(proxies[-1], "MaxConnectionsPercent", value, None, None if total > 100 else Severity.WARNING)


@rule(
    "A10",
    Severity.ERROR,
    "without a proxy, the functions of a database are fewer than its connections",
    fix="reserve less concurrency, take a larger class, or put a proxy between",
    source='AWS re:Post, "remaining connection slots are reserved"',
)
def _direct_functions_fit(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        known, clients = max_connections(stage, database), environments(stage.users_of(database))
        if known is None or clients is None:
            continue
        free = known[0] - NO_ROLE_CAN_USE - ADMINISTRATORS
        if clients > free:
            value = f"{clients} functions at once for {max(free, 0)} connections ({known[1]}, less {known[0] - free})"
            yield Finding(_greatest(stage.users_of(database)), "ReservedConcurrentExecutions", value)


def _greatest(functions: list[Resource]) -> Resource:
    return max(functions, key=lambda each: number(each.get("ReservedConcurrentExecutions")) or 0)


@rule(
    "A12",
    Severity.WARNING,
    "MaxIdleConnectionsPercent is more than 0 and less than MaxConnectionsPercent",
    fix="set MaxIdleConnectionsPercent to about half of MaxConnectionsPercent",
    source=BEST_PRACTICES,
)
def _idle_is_between(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        idle, most = number(proxy.pool("MaxIdleConnectionsPercent")), number(proxy.pool("MaxConnectionsPercent"))
        if idle is None or most is None:
            continue
        if idle <= 0:
            yield _at(proxy, "MaxIdleConnectionsPercent", f"{idle:.10g}: every burst opens its connections anew")
        elif idle == most:
            yield _at(
                proxy, "MaxIdleConnectionsPercent", f"{idle:.10g}, as MaxConnectionsPercent: idle ones are kept open"
            )


@rule(
    "A13",
    Severity.ERROR,
    "max_connections is 6 to 262143, and not more than the instance class has memory for",
    fix="lower max_connections in the parameter group, or take a larger class",
    source='Amazon RDS User Guide, "Quotas and constraints for Amazon RDS"',
)
def _max_connections_fit_the_class(stage: Stage) -> Iterator[Finding]:
    low, high = ALLOWED_MAX_CONNECTIONS
    for database in stage.databases:
        if database.get("Engine") != "postgres":
            continue
        most, gib = max_connections_by_hand(stage, database), memory_gib(database.get("DBInstanceClass"))
        group = next(iter(stage.parameter_groups(database)), database)
        if most is not None and not low <= most <= high:
            yield Finding(group, "Parameters.max_connections", f"{most:.10g}")
        elif most is not None and gib is not None and most > most_connections(gib):
            size = f"{gib:.10g} GiB of {database.get('DBInstanceClass')}"
            value = f"{most:.10g} of at most {most_connections(gib)} for {size}"
            yield Finding(group, "Parameters.max_connections", value)


@rule(
    "A16",
    Severity.ERROR,
    "a function on managed instances that uses the database has a bound: environments times their concurrency",
    fix="set FunctionScalingConfig.MaxExecutionEnvironments and PerExecutionEnvironmentMaxConcurrency: Python has a "
    "process, and so a connection, for each",
    source='AWS Lambda Developer Guide, "Lambda Managed Instances"',
)
def _managed_instances_are_bounded(stage: Stage) -> Iterator[Finding]:
    most = ("FunctionScalingConfig", "MaxExecutionEnvironments")
    for function in filter(is_managed, stage.database_functions):
        if function.get(*most) is None:
            value = "not set: as many connections as the capacity provider grows to have environments for"
            yield Finding(function, ".".join(most), value)


@rule(
    "A17",
    Severity.ERROR,
    "a function with an environment for every tenant does not go to a database without a proxy",
    fix="put a proxy between: reserved concurrency bounds what runs, and idle tenants' environments keep connections",
    source='AWS Lambda Developer Guide, "Tenant isolation"',
)
def _tenants_do_not_hold_connections(stage: Stage) -> Iterator[Finding]:
    for function in filter(is_isolated_by_tenant, stage.database_functions):
        for database in stage.databases:
            if database in stage.uses[function]:
                yield Finding(function, "TenancyConfig.TenantIsolationMode", f"PER_TENANT, straight into {database.id}")

"""What is alarmed of RDS Proxy and PostgreSQL, at which threshold, and why: from the connection budget.

Thresholds that are AWS's own recommendation say so; the others follow from the budget.
Source: Amazon CloudWatch User Guide, "Recommended alarms"; Amazon RDS User Guide, "Monitoring RDS Proxy metrics".
"""

from collections.abc import Iterator

from stacks.alarm_plan import DATABASE, PROXY, TARGET, AlarmPlan, api_alarms, function_alarms, share
from stacks.capacity import Budget
from stacks.config import Environment

GIBIBYTE = 2**30
MICROSECONDS = 1_000_000
ROTATION_FAILED = AlarmPlan(
    id="RotationFailed", about="rotation", metric="Errors", statistic="Sum", threshold=0, minutes=1, of=1,
    page="rotation", why="a password was not changed: the old one still works",
)  # fmt: skip


def every_alarm_plan(environment: Environment, budget: Budget) -> list[AlarmPlan]:
    """The alarms of both stacks: of the data stack, only the rotation's, where there are passwords."""
    found = alarm_plans(budget, environment.store.allocated_storage_gib)
    return [*found, ROTATION_FAILED] if budget.plan.credentials == "secrets" else found


def alarm_plans(budget: Budget, allocated_storage_gib: int) -> list[AlarmPlan]:
    """The alarms of the service stack, in the order of the path from the API to the database."""
    function = function_alarms(budget.concurrency, budget.deadline, budget.plan.account_concurrency)
    return [*api_alarms(budget.deadline), *function, *_proxy(budget), *_database(budget, allocated_storage_gib)]


def pinned_threshold(budget: Budget) -> int:
    """Pinned sessions from which sharing connections fails: a tenth of what there can be, and three at least.

    There can be no more than clients, however large the pool is.
    """
    return max(3, min(budget.pool, budget.clients) // 10)


def busy_threshold(budget: Budget) -> int:
    """Server connections from which the pool is nearly full: 80 % of it."""
    return budget.pool * 8 // 10


def _proxy(budget: Budget) -> Iterator[AlarmPlan]:
    yield AlarmPlan(
        id="ProxyClients", about=PROXY, metric="ClientConnections", statistic="Sum", threshold=budget.clients,
        minutes=15, of=15, page="exhaustion",
        why="there are more clients than environments, for longer than a deployment takes: a leak, or somebody else",
    )  # fmt: skip
    yield AlarmPlan(
        id="ProxyPlainClients", about=PROXY, metric="ClientConnectionsNoTLS", statistic="Sum", threshold=0,
        minutes=1, of=1, page="authentication", why="a client speaks without TLS, which the proxy must not allow",
    )  # fmt: skip
    yield AlarmPlan(
        id="ProxyAuthentication", about=PROXY, metric="ClientConnectionsSetupFailedAuth", statistic="Sum", threshold=0,
        minutes=3, page="authentication", why="clients are refused: their token, the secret, or TLS",
    )  # fmt: skip
    yield AlarmPlan(
        id="ProxyBorrowLatency", about=PROXY, metric="DatabaseConnectionsBorrowLatency", statistic="Average",
        threshold=MICROSECONDS // 10, minutes=3, of=3, page="exhaustion",
        why="clients wait 0.1 s for a server connection (microseconds); "
        f"the proxy refuses them after {budget.connection_borrow_timeout} s",
    )  # fmt: skip
    yield AlarmPlan(
        id="ProxyPinnedSessions", about=PROXY, metric="DatabaseConnectionsCurrentlySessionPinned", statistic="Sum",
        threshold=pinned_threshold(budget), page="pinning",
        why=f"sessions of {budget.clients} clients keep server connections to themselves instead of sharing them",
    )  # fmt: skip
    yield AlarmPlan(
        id="ProxyConnections", about=PROXY, metric="DatabaseConnections", statistic="Sum",
        threshold=busy_threshold(budget), minutes=3, of=3, page="exhaustion",
        why=f"80 % of the pool of {budget.pool} are open; the plan needs {budget.needed}",
    )  # fmt: skip
    yield AlarmPlan(
        id="ProxyBusy", about=PROXY, metric="DatabaseConnectionsCurrentlyBorrowed", statistic="Sum",
        threshold=budget.needed, minutes=15, of=15, page="numbers",
        why="more server connections are in use than the plan needs: its durations are no longer true, measure again",
    )  # fmt: skip
    yield AlarmPlan(
        id="ProxyAllowed", about=PROXY, metric="MaxDatabaseConnectionsAllowed", statistic="Sum",
        threshold=budget.needed, below=True, page="scaling",
        why="the proxy may open fewer connections than the plan needs: the instance has become smaller",
    )  # fmt: skip
    yield AlarmPlan(
        id="ProxySetupFailed", about=PROXY, metric="DatabaseConnectionsSetupFailed", statistic="Sum", threshold=0,
        minutes=3, page="rotation", why="the proxy cannot log in to the database: its secret, or the database is away",
    )  # fmt: skip
    yield AlarmPlan(
        id="ProxyAvailability", about=TARGET, metric="AvailabilityPercentage", statistic="Average", threshold=100,
        below=True, minutes=3, of=3, page="failover", why="the proxy does not reach the database",
    )  # fmt: skip


def _database(budget: Budget, allocated_storage_gib: int) -> Iterator[AlarmPlan]:
    size = budget.instance_class
    yield AlarmPlan(
        id="DatabaseConnections", about=DATABASE, metric="DatabaseConnections", statistic="Maximum",
        threshold=share(budget.max_connections, 90), page="exhaustion",
        why=f"90 % of max_connections={budget.max_connections} are in use (AWS's recommendation)",
    )  # fmt: skip
    yield AlarmPlan(
        id="DatabaseCpu", about=DATABASE, metric="CPUUtilization", statistic="Average", threshold=90,
        page="scaling", why="the CPU is busy (percent; AWS's recommendation)",
    )  # fmt: skip
    yield AlarmPlan(
        id="DatabaseLoad", about=DATABASE, metric="DBLoad", statistic="Average", threshold=size.vcpus,
        minutes=15, of=15, page="scaling", why=f"more sessions want to run than there are vCPUs ({size.vcpus})",
    )  # fmt: skip
    yield AlarmPlan(
        id="DatabaseMemory", about=DATABASE, metric="FreeableMemory", statistic="Average", below=True,
        # AWS recommends 25 %, but instances of 2 GiB and less are idle with less than that
        threshold=share(size.memory_gib * GIBIBYTE, 10 if size.memory_gib <= 2 else 25),
        minutes=15, of=15, page="scaling", why=f"memory runs out (bytes, of {size.memory_gib} GiB)",
    )  # fmt: skip
    yield AlarmPlan(
        id="DatabaseStorage", about=DATABASE, metric="FreeStorageSpace", statistic="Minimum", below=True,
        threshold=share(allocated_storage_gib * GIBIBYTE, 5), page="scaling",
        why="storage runs out (bytes); autoscaling should have added some at 10 %, once in six hours",
    )  # fmt: skip
    yield AlarmPlan(
        id="DatabaseTransactionIds", about=DATABASE, metric="MaximumUsedTransactionIDs", statistic="Maximum",
        threshold=1_000_000_000, page="scaling", why="vacuum does not keep up (AWS's recommendation)",
    )  # fmt: skip
    if size.burstable:
        yield AlarmPlan(
            id="DatabaseCredits", about=DATABASE, metric="CPUSurplusCreditsCharged", statistic="Maximum", threshold=0,
            page="scaling", why="CPU credits are used up, and more are billed",
        )  # fmt: skip

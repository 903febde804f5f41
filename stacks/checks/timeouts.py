"""C: who waits for whom, and who gives up first: client < proxy < database < function < API."""

from collections.abc import Iterator

from .apis import integrations
from .pool import POOL, pool_and_clients
from .rule import Finding, Severity, rule
from .servers import Proxy, is_postgres
from .stage import Stage
from .template import Resource
from .values import number

API = "RDS API Reference, ConnectionPoolConfiguration"
LAYERS = 'Amazon RDS User Guide, "Best practices for RDS Proxy", configuration guidelines'
BORROW = f"{POOL}.ConnectionBorrowTimeout"
LONGEST_BORROW = 300
IDLE_CLIENT = (60, 28800)
DEFAULT_IDLE_CLIENT = 1800
LONGEST_IDLE_WITHOUT_ENOUGH = 900
LONGEST_BEHIND_AN_API = 60


@rule(
    "C01",
    Severity.ERROR,
    "ConnectionBorrowTimeout is 0 to 300 seconds",
    fix="set a borrow timeout of a few seconds, less than the function's timeout",
    source=API,
)
def _borrow_timeout_is_allowed(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        borrow = proxy.borrow_timeout
        if borrow is not None and not 0 <= borrow <= LONGEST_BORROW:
            yield Finding(_group(proxy), BORROW, f"{borrow:.10g} s")


def _group(proxy: Proxy) -> Resource:
    return proxy.groups[0] if proxy.groups else proxy.resource


@rule(
    "C02",
    Severity.WARNING,
    "ConnectionBorrowTimeout is not 0, which fails requests while the pool could still grow",
    fix="set a borrow timeout of a few seconds",
    source=LAYERS,
)
def _borrow_timeout_is_not_zero(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        if proxy.borrow_timeout == 0:
            yield Finding(_group(proxy), BORROW, "0 s")


@rule(
    "C03",
    Severity.ERROR,
    "a function lives longer than it may wait for a connection",
    fix="set the proxy's borrow timeout (its default is 120 s) to a few seconds, or raise the function's timeout",
    source=LAYERS,
)
def _function_outlives_borrow(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        borrow = proxy.borrow_timeout
        if borrow is None or borrow > LONGEST_BORROW:
            continue
        for function in stage.users_of(proxy.resource):
            timeout = stage.timeout(function)
            if timeout is not None and borrow >= timeout:
                value = f"{borrow:.10g} s, and {function.id} ends after {timeout:.10g} s"
                yield Finding(_group(proxy), BORROW, value)


@rule(
    "C04",
    Severity.ERROR,
    "a function ends a second before its API gives up",
    fix="lower the function's timeout: an HTTP API waits 30 s, a REST API 29 s unless its integration says otherwise",
    source='API Gateway Developer Guide, "Quotas"',
)
def _function_ends_before_the_api(stage: Stage) -> Iterator[Finding]:
    seen: set[Resource] = set()
    for each in integrations(stage):
        timeout, limit = stage.timeout(each.function), each.timeout
        if each.function in seen or timeout is None or limit is None or each.is_asynchronous:
            continue
        if timeout + 1 > limit:
            seen.add(each.function)
            value = f"{timeout:.10g} s behind {each.resource.id}, which gives up after {limit:.10g} s"
            severity = None if each.function in stage.database_functions else Severity.WARNING
            yield Finding(each.function, "Timeout", value, severity, f"set {limit - 1:.10g} s or less")


@rule(
    "C07",
    Severity.ERROR,
    "IdleClientTimeout is 60 to 28800 seconds",
    fix="set an idle client timeout of 5 to 30 minutes",
    source="RDS API Reference, CreateDBProxy",
)
def _idle_client_timeout_is_allowed(stage: Stage) -> Iterator[Finding]:
    low, high = IDLE_CLIENT
    for proxy in stage.proxies:
        idle = number(proxy.resource.get("IdleClientTimeout"))
        if idle is not None and not low <= idle <= high:
            yield Finding(proxy.resource, "IdleClientTimeout", f"{idle:.10g} s")


@rule(
    "C09",
    Severity.WARNING,
    "where functions can outnumber the pool's connections, idle clients go after 15 minutes at most",
    fix="set IdleClientTimeout (its default is 1800 s) to 900 s or less: a frozen function keeps what it pinned",
    source='Amazon RDS User Guide, "RDS Proxy connection considerations"',
)
def _idle_clients_go(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        value = proxy.resource.get("IdleClientTimeout")
        idle = DEFAULT_IDLE_CLIENT if value is None else number(value)
        pool, clients = pool_and_clients(stage, proxy)
        if idle is None or pool is None or clients is None or not LONGEST_IDLE_WITHOUT_ENOUGH < idle <= IDLE_CLIENT[1]:
            continue
        if clients > pool:
            found = f"{idle:.10g} s, with a pool of {pool} for {clients} functions at once"
            yield Finding(proxy.resource, "IdleClientTimeout", found)


@rule(
    "C10",
    Severity.ERROR,
    "a statement ends before the function that waits for it",
    fix="set statement_timeout (milliseconds) below the function's timeout: a proxy cannot cancel a statement",
    source='Amazon RDS User Guide, "RDS Proxy limitations for RDS for PostgreSQL"',
)
def _statements_end(stage: Stage) -> Iterator[Finding]:
    for database in filter(is_postgres, stage.databases):
        limit = number(stage.parameter(database, "statement_timeout"))
        if limit is None or limit < 0:
            continue  # not set here: a role may set it
        users = [*stage.users_of(database)]
        for proxy in stage.proxies_of(database):
            users += stage.users_of(proxy.resource)
        for function in users:
            timeout = stage.timeout(function)
            if timeout is not None and (limit == 0 or limit >= timeout * 1000):
                ends = f"{limit:.10g} ms" if limit else "0, which is never"
                value = f"{ends}, and {function.id} ends after {timeout:.10g} s"
                yield Finding(_parameters(stage, database), "Parameters.statement_timeout", value)
                break


def _parameters(stage: Stage, database: Resource) -> Resource:
    return next(iter(stage.parameter_groups(database)), database)


@rule(
    "C11",
    Severity.WARNING,
    "a transaction that its client forgot is ended",
    fix="set idle_in_transaction_session_timeout to some seconds (milliseconds in the parameter group), not to 0",
    source=LAYERS,
)
def _idle_transactions_end(stage: Stage) -> Iterator[Finding]:
    for database in filter(is_postgres, stage.databases):
        name = "idle_in_transaction_session_timeout"
        if number(stage.parameter(database, name)) == 0:
            yield Finding(_parameters(stage, database), f"Parameters.{name}", "0, which is never")


@rule(
    "C13",
    Severity.WARNING,
    "a function that uses the database has a timeout of its own, and behind an API at most 60 s",
    fix="set the function's timeout; Lambda's default of 3 s is less than one slow connect",
    source="cdk-nag, LambdaDefaultTimeout",
)
def _function_has_a_timeout(stage: Stage) -> Iterator[Finding]:
    behind = {each.function for each in integrations(stage) if not each.is_asynchronous}
    for function in stage.database_functions:
        timeout = number(function.get("Timeout"))
        if function.get("Timeout") is None:
            yield Finding(function, "Timeout", "not set, so 3 s")
        elif timeout is not None and function in behind and timeout > LONGEST_BEHIND_AN_API:
            yield Finding(function, "Timeout", f"{timeout:.10g} s behind an API")

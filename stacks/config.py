"""What an environment is made of. An impossible value is refused when it is built, everything wrong in one message."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field, is_dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, Protocol

from typing_extensions import TypeVar

from stacks.budget.plan import (
    CREDENTIALS,
    HTTP_API_TIMEOUT_SECONDS,
    Plan,
    Workload,
    bad_address,
    check,
    durations,
    limited,
    unknown_class,
)
from stacks.budget.rules import refuse_budget
from stacks.capacity import Budget
from stacks.refusal import above, flag, like, of_kind, one_of, refuse, whole
from stacks.runtime import Runtime, runtimes

NO_WORKLOAD = {"memory_mb", "runtime"}  # what of Function says nothing about connections
PROXY_PORT = 5432  # RDS Proxy for PostgreSQL listens on nothing else
MIGRATIONS_CONCURRENCY = 1  # what the migration function reserves
ROTATION_CONCURRENCY = 2  # and the rotation function, where there are two passwords
ROTATION_DAYS = 30
SUBNET_PREFIX = 24  # 251 addresses; RDS Proxy wants 110 in front of the largest instance class
# fmt: off
LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180,
    365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Pool:
    """How RDS Proxy pools connections to the database. What is left out follows from the rest: see Environment.budget.

    Percentages are of the database's max_connections. `connection_borrow_timeout` (seconds) is how long a client waits
    for a free connection, `idle_client_timeout` (seconds) how long a silent client stays connected.
    Source: Amazon RDS User Guide, "RDS Proxy connection considerations"; API reference, ConnectionPoolConfiguration.
    """

    max_connections_percent: int | None = None
    max_idle_connections_percent: int | None = None
    connection_borrow_timeout: int | None = None
    idle_client_timeout: int | None = None
    debug_logging: bool = False  # logs the text of every statement, and costs

    def __post_init__(self) -> None:
        refuse(
            "Pool",
            [
                *limited(self, "max_connections_percent", "max_idle_connections_percent"),
                f"max_idle_connections_percent is {self.max_idle_connections_percent}, allowed is at most "
                f"max_connections_percent ({self.max_connections_percent}): lower it, or raise the other"
                if above(self.max_idle_connections_percent, self.max_connections_percent)
                else None,
                *limited(self, "connection_borrow_timeout", "idle_client_timeout"),
                flag("debug_logging", self.debug_logging),
            ],
        )


@dataclass(frozen=True, kw_only=True)
class RdsPostgres:
    """A PostgreSQL instance on RDS behind one RDS Proxy.

    `instance` is the class without its "db." prefix. `max_connections` is left to the class unless it is given.
    `statement_timeout_seconds` is the application user's: the proxy cannot cancel what a client no longer waits for; it
    follows from the function's deadline unless it is given. `administrators` are connections that stay free of the
    proxy's: migrations 2, people 3, monitoring 2, rotation 1, spare 2. `master_user` is named for the service unless it
    is given: see Environment.master_user.
    """

    stacks: ClassVar[str] = "stacks.postgres.stacks:STACKS"
    report: ClassVar[str] = "stacks.postgres.report:PostgresReport"
    code: ClassVar[str] = "lambda_src.projects.postgres_store"

    instance: str
    pool: Pool = field(default_factory=Pool)
    version: str = "18.6"
    credentials: str = "secrets"
    rotation_days: int | None = None
    multi_az: bool = False
    backup_retention_days: int = 7
    allocated_storage_gib: int = 20
    max_allocated_storage_gib: int = 100
    max_connections: int | None = None
    statement_timeout_seconds: int | None = None
    administrators: int = 10
    port: int = PROXY_PORT
    master_user: str | None = None

    def __post_init__(self) -> None:
        refuse("RdsPostgres", self._problems())

    def _problems(self) -> Iterable[str | None]:
        yield like(
            "instance",
            self.instance,
            r"(?!db\.)[a-z][a-z0-9-]*\.[a-z0-9]+",
            "a class such as t4g.micro, without the prefix db.",
        ) or unknown_class(self.instance)
        yield like(
            "version",
            self.version,
            r"1[678]\.\d+",
            "a minor version from 16 (migrations need its GRANT … WITH SET) to 18 (RDS Proxy's last), such as 18.6",
        )
        yield of_kind("pool", self.pool, Pool)
        yield one_of("credentials", self.credentials, CREDENTIALS)
        yield self._credentials_problem()
        yield flag("multi_az", self.multi_az)
        yield whole("backup_retention_days", self.backup_retention_days, 0, 35, "days")
        yield whole("allocated_storage_gib", self.allocated_storage_gib, 20, 65536, "GiB for gp3")
        yield whole("max_allocated_storage_gib", self.max_allocated_storage_gib, 22, 65536, "GiB")
        if above(self.allocated_storage_gib, self.max_allocated_storage_gib, times=1.1):
            yield (
                f"max_allocated_storage_gib is {self.max_allocated_storage_gib}, allowed is 10 % above "
                f"allocated_storage_gib ({self.allocated_storage_gib}) and more: raise it, or storage cannot grow"
            )
        yield from limited(self, "max_connections", "statement_timeout_seconds", "administrators")
        yield whole("port", self.port, 1150, 65535)
        if self.master_user is not None:
            yield bad_master_user(self.master_user)

    @property
    def uses_iam(self) -> bool:
        """Whether users log in to the instance with IAM tokens, and no password exists."""
        return self.credentials == "iam"

    @property
    def days_between_rotations(self) -> int:
        """How often passwords change, where there are any."""
        return ROTATION_DAYS if self.rotation_days is None else self.rotation_days

    def _credentials_problem(self) -> str | None:
        if not self.uses_iam:
            return None if self.rotation_days is None else whole("rotation_days", self.rotation_days, 1, 365, "days")
        if self.rotation_days is not None:
            return (
                f"rotation_days is {self.rotation_days} and credentials is 'iam', where there is no password to rotate "
                "(and alternating users would change the user's name, for which a token is made): leave it out"
            )
        return None


@dataclass(frozen=True, kw_only=True)
class Function:
    """The function behind the API: how much of it, how long it takes, and how patient it is.

    An invocation takes `seconds`, of which `seconds_in_database` are spent in statements and transactions: averages, to
    be measured. `requests_per_second` is what is expected at the peak, if that is known. `keeps_session_state` says
    that the code uses SET, temporary tables, LISTEN, cursors or prepared statements: each pins its session.
    `deadline_seconds` is for all attempts of one request, `connect_timeout_seconds` for one attempt to connect (libpq
    takes 1 for 2). A connection older than `connection_max_age_seconds` is replaced before it is used. `runtime` is
    what it is written in: see stacks/runtime.py.
    """

    reserved_concurrency: int
    runtime: str = "python"
    seconds: float = 0.080
    seconds_in_database: float = 0.020
    requests_per_second: float | None = None
    keeps_session_state: bool = False
    memory_mb: int = 512
    timeout_seconds: int = 25
    connect_timeout_seconds: int = 2
    deadline_seconds: int = 3
    connection_max_age_seconds: int = 240

    def __post_init__(self) -> None:
        longest = HTTP_API_TIMEOUT_SECONDS - 1
        refuse(
            "Function",
            [
                whole("reserved_concurrency", self.reserved_concurrency, 1, 10000),
                one_of("runtime", self.runtime, runtimes()),
                *durations(self.seconds, self.seconds_in_database, self.requests_per_second),
                flag("keeps_session_state", self.keeps_session_state),
                whole("memory_mb", self.memory_mb, 128, 10240, "MB"),
                whole("timeout_seconds", self.timeout_seconds, 2, longest, "seconds (an HTTP API gives up at 30)"),
                whole("connect_timeout_seconds", self.connect_timeout_seconds, 2, 5, "seconds"),
                whole("deadline_seconds", self.deadline_seconds, 1, longest, "seconds"),
                whole("connection_max_age_seconds", self.connection_max_age_seconds, 1, 86399, "seconds"),
                f"connect_timeout_seconds is {self.connect_timeout_seconds}, allowed is at most deadline_seconds "
                f"({self.deadline_seconds}): lower it, or raise the deadline"
                if above(self.connect_timeout_seconds, self.deadline_seconds)
                else None,
                f"deadline_seconds is {self.deadline_seconds}, allowed is less than timeout_seconds "
                f"({self.timeout_seconds}): lower it, or the function ends before it can answer 503"
                if not above(self.timeout_seconds, self.deadline_seconds)
                else None,
            ],
        )


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """What the API lets through: requests a second, and how many at once; left out, what the function can serve."""

    rate: int | None = None
    burst: int | None = None

    def __post_init__(self) -> None:
        refuse(
            "Throttle",
            [
                each and each.removeprefix("throttle_")
                for each in (check("throttle_rate", self.rate), check("throttle_burst", self.burst))
            ],
        )


class AnyStore(Protocol):
    """What every store says of itself: by name, so that what an environment has no use for is not imported.

    `stacks` is a stacks.stage.Stacks, `report` makes a stacks.budget.report.Report. `code` is the module of the
    function in Python with connect(); the function finds it in its environment variable STORE.
    """

    stacks: ClassVar[str]
    report: ClassVar[str]
    code: ClassVar[str]


Store = TypeVar("Store", bound=AnyStore, default=RdsPostgres)


@dataclass(frozen=True, kw_only=True)
class Environment(Generic[Store]):
    """One deployment of the service, whose connection budget holds: one that does not is refused when it is built.

    `store` is RdsPostgres, or that of an option (stacks/options); no other has connections to count.

    `retain` keeps its data: deletion protection, a final snapshot, termination protection, and logs and secrets that
    outlive their stack. `account_concurrency` is its account's quota of concurrent executions. `alarm_address` is an
    e-mail address that alarms are sent to; `runbook` is what they refer to, best as an address on a Git host.
    `prod` is the one name that means something: findings about availability are errors there.
    """

    service: str
    name: str
    region: str
    retain: bool
    store: Store
    api: Function
    throttle: Throttle = field(default_factory=Throttle)
    runtime: Runtime = field(default_factory=Runtime)
    cidr: str = "10.0.0.0/20"
    availability_zones: int = 2
    log_retention_days: int = 30
    account_concurrency: int | None = None
    alarm_address: str | None = None
    runbook: str = "docs/runbook.md"

    def __post_init__(self) -> None:
        refuse(str(self.name), self._problems())
        if isinstance(self.store, RdsPostgres):
            refuse_budget(self.budget)

    @property
    def prefix(self) -> str:
        """What its stacks' names begin with: unique in an account and region, as stacks' names must be."""
        return f"{self.service}-{self.name}"

    @property
    def master_user(self) -> str:
        """Who owns the instance: <service>_master, unless the store names another. A new name means a new instance."""
        given = self.store.master_user if isinstance(self.store, RdsPostgres) else None
        return given or f"{self.service.replace('-', '_')}_master"

    @cached_property
    def budget(self) -> Budget:
        """Its connection budget: the numbers of connections, requests and seconds that stacks and documents use."""
        if isinstance(self.store, RdsPostgres):
            return Budget.of(self._plan(self.store))
        raise ValueError(f"{self.name} has no connection budget: its store is {type(self.store).__name__}")

    def _plan(self, store: RdsPostgres) -> Plan:
        pool, api = store.pool, self.api
        return Plan(
            environment=self.name,
            workloads=(Workload(**{name: getattr(api, name) for name in vars(api) if name not in NO_WORKLOAD}),),
            instance=store.instance,
            max_connections=store.max_connections,
            max_connections_percent=pool.max_connections_percent,
            max_idle_connections_percent=pool.max_idle_connections_percent,
            connection_borrow_timeout=pool.connection_borrow_timeout,
            idle_client_timeout=pool.idle_client_timeout,
            statement_timeout_seconds=store.statement_timeout_seconds,
            throttle_rate=self.throttle.rate,
            throttle_burst=self.throttle.burst,
            administrators=store.administrators,
            account_concurrency=self.account_concurrency,
            other_concurrency=concurrency_beside_the_api(store.credentials),
            credentials=store.credentials,
            multi_az=store.multi_az,
            retain=self.retain,
            backup_retention_days=store.backup_retention_days,
            debug_logging=pool.debug_logging,
            alarm_address=self.alarm_address,
        )

    def _problems(self) -> Iterable[str | None]:
        words = r"(?=.{1,24}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"  # also part of the names of the instance and the proxy
        bad_service = like(
            "service", self.service, words, "1 to 24 of a-z, 0-9 and single hyphens, beginning with a letter"
        )
        yield bad_service
        if isinstance(self.store, RdsPostgres) and not bad_service:
            yield bad_master_user(self.master_user)
        yield like("name", self.name, words, "1 to 24 of a-z, 0-9 and single hyphens, beginning with a letter")
        yield like("region", self.region, r"[a-z]{2,3}(-[a-z]+)+-\d", "a region such as eu-west-1")
        yield flag("retain", self.retain)
        if not is_dataclass(self.store) or isinstance(self.store, type):
            yield f"store is {self.store!r}, allowed is a store such as RdsPostgres(…)"
        yield of_kind("api", self.api, Function)
        yield of_kind("throttle", self.throttle, Throttle)
        yield of_kind("runtime", self.runtime, Runtime)
        zones = whole("availability_zones", self.availability_zones, 2, 3, "(RDS Proxy wants two)")
        yield zones or self._network_problem()
        yield one_of("log_retention_days", self.log_retention_days, LOG_RETENTION_DAYS)
        if isinstance(self.store, RdsPostgres) and self.store.port != PROXY_PORT and self.name != "local":
            yield (
                f"store.port is {self.store.port}, allowed is {PROXY_PORT} outside the environment local, "
                f"since RDS Proxy for PostgreSQL listens on {PROXY_PORT} only: leave it out"
            )
        yield from limited(self, "account_concurrency")
        yield bad_address(self.alarm_address)
        yield like("runbook", self.runbook, r"\S+", "a path or an address of this folder's docs/runbook.md")

    def _network_problem(self) -> str | None:
        allowed = (
            f"a private network that holds {self.availability_zones} subnets /{SUBNET_PREFIX}, such as 10.0.0.0/20"
        )
        try:
            network = ipaddress.IPv4Network(self.cidr)
        except ValueError as error:
            return f"cidr is {self.cidr!r} ({error}), allowed is {allowed}"
        fits = (
            16 <= network.prefixlen <= SUBNET_PREFIX
            and 2 ** (SUBNET_PREFIX - network.prefixlen) >= self.availability_zones
        )
        return None if fits and network.is_private else f"cidr is {self.cidr!r}, allowed is {allowed}"


def concurrency_beside_the_api(credentials: str) -> int:
    """What functions reserve that do not use the proxy: migrations, and rotation where there are passwords."""
    return MIGRATIONS_CONCURRENCY + (0 if credentials == "iam" else ROTATION_CONCURRENCY)


def bad_master_user(name: object) -> str | None:
    """Nothing, or why PostgreSQL on RDS, or the migrations, can have no master user of this name."""
    return like(
        "master_user",
        name,
        r"(?!pg_|rds|(?:application|migrator|owner)$)[a-z][a-z0-9_]{0,62}",
        "lower case, not beginning with pg_ or rds, and no role of the migrations (application, migrator, owner)",
    )


def on_postgres(environments: Iterable[Environment[Any]]) -> list[Environment[RdsPostgres]]:
    """The environments that have connections to count."""
    return [each for each in environments if isinstance(each.store, RdsPostgres)]

"""What an environment is made of. An impossible value is refused when it is built, everything wrong in one message."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from stacks.refusal import above, flag, like, one_of, refuse, whole
from stacks.runtime import Runtime

PROXY_PORT = 5432  # RDS Proxy for PostgreSQL listens on nothing else
HTTP_API_TIMEOUT_SECONDS = 30  # hard limit of an HTTP API's integration
SUBNET_PREFIX = 24  # 251 addresses; RDS Proxy wants 110 in front of the largest instance class
# fmt: off
LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180,
    365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Pool:
    """How RDS Proxy pools connections to the database.

    Percentages are of the database's max_connections. `connection_borrow_timeout` (seconds) is how long a client waits
    for a free connection, `idle_client_timeout` (seconds) how long a silent client stays connected.
    Source: Amazon RDS User Guide, "RDS Proxy connection considerations"; API reference, ConnectionPoolConfiguration.
    """

    max_connections_percent: int
    max_idle_connections_percent: int
    connection_borrow_timeout: int = 5
    idle_client_timeout: int = 900
    debug_logging: bool = False  # logs the text of every statement, and costs

    def __post_init__(self) -> None:
        refuse(
            "Pool",
            [
                whole("max_connections_percent", self.max_connections_percent, 1, 100),
                whole("max_idle_connections_percent", self.max_idle_connections_percent, 0, 100),
                f"max_idle_connections_percent is {self.max_idle_connections_percent}, allowed is at most "
                f"max_connections_percent ({self.max_connections_percent}): lower it, or raise the other"
                if above(self.max_idle_connections_percent, self.max_connections_percent)
                else None,
                whole("connection_borrow_timeout", self.connection_borrow_timeout, 0, 300, "seconds"),
                whole("idle_client_timeout", self.idle_client_timeout, 60, 28800, "seconds"),
                flag("debug_logging", self.debug_logging),
            ],
        )


@dataclass(frozen=True, kw_only=True)
class RdsPostgres:
    """A PostgreSQL instance on RDS behind one RDS Proxy.

    `instance` is the class without its "db." prefix. `max_connections` is left to the class unless it is given.
    `statement_timeout_seconds` is the application user's: the proxy cannot cancel what a client no longer waits for.
    """

    instance: str
    pool: Pool
    version: str = "18.6"
    credentials: str = "secrets"
    multi_az: bool = False
    backup_retention_days: int = 7
    allocated_storage_gib: int = 20
    max_allocated_storage_gib: int = 100
    max_connections: int | None = None
    statement_timeout_seconds: int = 5
    port: int = PROXY_PORT
    master_user: str = "headroom_master"

    def __post_init__(self) -> None:
        refuse("RdsPostgres", self._problems())

    def _problems(self) -> Iterable[str | None]:
        yield like(
            "instance",
            self.instance,
            r"(?!db\.)[a-z][a-z0-9-]*\.[a-z0-9]+",
            "a class such as t4g.micro, without the prefix db.",
        )
        yield like(
            "version",
            self.version,
            r"1[0-8]\.\d+",
            "a minor version of a major that RDS Proxy supports, 10 to 18, such as 18.6",
        )
        if self.credentials == "iam":
            yield "credentials is 'iam', which this version does not deploy yet: set credentials='secrets'"
        else:
            yield one_of("credentials", self.credentials, ["secrets"])
        yield flag("multi_az", self.multi_az)
        yield whole("backup_retention_days", self.backup_retention_days, 0, 35, "days")
        yield whole("allocated_storage_gib", self.allocated_storage_gib, 20, 65536, "GiB for gp3")
        yield whole("max_allocated_storage_gib", self.max_allocated_storage_gib, 22, 65536, "GiB")
        if above(self.allocated_storage_gib, self.max_allocated_storage_gib, times=1.1):
            yield (
                f"max_allocated_storage_gib is {self.max_allocated_storage_gib}, allowed is 10 % above "
                f"allocated_storage_gib ({self.allocated_storage_gib}) and more: raise it, or storage cannot grow"
            )
        if self.max_connections is not None:
            yield whole("max_connections", self.max_connections, 6, 262143)
        yield whole("statement_timeout_seconds", self.statement_timeout_seconds, 1, 300, "seconds")
        yield whole("port", self.port, 1150, 65535)
        yield like(
            "master_user",
            self.master_user,
            r"(?!pg_|rds)[a-z][a-z0-9_]{0,62}",
            "lower case, not beginning with pg_ or rds",
        )


@dataclass(frozen=True, kw_only=True)
class Function:
    """The function behind the API, and how patient it is.

    `deadline_seconds` is for all attempts of one request, `connect_timeout_seconds` for one attempt to connect (libpq
    takes 1 for 2). A connection older than `connection_max_age_seconds` is replaced before it is used.
    """

    reserved_concurrency: int
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
    """What the API lets through: requests a second, and how many at once."""

    rate: int
    burst: int

    def __post_init__(self) -> None:
        refuse(
            "Throttle", [whole("rate", self.rate, 1, 10000, "requests a second"), whole("burst", self.burst, 1, 5000)]
        )


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One deployment of the service.

    `retain` keeps its data: deletion protection, a final snapshot, termination protection, and logs and secrets that
    outlive their stack. `prod` is the one name that means something: cdk-nag's findings about availability stay errors.
    """

    service: str
    name: str
    region: str
    retain: bool
    store: RdsPostgres
    api: Function
    throttle: Throttle
    runtime: Runtime = field(default_factory=Runtime)
    cidr: str = "10.0.0.0/20"
    availability_zones: int = 2
    log_retention_days: int = 30

    def __post_init__(self) -> None:
        refuse(str(self.name), self._problems())

    @property
    def prefix(self) -> str:
        """What its stacks' names begin with: unique in an account and region, as stacks' names must be."""
        return f"{self.service}-{self.name}"

    def _problems(self) -> Iterable[str | None]:
        words = r"(?=.{1,24}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"  # also part of the names of the instance and the proxy
        yield like("service", self.service, words, "1 to 24 of a-z, 0-9 and single hyphens, beginning with a letter")
        yield like("name", self.name, words, "1 to 24 of a-z, 0-9 and single hyphens, beginning with a letter")
        yield like("region", self.region, r"[a-z]{2,3}(-[a-z]+)+-\d", "a region such as eu-west-1")
        yield flag("retain", self.retain)
        yield whole("availability_zones", self.availability_zones, 2, 3, "(RDS Proxy wants two)")
        yield self._network_problem()
        yield one_of("log_retention_days", self.log_retention_days, LOG_RETENTION_DAYS)
        if self.store.port != PROXY_PORT and self.name != "local":
            yield (
                f"store.port is {self.store.port}, allowed is {PROXY_PORT} outside the environment local, "
                f"since RDS Proxy for PostgreSQL listens on {PROXY_PORT} only: leave it out"
            )
        if not above(self.store.pool.idle_client_timeout, self.api.connection_max_age_seconds):
            yield (
                f"api.connection_max_age_seconds is {self.api.connection_max_age_seconds}, allowed is less than "
                f"store.pool.idle_client_timeout ({self.store.pool.idle_client_timeout}): lower it, "
                "or functions use connections that the proxy has closed"
            )
        if not above(self.api.timeout_seconds, self.store.statement_timeout_seconds):
            yield (
                f"store.statement_timeout_seconds is {self.store.statement_timeout_seconds}, allowed is less than "
                f"api.timeout_seconds ({self.api.timeout_seconds}): lower it, or statements outlive their callers"
            )

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

"""What goes into the connection budget: `Plan`, and the functions in it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any, Self

from stacks.budget.instance_classes import instance_class
from stacks.refusal import above, flag, like, one_of, refuse, whole

INVOCATIONS_A_SECOND = 10  # Lambda: for each unit of concurrency, however short the invocations
CREDENTIALS = ("secrets", "iam")  # how users log in to the instance
HTTP_API_TIMEOUT_SECONDS = 30  # hard limit of an HTTP API's integration


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A function that uses the proxy.

    One invocation takes `seconds`, of which it holds a server connection for `seconds_in_database`; both are averages
    that a fork measures (the function's Duration, the proxy's QueryResponseLatency). Each of its `reserved_concurrency`
    environments keeps `connections` open. `keeps_session_state` says that it uses SET, temporary tables, LISTEN,
    cursors or prepared statements, so that every session is pinned.
    """

    name: str = "api"
    reserved_concurrency: int
    seconds: float = 0.080
    seconds_in_database: float = 0.020
    connections: int = 1
    keeps_session_state: bool = False
    requests_per_second: float | None = None  # expected at the peak
    connect_timeout_seconds: int = 2
    deadline_seconds: int = 3
    timeout_seconds: int = 25
    connection_max_age_seconds: int = 240

    def __post_init__(self) -> None:
        refuse(self.name, self._problems())

    def _problems(self) -> list[str | None]:
        return [
            whole("reserved_concurrency", self.reserved_concurrency, 1, 10000),
            *durations(self.seconds, self.seconds_in_database, self.requests_per_second),
            whole("connections", self.connections, 1, 1000),
            flag("keeps_session_state", self.keeps_session_state),
            whole("connect_timeout_seconds", self.connect_timeout_seconds, 2, 5, "seconds"),
            whole("deadline_seconds", self.deadline_seconds, 1, 899, "seconds"),
            whole("timeout_seconds", self.timeout_seconds, 1, 900, "seconds"),
            whole("connection_max_age_seconds", self.connection_max_age_seconds, 1, 86399, "seconds"),
        ]

    @property
    def busy_share(self) -> Fraction:
        """The share of an invocation that holds a server connection, 0 to 1."""
        return exactly(self.seconds_in_database) / exactly(self.seconds)

    @property
    def most_requests_per_second(self) -> Fraction:
        """What its reserved concurrency can serve, by duration and by Lambda's own limit of invocations a second."""
        return min(
            self.reserved_concurrency / exactly(self.seconds),
            Fraction(INVOCATIONS_A_SECOND * self.reserved_concurrency),
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an environment asks for. What is None gets the value that follows from the rest.

    `administrators` are slots that stay free of the pool: migrations 2, people 3, monitoring 2, rotation 1, spare 2 by
    default (a planning assumption). `other_concurrency` is reserved by functions that do not use the proxy.
    The facts at the end are no arithmetic: they are what production asks of an environment.
    """

    environment: str
    workloads: tuple[Workload, ...]
    instance: str
    max_connections: int | None = None
    max_connections_percent: int | None = None
    max_idle_connections_percent: int | None = None
    connection_borrow_timeout: int | None = None
    idle_client_timeout: int | None = None
    statement_timeout_seconds: int | None = None
    throttle_rate: int | None = None
    throttle_burst: int | None = None
    administrators: int = 10
    account_concurrency: int | None = None
    other_concurrency: int = 0
    api_timeout_seconds: int = HTTP_API_TIMEOUT_SECONDS
    credentials: str = "secrets"
    multi_az: bool = False
    retain: bool = False
    backup_retention_days: int = 7
    debug_logging: bool = False
    alarm_address: str | None = None

    def __post_init__(self) -> None:
        refuse(self.environment, self._problems())

    def _problems(self) -> list[str | None]:
        return [
            None if self.workloads else "workloads are none, allowed is one and more",
            *limited(self, *LIMITS),
            unknown_class(self.instance),
            one_of("credentials", self.credentials, CREDENTIALS),
            bad_address(self.alarm_address),
            *(flag(name, getattr(self, name)) for name in ("multi_az", "retain", "debug_logging")),
        ]

    @property
    def is_production(self) -> bool:
        """Whether findings about availability are errors."""
        return self.environment == "prod"

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """The plan with other values: names of the plan, or of its function (of several: `name.seconds`).

        Raises ValueError for a name that is not one of them, or a value that is not allowed.
        """
        plan: dict[str, Any] = {}
        functions: dict[str, dict[str, Any]] = {each.name: {} for each in self.workloads}
        for name, value in changes.items():
            function, _, own = name.rpartition(".")
            function = function or (self.workloads[0].name if len(self.workloads) == 1 else "")
            if function in functions and own in INPUTS_OF_A_FUNCTION:
                functions[function][own] = value
            elif name in INPUTS:
                plan[name] = value
            else:
                known = ", ".join(sorted((*INPUTS, *INPUTS_OF_A_FUNCTION)))
                raise ValueError(f"{name!r} is no input of the budget, known are {known}")
        workloads = tuple(replace(each, **functions[each.name]) for each in self.workloads)
        return replace(self, workloads=workloads, **plan)


LIMITS: dict[str, tuple[int, int, str]] = {
    "max_connections": (6, 262143, ""),
    "max_connections_percent": (1, 100, ""),
    "max_idle_connections_percent": (0, 100, ""),
    "connection_borrow_timeout": (0, 300, "seconds"),
    "idle_client_timeout": (60, 28800, "seconds"),
    "statement_timeout_seconds": (1, 300, "seconds"),
    "throttle_rate": (1, 10000, "requests a second"),
    "throttle_burst": (1, 5000, ""),
    "administrators": (1, 1000, ""),
    "account_concurrency": (1, 1_000_000, ""),
    "other_concurrency": (0, 10000, ""),
    "api_timeout_seconds": (1, 900, "seconds"),
    "backup_retention_days": (0, 35, "days"),
}
NEVER_DERIVED = ("administrators", "other_concurrency", "api_timeout_seconds", "backup_retention_days")
INPUTS_OF_A_FUNCTION = tuple(each.name for each in fields(Workload) if each.name != "name")
INPUTS = tuple(each.name for each in fields(Plan) if each.name not in ("environment", "workloads"))


def check(name: str, value: object) -> str | None:
    """Nothing, or what is wrong with a whole number that has limits; None stands for the derived value, if any is."""
    return None if value is None and name not in NEVER_DERIVED else whole(name, value, *LIMITS[name])


def limited(owner: object, *names: str) -> list[str | None]:
    """The same for attributes of those names."""
    return [check(name, getattr(owner, name)) for name in names]


def durations(seconds: object, in_database: object, requests_per_second: object) -> list[str | None]:
    """What is wrong with how long an invocation takes, how long of it is in the database, and how many there are."""
    return [
        _positive("seconds", seconds, 900, "seconds"),
        _positive("seconds_in_database", in_database, 900, "seconds"),
        f"seconds_in_database is {in_database}, allowed is at most seconds ({seconds})"
        if above(in_database, seconds)
        else None,
        None if requests_per_second is None else _positive("requests_per_second", requests_per_second, 1e6, "requests"),
    ]


def unknown_class(name: str) -> str | None:
    """Nothing, or which instance classes there are."""
    try:
        instance_class(name)
    except ValueError as error:
        return str(error)
    return None


def bad_address(address: object) -> str | None:
    """Nothing, or what is wrong with an e-mail address; None is nobody's."""
    if address is None:
        return None
    return like("alarm_address", address, r"[^@\s]+@[^@\s]+\.[^@\s]+", "an address such as operations@example.com")


def exactly(number: float) -> Fraction:
    """A number as it is written: 0.08 is 8/100, and not the nearest binary fraction."""
    return Fraction(repr(number))


def _positive(name: str, value: object, most: float, unit: str) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most:
        return None
    return f"{name} is {value!r}, allowed is a number of {unit} above 0, at most {most:g}"

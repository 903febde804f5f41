"""Whether a provider's pool serves the functions of an environment: the arithmetic of RDS Proxy's, without CDK."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from stacks.alarm_plan import CLIENT, AlarmPlan, api_alarms, function_alarms
from stacks.budget.plan import Workload
from stacks.capacity import UNRESERVED_CONCURRENCY, Demand
from stacks.config import MIGRATIONS_CONCURRENCY, NO_WORKLOAD, Environment
from stacks.refusal import refuse


@dataclass(frozen=True, kw_only=True)
class ProviderPool:
    """What stands before a database outside the account: `connections` to it, which clients share.

    `clients` is how many it lets in at once; None where none stays connected. `name` and `reason` are words for a
    message: "Neon's pooler", "90 % of max_connections=104". The two inputs are what a fork changes.
    """

    name: str
    connections: int
    reason: str
    connections_input: str
    clients: int | None = None
    clients_input: str = ""


class ExternalStore(Protocol):
    """A store whose database is outside the account, and its URL in a secret that somebody else makes.

    The value of the secret `secret_name` is the URL, or JSON with the keys `url` and, for migrations, `direct_url`;
    where `migrations_secret_name` is given, migrations use that one, and functions can't read it. `variables` are a
    function's environment variables besides those of every external database. `migrations` is the handler that brings
    the schema up to date, `page` the option's document.
    """

    @property
    def secret_name(self) -> str:
        """The functions' secret."""

    @property
    def migrations_secret_name(self) -> str | None:
        """The migrations' own."""

    @property
    def pool(self) -> ProviderPool:
        """The provider's pool."""

    @property
    def variables(self) -> dict[str, str]:
        """What else functions are told."""

    @property
    def migrations(self) -> str:
        """The handler of the migrations."""

    @property
    def page(self) -> str:
        """The option's document, with a section for each alarm's page."""


@dataclass(frozen=True, kw_only=True)
class ExternalBudget:
    """What follows for the API and the functions. Connections are counts, times are seconds."""

    pool: ProviderPool
    demand: Demand
    verdict: str
    throttle_rate: int
    throttle_burst: int
    deadline: int
    statement_timeout: int

    @classmethod
    def of(cls, environment: Environment[Any]) -> Self:
        """The budget of an environment on an ExternalStore; ValueError with the numbers where it does not hold."""
        workload = workload_of(environment)
        pool, demand = environment.store.pool, Demand.of(workload)
        found = cls(
            pool=pool,
            demand=demand,
            verdict=demand.verdict(pool.connections),
            throttle_rate=environment.throttle.rate or demand.throttle_rate,
            throttle_burst=environment.throttle.burst or demand.throttle_burst,
            deadline=workload.deadline_seconds,
            # One second less than the client waits: nobody works for a client that has gone.
            statement_timeout=max(1, workload.deadline_seconds - 1),
        )
        refuse(environment.name, found._problems(environment, workload))
        return found

    def _problems(self, environment: Environment[Any], workload: Workload) -> Iterator[str | None]:
        yield self._too_few_connections(workload)
        yield self._too_many_clients(workload)
        yield _account_problem(environment)
        if environment.name == "prod" and environment.alarm_address is None:
            yield "alarm_address is not given: no alarm is sent to anybody"
        if workload.keeps_session_state:
            yield (
                f"api.keeps_session_state is True, and {self.pool.name} gives each transaction another session: "
                "do without SET, temporary tables, LISTEN, cursors and prepared statements"
            )

    def _too_few_connections(self, workload: Workload) -> str | None:
        pool, demand = self.pool, self.demand
        if demand.needed <= pool.connections:
            return None
        return (
            f"{demand.concurrency} reserved need {demand.needed} pooled connections (99 % busy {demand.busy_99} × 1.3) "
            f"but {pool.name} opens {pool.connections} ({pool.reason}): raise {pool.connections_input}"
            f"{_or_reserve(workload, lambda demand: demand.needed <= pool.connections)}"
        )

    def _too_many_clients(self, workload: Workload) -> str | None:
        pool, clients = self.pool, self.demand.clients_during_deployment
        if pool.clients is None or clients <= pool.clients:
            return None
        return (
            f"{self.demand.clients} reserved are {clients} clients while a deployment replaces them but {pool.name} "
            f"lets in {pool.clients}: raise {pool.clients_input}"
            f"{_or_reserve(workload, lambda demand: demand.clients_during_deployment <= (pool.clients or 0))}"
        )


def external_alarm_plans(budget: ExternalBudget, environment: Environment[Any]) -> list[AlarmPlan]:
    """All alarms of such an environment, in the order of the path from the API to the database.

    The provider's own metrics are not in CloudWatch: what the functions log of their connections stands for them.
    """
    api = environment.api
    function = function_alarms(api.reserved_concurrency, api.deadline_seconds, environment.account_concurrency)
    around = [replace(each, page="when-it-fails") for each in (*api_alarms(api.deadline_seconds), *function)]
    return [*around, *_client(budget)]


def _client(budget: ExternalBudget) -> Iterator[AlarmPlan]:
    yield AlarmPlan(
        id="ClientDeadlines", about=CLIENT, metric="DeadlineExceeded", statistic="Sum", threshold=0, minutes=3,
        page="when-it-fails",
        why=f"requests get no answer from the database within {budget.deadline} s, all attempts together",
    )  # fmt: skip
    yield AlarmPlan(
        id="ClientRetries", about=CLIENT, metric="Retries", statistic="Sum",
        threshold=max(3, budget.demand.concurrency // 10), page="when-it-fails",
        why="statements are sent again: the database refuses them, or connections break",
    )  # fmt: skip
    if budget.pool.clients is not None:
        yield AlarmPlan(
            id="ClientReconnects", about=CLIENT, metric="Reconnects", statistic="Sum",
            threshold=max(3, budget.demand.clients), page="when-it-fails",
            why=f"more than {budget.demand.clients} environments have to connect anew within a minute",
        )  # fmt: skip


def workload_of(environment: Environment[Any]) -> Workload:
    """The function behind the API, as the arithmetic sees it."""
    api = environment.api
    return Workload(**{name: getattr(api, name) for name in vars(api) if name not in NO_WORKLOAD})


def _account_problem(environment: Environment[Any]) -> str | None:
    reserved = environment.api.reserved_concurrency + MIGRATIONS_CONCURRENCY
    quota = environment.account_concurrency
    if quota is None or reserved <= (left := max(0, quota - UNRESERVED_CONCURRENCY)):
        return None
    lower = f"lower api.reserved_concurrency to {left - MIGRATIONS_CONCURRENCY}, or "
    return (
        f"{reserved} reserved are more than the {left} that an account of {quota} can reserve, since Lambda keeps "
        f"{UNRESERVED_CONCURRENCY}: {lower if left > MIGRATIONS_CONCURRENCY else ''}raise account_concurrency to "
        f"{reserved + UNRESERVED_CONCURRENCY}"
    )


def _or_reserve(workload: Workload, fits: Any) -> str:
    """The largest reserved concurrency that fits, as the end of a sentence; nothing where none does."""
    for reserved in range(workload.reserved_concurrency - 1, 0, -1):
        if fits(Demand.of(replace(workload, reserved_concurrency=reserved))):
            return f", or lower api.reserved_concurrency to {reserved}"
    return ""

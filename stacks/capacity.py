"""The connection budget: from what an environment asks for to the connections, times and rates that follow.

Pure arithmetic, no CDK: `Budget.of(plan)` has everything, and stacks/budget judges it. What is a planning assumption
says so. The rest is AWS's: Amazon RDS User Guide, "RDS Proxy connection considerations", "Best practices for RDS Proxy"
and "Quotas and constraints"; AWS Lambda Developer Guide, "Lambda quotas" and "Understanding Lambda function scaling".
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from stacks.budget.binomial import quantile_99
from stacks.budget.instance_classes import InstanceClass, estimated_max_connections, instance_class
from stacks.budget.plan import Plan, Workload

RESERVED_SLOTS = 5  # superuser_reserved_connections (3) and what RDS keeps for rds_superuser (2): not for roles of ours
UNRESERVED_CONCURRENCY = 100  # what Lambda keeps of an account's quota for functions without a reservation
CLASS_SHARE = Fraction(95, 100)  # planning assumption: estimates from memory are 5 % off at worst
HEADROOM = Fraction(13, 10)  # AWS: 30 % above the highest usage, since a proxy spreads its quota over its nodes
USUAL_PERCENT = 85  # planning assumption: of a large instance, the rest is for what comes besides the plan
THROTTLE_SHARE = Fraction(8, 10)  # planning assumption: the API says 429 before Lambda throttles
BURST_FOR_EACH = 2  # planning assumption: requests at once for each unit of concurrency
IDLE_CLIENT_MARGIN = 60  # seconds that the proxy keeps a silent client longer than the client itself would stay

# What lambda_src/database/retry.py does; a test compares the two.
ATTEMPTS = 4
BASE_PAUSE_SECONDS = 0.4  # while connecting; less after a statement
ANSWER_SECONDS = 1  # planning assumption: from the deadline to the answer, with a cold runtime's slowness

PIN_SAFE = "pin-safe"  # every session may be pinned, and all still fit
MULTIPLEX_DEPENDENT = "multiplex-dependent"  # fits as long as the proxy can share connections between clients
REFUSED = "refused"  # does not fit


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What functions ask of a pool, whosever it is. Connections and environments are counts.

    `busy` server connections are in use at full concurrency on average, `busy_99` are not exceeded 99 % of the time,
    `needed` has the headroom that a pool wants. `clients` is also what is needed when none is shared.
    """

    concurrency: int
    clients: int
    busy: Fraction
    busy_99: int
    needed: int
    requests_per_second: Fraction

    @classmethod
    def of(cls, *workloads: Workload) -> Self:
        """What these functions ask for together."""
        concurrency = sum(each.reserved_concurrency for each in workloads)
        busy = sum((each.reserved_concurrency * each.busy_share for each in workloads), Fraction(0))
        busy_99 = quantile_99(concurrency, busy / concurrency)
        return cls(
            concurrency=concurrency,
            clients=sum(each.reserved_concurrency * each.connections for each in workloads),
            busy=busy,
            busy_99=busy_99,
            needed=math.ceil(HEADROOM * busy_99),
            requests_per_second=sum((each.most_requests_per_second for each in workloads), Fraction(0)),
        )

    @property
    def clients_during_deployment(self) -> int:
        """Environments of the previous version stay, with their connections, while those of the new one start."""
        return 2 * self.clients

    @property
    def multiplexing_ratio(self) -> float:
        """Clients for each busy server connection."""
        return self.concurrency / max(1, self.busy_99)

    def verdict(self, pool: int) -> str:
        """Whether so many server connections serve it, shared or not."""
        return PIN_SAFE if self.clients <= pool else MULTIPLEX_DEPENDENT if self.needed <= pool else REFUSED

    @property
    def throttle_rate(self) -> int:
        """Requests a second that the API lets through: the functions can serve more."""
        return max(1, min(10000, math.floor(THROTTLE_SHARE * self.requests_per_second)))

    @property
    def throttle_burst(self) -> int:
        """Requests at once that the API lets through."""
        return min(5000, BURST_FOR_EACH * self.concurrency)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Everything that follows from a plan. Connections, slots and environments are counts; times are seconds.

    `slots` are what roles of ours can use of `max_connections`; `pool` is what the proxy may open of them;
    `administrator_slots` is what is left. `busy_mean` server connections are in use at full concurrency on average,
    `busy_99` are not exceeded 99 % of the time, `needed` has the headroom that a proxy wants. `clients` is also what is
    needed when every session is pinned. A pool percentage from `lowest_percent` to `highest_percent` is safe.
    """

    plan: Plan
    instance_class: InstanceClass
    estimated_max_connections: int
    max_connections: int
    slots: int
    administrator_slots: int
    class_minimum_percent: int
    lowest_percent: int
    highest_percent: int
    max_connections_percent: int
    pool: int
    max_idle_connections_percent: int
    idle_connections: int
    concurrency: int
    clients: int
    clients_during_deployment: int
    busy_mean: float
    busy_99: int
    needed: int
    multiplexing_ratio: float
    verdict: str
    requests_per_second: float
    throttle_rate: int
    throttle_burst: int
    reserved_concurrency: int
    reservable_concurrency: int | None
    connect_timeout: int
    connection_borrow_timeout: int
    statement_timeout: int
    deadline: int
    function_timeout: int
    api_timeout: int
    connection_max_age: int
    idle_client_timeout: int
    retry_budget: float
    longest_answer: int

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The budget of a plan, whether it fits or not."""
        size = instance_class(plan.instance)
        estimate = estimated_max_connections(size.memory_gib)
        most = plan.max_connections or math.floor(CLASS_SHARE * estimate)
        slots = most - RESERVED_SLOTS
        demand = Demand.of(*plan.workloads)
        concurrency, clients = demand.concurrency, demand.clients
        minimum = class_minimum_percent(size)
        lowest = max(math.ceil(Fraction(100 * demand.needed, most)), minimum)
        highest = max(0, 100 * (slots - plan.administrators) // most)
        percent = plan.max_connections_percent or max(1, min(highest, max(lowest, USUAL_PERCENT)))
        pool = pool_size(most, percent)
        idle = max(1, percent // 2) if plan.max_idle_connections_percent is None else plan.max_idle_connections_percent
        deadline = min(each.deadline_seconds for each in plan.workloads)
        connect = max(each.connect_timeout_seconds for each in plan.workloads)
        max_age = max(each.connection_max_age_seconds for each in plan.workloads)
        return cls(
            plan=plan,
            instance_class=size,
            estimated_max_connections=estimate,
            max_connections=most,
            slots=slots,
            administrator_slots=slots - pool,
            class_minimum_percent=minimum,
            lowest_percent=lowest,
            highest_percent=highest,
            max_connections_percent=percent,
            pool=pool,
            max_idle_connections_percent=idle,
            idle_connections=pool_size(most, idle),
            concurrency=concurrency,
            clients=clients,
            clients_during_deployment=demand.clients_during_deployment,
            busy_mean=float(demand.busy),
            busy_99=demand.busy_99,
            needed=demand.needed,
            multiplexing_ratio=demand.multiplexing_ratio,
            verdict=demand.verdict(pool),
            requests_per_second=float(demand.requests_per_second),
            throttle_rate=plan.throttle_rate or demand.throttle_rate,
            throttle_burst=plan.throttle_burst or demand.throttle_burst,
            reserved_concurrency=concurrency + plan.other_concurrency,
            reservable_concurrency=None
            if plan.account_concurrency is None
            else max(0, plan.account_concurrency - UNRESERVED_CONCURRENCY),
            connect_timeout=connect,
            # One second less than the client waits: nobody works for a client that has gone.
            connection_borrow_timeout=_given(plan.connection_borrow_timeout, max(1, deadline - 1)),
            statement_timeout=_given(plan.statement_timeout_seconds, max(1, deadline - 1)),
            deadline=deadline,
            function_timeout=min(each.timeout_seconds for each in plan.workloads),
            api_timeout=plan.api_timeout_seconds,
            connection_max_age=max_age,
            idle_client_timeout=_given(plan.idle_client_timeout, max(60, min(28800, max_age + IDLE_CLIENT_MARGIN))),
            retry_budget=ATTEMPTS * connect + retry_pauses(),
            longest_answer=max(each.deadline_seconds for each in plan.workloads) + ANSWER_SECONDS,
        )


def pool_size(max_connections: int, percent: int) -> int:
    """Server connections that RDS Proxy may hold open; what it keeps for itself, unpublished, is a little of them.

    `max_connections` is a count, `percent` 0 to 100; the result is a count, rounded down.
    Source: Amazon RDS User Guide, "MaxConnectionsPercent".
    """
    return max_connections * percent // 100


def class_minimum_percent(size: InstanceClass) -> int:
    """The percentage below which AWS advises against a pool on a class of that memory.

    Two pages of AWS disagree. The RDS guide says 30 for t3.small and 20 above; a page shared with Aurora 55 for
    t3.medium, 35 for t3.large and 20 above. The stricter counts, but not its 100 for t3.small: that leaves no slot for
    administrators.
    """
    smallest = next((each for each in ((2, 30), (4, 55), (8, 35)) if size.memory_gib <= each[0]), (0, 20))
    return smallest[1]


def retry_pauses() -> float:
    """The longest that a function would pause between its attempts, all pauses together, in seconds."""
    return math.fsum(BASE_PAUSE_SECONDS * 2**retry for retry in range(1, ATTEMPTS))


def _given(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value

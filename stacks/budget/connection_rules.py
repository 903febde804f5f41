"""Rules of connections and concurrency. The letters and numbers are those of the rule pack (stacks/checks).

Each function says how its inequality fails, with the numbers, or returns None where it holds.
"""

from stacks.budget.findings import ERROR, LARGER_INSTANCE, MORE_MEMORY, WARNING, Input, Rule, becomes, down, now, up
from stacks.budget.rates import unprotected, unserved
from stacks.capacity import MULTIPLEX_DEPENDENT, PIN_SAFE, RESERVED_SLOTS, UNRESERVED_CONCURRENCY, Budget

CONNECTS_A_SECOND = 200  # AWS's guidance for new connections with IAM authentication
IAM_MEMORY_GIB = 4  # Amazon RDS User Guide, "IAM database authentication", limitations
FEW = 10  # environments of which the busiest moment says little about the average

PERCENT_UP, PERCENT_DOWN = up("max_connections_percent", 100), down("max_connections_percent", 1)
RESERVED_DOWN = down("reserved_concurrency", 1)
HALF_IDLE = Input(
    "max_idle_connections_percent",
    now("max_idle_connections_percent"),
    lambda b: [max(1, b.max_connections_percent // 2)],
)
MORE_CONNECTIONS = Input(
    "max_connections",
    now("max_connections"),
    lambda b: range(b.max_connections + 1, b.estimated_max_connections + 1) if b.plan.max_connections else [],
)
FEWER_ADMINISTRATORS = down("administrators", 1)
MORE_POOL = (PERCENT_UP, MORE_CONNECTIONS, LARGER_INSTANCE, RESERVED_DOWN)


def _max_connections(b: Budget) -> str:
    source = "" if b.plan.max_connections else f" (planned for {b.plan.instance})"
    return f"max_connections={b.max_connections}{source}"


def _idle_within_pool(b: Budget) -> str | None:
    if b.max_idle_connections_percent <= b.max_connections_percent:
        return None
    return (
        f"max_idle_connections_percent is {b.max_idle_connections_percent}, above "
        f"max_connections_percent {b.max_connections_percent}, and RDS refuses that"
    )


def _administrators_get_in(b: Budget) -> str | None:
    if b.max_connections_percent <= b.highest_percent:
        return None
    # Not rounded: how RDS Proxy rounds is not published.
    pool = b.max_connections * b.max_connections_percent / 100
    return (
        f"{b.max_connections_percent} % of {_max_connections(b)} is {pool:g} of {b.slots} slots (RDS keeps "
        f"{RESERVED_SLOTS}), which leaves {b.slots - pool:.3g} for administrators, and {b.plan.administrators} are "
        f"theirs, so that at most {b.highest_percent} % is safe"
    )


def _percent_above_minimum(b: Budget) -> str | None:
    if b.max_connections_percent >= b.class_minimum_percent:
        return None
    return (
        f"max_connections_percent is {b.max_connections_percent}, below the {b.class_minimum_percent} that AWS "
        f"recommends for {b.instance_class.memory_gib} GiB"
    )


def _need_fits(b: Budget) -> str | None:
    if b.needed <= b.pool:
        return None
    reserved = " + ".join(f"{each.reserved_concurrency} reserved" for each in b.plan.workloads)
    return (
        f"{reserved} need {b.needed} pooled connections (99 % busy {b.busy_99} × 1.3) but "
        f"{b.max_connections_percent} % of {_max_connections(b)} gives {b.pool}"
    )


def _pinned_sessions_fit(b: Budget) -> str | None:
    if b.verdict != MULTIPLEX_DEPENDENT:
        return None
    return (
        f"{b.clients} clients share {b.pool} pooled connections, which works only while sessions are not pinned; "
        "the alarm on pinned sessions says when they are"
    )


def _session_state_fits(b: Budget) -> str | None:
    if b.clients <= b.pool or not any(each.keeps_session_state for each in b.plan.workloads):
        return None
    return (
        f"a function keeps session state, which pins every session, and {b.clients} pinned sessions do not fit into "
        f"{b.pool} pooled connections"
    )


def _proxy_is_of_use(b: Budget) -> str | None:
    if b.concurrency < FEW or b.multiplexing_ratio >= 1.2:
        return None
    return (
        f"{b.concurrency} environments keep {b.busy_99} server connections busy, {b.multiplexing_ratio:.2f} to one: "
        "the proxy shares next to nothing, and is of use for failover and IAM only; shorten seconds_in_database"
    )


def _some_idle(b: Budget) -> str | None:
    if b.max_idle_connections_percent > 0:
        return None
    return "max_idle_connections_percent is 0, so that every burst opens its server connections anew"


def _not_all_idle(b: Budget) -> str | None:
    if b.max_idle_connections_percent != b.max_connections_percent or b.max_connections_percent == 1:
        return None
    return (
        f"max_idle_connections_percent is max_connections_percent ({b.max_connections_percent}), so that server "
        "connections of the busiest moment are kept, with their memory, although nobody uses them"
    )


def _max_connections_fit_memory(b: Budget) -> str | None:
    if b.plan.max_connections is None or b.plan.max_connections <= b.estimated_max_connections:
        return None
    return (
        f"max_connections is {b.plan.max_connections}, and {b.plan.instance} has memory for about "
        f"{b.estimated_max_connections}"
    )


def _one_connection_each(b: Budget) -> str | None:
    if all(each.connections == 1 for each in b.plan.workloads):
        return None
    return (
        f"an environment opens {max(each.connections for each in b.plan.workloads)} connections and handles one "
        "request at a time, so that it uses one of them"
    )


def _deployment_fits(b: Budget) -> str | None:
    if b.verdict != PIN_SAFE or b.clients_during_deployment <= b.pool:
        return None
    return (
        f"{b.clients} clients fit into {b.pool} pooled connections even when pinned, but not the "
        f"{b.clients_during_deployment} of a deployment, when environments of two versions run"
    )


def _account_has_concurrency(b: Budget) -> str | None:
    if b.reservable_concurrency is None or b.reserved_concurrency <= b.reservable_concurrency:
        return None
    return (
        f"{b.reserved_concurrency} reserved are more than the {b.reservable_concurrency} that an account of "
        f"{b.plan.account_concurrency} can reserve, since Lambda keeps {UNRESERVED_CONCURRENCY}"
    )


def _account_is_known(b: Budget) -> str | None:
    if b.plan.account_concurrency is not None:
        return None
    return (
        "account_concurrency is not given, and a new account has less than 1000: "
        "`aws service-quotas get-service-quota --service-code lambda --quota-code L-B99A9384` tells"
    )


def _traffic_fits(b: Budget) -> str | None:
    return next(filter(None, map(unserved, b.plan.workloads)), None)


def _throttle_protects(b: Budget) -> str | None:
    return unprotected(b.throttle_rate, b.requests_per_second)


def _connects_are_slow_enough(b: Budget) -> str | None:
    if b.clients <= CONNECTS_A_SECOND:
        return None
    return (
        f"{b.clients} clients may connect at once after a deployment, and AWS advises at most {CONNECTS_A_SECOND} new "
        "connections a second with IAM authentication"
    )


def _iam_has_memory(b: Budget) -> str | None:
    gib = b.instance_class.memory_gib
    if b.plan.credentials != "iam" or gib >= IAM_MEMORY_GIB:
        return None
    return (
        f"credentials is 'iam' and {b.plan.instance} has {gib} GiB, of which IAM authentication takes 300 to 1000 MiB, "
        f"so that it wants a class with {IAM_MEMORY_GIB} GiB"
    )


RULES = (
    Rule("A01", ERROR, _idle_within_pool, (HALF_IDLE, PERCENT_UP)),
    Rule("A04", ERROR, _administrators_get_in, (PERCENT_DOWN, MORE_CONNECTIONS, LARGER_INSTANCE, FEWER_ADMINISTRATORS)),
    Rule("A05", WARNING, _percent_above_minimum, (PERCENT_UP,)),
    Rule("A06", ERROR, _need_fits, MORE_POOL),
    Rule("A07", WARNING, _pinned_sessions_fit, MORE_POOL),
    Rule("A08", ERROR, _session_state_fits, (*MORE_POOL, becomes("keeps_session_state", False))),
    Rule("A11", WARNING, _proxy_is_of_use),
    Rule("A12", WARNING, _some_idle, (HALF_IDLE,)),
    Rule("A12", WARNING, _not_all_idle, (HALF_IDLE,)),
    Rule("A13", ERROR, _max_connections_fit_memory, (down("max_connections", 6), MORE_MEMORY)),
    Rule("A15", WARNING, _one_connection_each, (becomes("connections", 1),)),
    Rule("A18", WARNING, _deployment_fits, MORE_POOL),
    Rule("B01", ERROR, _account_has_concurrency, (RESERVED_DOWN, up("account_concurrency", 1_000_000))),
    Rule("B02", WARNING, _account_is_known),
    Rule("B07", WARNING, _traffic_fits, (up("reserved_concurrency", 10000),)),
    Rule("B08", WARNING, _throttle_protects, (down("throttle_rate", 1),)),
    Rule("B10", WARNING, _connects_are_slow_enough, (RESERVED_DOWN,)),
    Rule("E05", WARNING, _iam_has_memory, (MORE_MEMORY, becomes("credentials", "secrets"))),
)

"""The rules of the connection budget. The letters and numbers are those of the rule pack (stacks/checks).

Each function says how its inequality fails, with the numbers, or returns None where it holds.
"""

from stacks.capacity import ANSWER_SECONDS, ATTEMPTS, MULTIPLEX_DEPENDENT, PIN_SAFE, UNRESERVED_CONCURRENCY, Budget
from stacks.findings import (
    ERROR,
    IN_PRODUCTION,
    LARGER_INSTANCE,
    WARNING,
    Finding,
    Input,
    Rule,
    becomes,
    down,
    findings,
    now,
    up,
)

CONNECTS_A_SECOND = 200  # AWS's guidance for new connections with IAM authentication
FEW = 10  # environments of which the busiest moment says little about the average


def judge(budget: Budget) -> tuple[Finding, ...]:
    """Everything that is wrong with a budget, errors first."""
    return findings(budget, RULES)


def idle_within_pool(b: Budget) -> str | None:
    if b.max_idle_connections_percent <= b.max_connections_percent:
        return None
    return (
        f"max_idle_connections_percent is {b.max_idle_connections_percent}, above "
        f"max_connections_percent {b.max_connections_percent}, and RDS refuses that"
    )


def administrators_get_in(b: Budget) -> str | None:
    if b.administrator_slots >= b.plan.administrators:
        return None
    return (
        f"{_pool(b)} connections of {b.slots} slots ({b.max_connections} less 5 that RDS keeps), which leaves "
        f"{b.administrator_slots} for administrators, and {b.plan.administrators} are theirs"
    )


def percent_above_minimum(b: Budget) -> str | None:
    if b.max_connections_percent >= b.class_minimum_percent:
        return None
    return (
        f"max_connections_percent is {b.max_connections_percent}, below the {b.class_minimum_percent} that AWS "
        f"recommends for {b.instance_class.memory_gib} GiB"
    )


def need_fits(b: Budget) -> str | None:
    if b.needed <= b.pool:
        return None
    reserved = " + ".join(f"{each.reserved_concurrency} reserved" for each in b.plan.workloads)
    return f"{reserved} need {b.needed} pooled connections (99 % busy {b.busy_99} × 1.3) but {_pool(b)}"


def pinned_sessions_fit(b: Budget) -> str | None:
    if b.verdict != MULTIPLEX_DEPENDENT:
        return None
    return (
        f"{b.clients} clients share {b.pool} pooled connections, which works only while sessions are not pinned: "
        f"keep the alarm on pinned sessions, or have a connection for each client"
    )


def session_state_fits(b: Budget) -> str | None:
    if b.clients <= b.pool or not any(each.keeps_session_state for each in b.plan.workloads):
        return None
    return (
        f"a function keeps session state, which pins every session, and {b.clients} pinned sessions do not fit into "
        f"{b.pool} pooled connections"
    )


def proxy_is_of_use(b: Budget) -> str | None:
    if b.concurrency < FEW or b.multiplexing_ratio >= 1.2:
        return None
    return (
        f"{b.concurrency} environments keep {b.busy_99} server connections busy, {b.multiplexing_ratio:.2f} to one: "
        "the proxy shares next to nothing, and is of use for failover and IAM only; shorten seconds_in_database"
    )


def some_idle(b: Budget) -> str | None:
    if b.max_idle_connections_percent > 0:
        return None
    return "max_idle_connections_percent is 0, so that every burst opens its server connections anew"


def not_all_idle(b: Budget) -> str | None:
    if b.max_idle_connections_percent != b.max_connections_percent:
        return None
    return (
        f"max_idle_connections_percent is max_connections_percent ({b.max_connections_percent}), so that server "
        "connections of the busiest moment are kept, with their memory, although nobody uses them"
    )


def max_connections_fit_memory(b: Budget) -> str | None:
    if b.plan.max_connections is None or b.plan.max_connections <= b.estimated_max_connections:
        return None
    return (
        f"max_connections is {b.plan.max_connections}, and {b.plan.instance} has memory for about "
        f"{b.estimated_max_connections}"
    )


def one_connection_each(b: Budget) -> str | None:
    if all(each.connections == 1 for each in b.plan.workloads):
        return None
    return (
        f"an environment opens {max(each.connections for each in b.plan.workloads)} connections and handles one "
        "request at a time, so that it uses one of them"
    )


def deployment_fits(b: Budget) -> str | None:
    if b.verdict != PIN_SAFE or b.clients_during_deployment <= b.pool:
        return None
    return (
        f"{b.clients} clients fit into {b.pool} pooled connections even when pinned, but not the "
        f"{b.clients_during_deployment} of a deployment, when environments of two versions run"
    )


def account_has_concurrency(b: Budget) -> str | None:
    if b.reservable_concurrency is None or b.reserved_concurrency <= b.reservable_concurrency:
        return None
    return (
        f"{b.reserved_concurrency} reserved are more than the {b.reservable_concurrency} that an account of "
        f"{b.plan.account_concurrency} can reserve, since Lambda keeps {UNRESERVED_CONCURRENCY}"
    )


def account_is_known(b: Budget) -> str | None:
    if b.plan.account_concurrency is not None:
        return None
    return (
        "account_concurrency is not given, and a new account has less than 1000: "
        "`aws service-quotas get-service-quota --service-code lambda --quota-code L-B99A9384` tells"
    )


def traffic_fits(b: Budget) -> str | None:
    for each in b.plan.workloads:
        most = each.most_requests_per_second
        if each.requests_per_second is not None and each.requests_per_second > most:
            return (
                f"{each.requests_per_second:g} requests a second are expected, and {each.reserved_concurrency} reserved "
                f"serve {float(most):g}: {each.seconds:g} s each, and at most 10 a second for each"
            )
    return None


def throttle_protects(b: Budget) -> str | None:
    if b.throttle_rate <= b.requests_per_second:
        return None
    return (
        f"the API lets {b.throttle_rate} requests a second through, and the functions serve "
        f"{b.requests_per_second:g}, so that callers meet Lambda's throttling instead of a 429"
    )


def connects_are_slow_enough(b: Budget) -> str | None:
    if b.clients <= CONNECTS_A_SECOND:
        return None
    return (
        f"{b.clients} clients may connect at once after a deployment, and AWS advises at most {CONNECTS_A_SECOND} new "
        "connections a second with IAM authentication"
    )


def pool_may_grow(b: Budget) -> str | None:
    if b.connection_borrow_timeout > 0:
        return None
    return "connection_borrow_timeout is 0, so that a request fails whenever no server connection is free at once"


def borrow_ends_with_function(b: Budget) -> str | None:
    if b.connection_borrow_timeout < b.function_timeout:
        return None
    return (
        f"connection_borrow_timeout is {b.connection_borrow_timeout} s, and the function ends after "
        f"{b.function_timeout} s: its callers get a 5xx without a reason, and the proxy goes on waiting for nobody"
    )


def borrow_ends_with_request(b: Budget) -> str | None:
    if b.connection_borrow_timeout < b.deadline or b.connection_borrow_timeout >= b.function_timeout:
        return None
    return (
        f"connection_borrow_timeout is {b.connection_borrow_timeout} s, and the function answers 503 after "
        f"{b.deadline} s: the proxy goes on waiting for a connection that nobody wants any more"
    )


def function_ends_before_api(b: Budget) -> str | None:
    slowest = max(each.timeout_seconds for each in b.plan.workloads)
    if slowest + 1 <= b.api_timeout:
        return None
    return f"the function may take {slowest} s, and the API answers 503 after {b.api_timeout} s"


def function_has_time_to_answer(b: Budget) -> str | None:
    for each in b.plan.workloads:
        if each.deadline_seconds + ANSWER_SECONDS > each.timeout_seconds:
            return (
                f"timeout_seconds is {each.timeout_seconds}, and a request may take its deadline of "
                f"{each.deadline_seconds} s and {ANSWER_SECONDS} s to answer"
            )
    return None


def retries_fit_deadline(b: Budget) -> str | None:
    if b.retry_pauses < b.deadline:
        return None
    return (
        f"the pauses of {ATTEMPTS} attempts may take {b.retry_pauses:g} s, and deadline_seconds is {b.deadline}: "
        "the last attempts are never made"
    )


def connect_fits_deadline(b: Budget) -> str | None:
    if b.connect_timeout < b.deadline:
        return None
    return (
        f"connect_timeout_seconds is {b.connect_timeout} and deadline_seconds {b.deadline}: "
        "a connect that fails slowly leaves no time for another"
    )


def connect_before_borrow(b: Budget) -> str | None:
    if b.connect_timeout <= b.connection_borrow_timeout or b.connection_borrow_timeout == 0:
        return None
    return (
        f"connect_timeout_seconds is {b.connect_timeout}, longer than connection_borrow_timeout "
        f"{b.connection_borrow_timeout}"
    )


def client_leaves_first(b: Budget) -> str | None:
    if b.connection_max_age < b.idle_client_timeout:
        return None
    return (
        f"connection_max_age_seconds is {b.connection_max_age}, not less than idle_client_timeout "
        f"{b.idle_client_timeout}: functions use connections that the proxy has closed"
    )


def frozen_clients_leave(b: Budget) -> str | None:
    if b.idle_client_timeout <= 900 or b.verdict == PIN_SAFE:
        return None
    return (
        f"idle_client_timeout is {b.idle_client_timeout} s, and a frozen environment keeps a pinned server connection "
        "for so long; the budget depends on multiplexing"
    )


def statement_ends_with_function(b: Budget) -> str | None:
    if b.statement_timeout < b.function_timeout:
        return None
    return (
        f"statement_timeout_seconds is {b.statement_timeout}, not less than timeout_seconds {b.function_timeout}: "
        "statements outlive their callers, and nothing can cancel them through the proxy"
    )


def statement_ends_with_request(b: Budget) -> str | None:
    if b.statement_timeout < b.deadline or b.statement_timeout >= b.function_timeout:
        return None
    return (
        f"statement_timeout_seconds is {b.statement_timeout}, and the function answers 503 after {b.deadline} s: "
        "the database goes on working for nobody, and the connection stays busy"
    )


def has_standby(b: Budget) -> str | None:
    return None if b.plan.multi_az else "multi_az is False: the loss of one zone is an outage until a restore"


def is_kept(b: Budget) -> str | None:
    return None if b.plan.retain else "retain is False: a deleted stack deletes the data"


def has_backups(b: Budget) -> str | None:
    days = b.plan.backup_retention_days
    return None if days >= 7 else f"backup_retention_days is {days}, less than a week"


def is_not_burstable(b: Budget) -> str | None:
    if not b.instance_class.burstable:
        return None
    return f"{b.plan.instance} runs on CPU credits, and AWS advises it for development and tests"


def logs_no_statements(b: Budget) -> str | None:
    return "debug_logging is True: the text of every statement is logged" if b.plan.debug_logging else None


def somebody_is_told(b: Budget) -> str | None:
    return None if b.plan.alarm_address else "alarm_address is not given: alarms change their colour and tell nobody"


def somebody_real_is_told(b: Budget) -> str | None:
    address = b.plan.alarm_address or ""
    return f"alarm_address is {address}, which is nobody's: write your own" if "@example." in address else None


PERCENT_UP, PERCENT_DOWN = up("max_connections_percent", 100), down("max_connections_percent", 1)
RESERVED_DOWN = down("reserved_concurrency", 1)
BORROW_DOWN = down("connection_borrow_timeout", 1)
STATEMENT_DOWN = down("statement_timeout_seconds", 1)
IDLE_DOWN = down("max_idle_connections_percent", 1)
DEADLINE_UP, DEADLINE_DOWN = up("deadline_seconds", 28), down("deadline_seconds", 2)
TIMEOUT_UP = up("timeout_seconds", 29)
MORE_CONNECTIONS = Input(
    "max_connections",
    now("max_connections"),
    lambda b: range(b.max_connections + 1, b.estimated_max_connections + 1) if b.plan.max_connections else [],
)
MORE_POOL = (PERCENT_UP, MORE_CONNECTIONS, LARGER_INSTANCE, RESERVED_DOWN)
NOT_BURSTABLE = Input(
    "instance", lambda b: b.plan.instance, lambda b: ["r8g.large"] if b.plan.max_connections is None else []
)

RULES = (
    Rule("A01", ERROR, idle_within_pool, (IDLE_DOWN, PERCENT_UP)),
    Rule("A04", ERROR, administrators_get_in, (PERCENT_DOWN, MORE_CONNECTIONS, LARGER_INSTANCE)),
    Rule("A05", WARNING, percent_above_minimum, (PERCENT_UP,)),
    Rule("A06", ERROR, need_fits, MORE_POOL),
    Rule("A07", WARNING, pinned_sessions_fit, MORE_POOL),
    Rule("A08", ERROR, session_state_fits, MORE_POOL),
    Rule("A11", WARNING, proxy_is_of_use),
    Rule("A12", WARNING, some_idle, (up("max_idle_connections_percent", 100),)),
    Rule("A12", WARNING, not_all_idle, (IDLE_DOWN,)),
    Rule("A13", ERROR, max_connections_fit_memory, (down("max_connections", 6),)),
    Rule("A15", WARNING, one_connection_each, (becomes("connections", 1),)),
    Rule("A18", WARNING, deployment_fits, MORE_POOL),
    Rule("B01", ERROR, account_has_concurrency, (RESERVED_DOWN, up("account_concurrency", 1_000_000))),
    Rule("B02", WARNING, account_is_known),
    Rule("B07", WARNING, traffic_fits, (up("reserved_concurrency", 10000),)),
    Rule("B08", WARNING, throttle_protects, (down("throttle_rate", 1),)),
    Rule("B10", WARNING, connects_are_slow_enough, (RESERVED_DOWN,)),
    Rule("C02", WARNING, pool_may_grow, (up("connection_borrow_timeout", 300),)),
    Rule("C03", ERROR, borrow_ends_with_function, (BORROW_DOWN,)),
    Rule("C03", WARNING, borrow_ends_with_request, (BORROW_DOWN, DEADLINE_UP)),
    Rule("C04", ERROR, function_ends_before_api, (down("timeout_seconds", 1),)),
    Rule("C05", ERROR, function_has_time_to_answer, (TIMEOUT_UP, DEADLINE_DOWN)),
    Rule("C05", WARNING, retries_fit_deadline, (DEADLINE_UP,)),
    Rule("C06", WARNING, connect_fits_deadline, (DEADLINE_UP, down("connect_timeout_seconds", 2))),
    Rule(
        "C06",
        ERROR,
        connect_before_borrow,
        (down("connect_timeout_seconds", 2), up("connection_borrow_timeout", 300), DEADLINE_UP),
    ),
    Rule("C08", ERROR, client_leaves_first, (down("connection_max_age_seconds", 1), up("idle_client_timeout", 28800))),
    Rule("C09", WARNING, frozen_clients_leave, (down("idle_client_timeout", 60),)),
    Rule("C10", ERROR, statement_ends_with_function, (STATEMENT_DOWN, TIMEOUT_UP)),
    Rule("C10", WARNING, statement_ends_with_request, (STATEMENT_DOWN, DEADLINE_UP)),
    Rule("F01", IN_PRODUCTION, has_standby, (becomes("multi_az", True),)),
    Rule("F02", IN_PRODUCTION, is_kept, (becomes("retain", True),)),
    Rule("F04", IN_PRODUCTION, has_backups, (up("backup_retention_days", 35),)),
    Rule("F07", IN_PRODUCTION, is_not_burstable, (NOT_BURSTABLE,)),
    Rule("G03", IN_PRODUCTION, logs_no_statements, (becomes("debug_logging", False),)),
    Rule("J06", IN_PRODUCTION, somebody_is_told),
    Rule("J06", WARNING, somebody_real_is_told),
)


def _pool(b: Budget) -> str:
    source = "" if b.plan.max_connections else f", planned for {b.plan.instance}"
    return f"{b.max_connections_percent} % of max_connections={b.max_connections}{source} gives {b.pool}"

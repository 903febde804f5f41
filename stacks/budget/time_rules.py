"""Rules of time: who waits for whom, and for how long. docs/decisions/0020 says why in this order."""

from stacks.budget.findings import ERROR, WARNING, Input, Rule, down, now, up
from stacks.capacity import ANSWER_SECONDS, PIN_SAFE, Budget

# Less than the request waits, where that leaves time to connect.
BORROW_DOWN = Input(
    "connection_borrow_timeout",
    now("connection_borrow_timeout"),
    lambda b: [max(1, b.deadline - 1, b.connect_timeout)],
)
STATEMENT_DOWN = Input(
    "statement_timeout_seconds", now("statement_timeout_seconds"), lambda b: [max(1, b.deadline - 1)]
)
DEADLINE_UP, DEADLINE_DOWN = up("deadline_seconds", 28), down("deadline_seconds", 2)
TIMEOUT_UP = up("timeout_seconds", 29)


def _pool_may_grow(b: Budget) -> str | None:
    if b.connection_borrow_timeout > 0:
        return None
    return "connection_borrow_timeout is 0, so that a request fails whenever no server connection is free at once"


def _borrow_ends_with_function(b: Budget) -> str | None:
    if b.connection_borrow_timeout < b.function_timeout:
        return None
    return (
        f"connection_borrow_timeout is {b.connection_borrow_timeout} s, and the function ends after "
        f"{b.function_timeout} s: its callers get a 5xx without a reason, and the proxy still waits for a connection"
    )


def _borrow_ends_with_request(b: Budget) -> str | None:
    if b.connection_borrow_timeout < b.deadline or b.connection_borrow_timeout >= b.function_timeout:
        return None
    return (
        f"connection_borrow_timeout is {b.connection_borrow_timeout} s, and the function answers 503 after "
        f"{b.deadline} s: the proxy still waits for a connection that its client no longer needs"
    )


def _function_ends_before_api(b: Budget) -> str | None:
    slowest = max(each.timeout_seconds for each in b.plan.workloads)
    if slowest + 1 <= b.api_timeout:
        return None
    return f"the function may take {slowest} s, and the API answers 503 after {b.api_timeout} s"


def _function_has_time_to_answer(b: Budget) -> str | None:
    for each in b.plan.workloads:
        if each.deadline_seconds + ANSWER_SECONDS > each.timeout_seconds:
            return (
                f"timeout_seconds is {each.timeout_seconds}, and a request may take its deadline of "
                f"{each.deadline_seconds} s and {ANSWER_SECONDS} s to answer"
            )
    return None


def _average_fits_deadline(b: Budget) -> str | None:
    for each in b.plan.workloads:
        if each.seconds_in_database >= each.deadline_seconds:
            return (
                f"seconds_in_database is {each.seconds_in_database:g}, and the function answers 503 after "
                f"{each.deadline_seconds} s: not even an average request is served"
            )
    return None


def _connect_fits_deadline(b: Budget) -> str | None:
    if b.connect_timeout < b.deadline:
        return None
    return (
        f"connect_timeout_seconds is {b.connect_timeout} and deadline_seconds {b.deadline}: "
        "a connect that fails slowly leaves no time for another"
    )


def _connect_before_borrow(b: Budget) -> str | None:
    if b.connect_timeout <= b.connection_borrow_timeout or b.connection_borrow_timeout == 0:
        return None
    return (
        f"connect_timeout_seconds is {b.connect_timeout}, longer than connection_borrow_timeout "
        f"{b.connection_borrow_timeout}"
    )


def _client_leaves_first(b: Budget) -> str | None:
    if b.connection_max_age < b.idle_client_timeout:
        return None
    return (
        f"connection_max_age_seconds is {b.connection_max_age}, not less than idle_client_timeout "
        f"{b.idle_client_timeout}: functions use connections that the proxy has closed"
    )


def _frozen_clients_leave(b: Budget) -> str | None:
    if b.idle_client_timeout <= 900 or b.verdict == PIN_SAFE:
        return None
    return (
        f"idle_client_timeout is {b.idle_client_timeout} s, and a frozen environment keeps a pinned server connection "
        "for so long; the budget depends on multiplexing"
    )


def _statement_ends_with_function(b: Budget) -> str | None:
    if b.statement_timeout < b.function_timeout:
        return None
    return (
        f"statement_timeout_seconds is {b.statement_timeout}, not less than timeout_seconds {b.function_timeout}: "
        "statements outlive their callers, and nothing can cancel them through the proxy"
    )


def _statement_ends_with_request(b: Budget) -> str | None:
    if b.statement_timeout < b.deadline or b.statement_timeout >= b.function_timeout:
        return None
    return (
        f"statement_timeout_seconds is {b.statement_timeout}, and the function answers 503 after {b.deadline} s: "
        "the database still works on it, and the connection stays busy"
    )


RULES = (
    Rule("C02", WARNING, _pool_may_grow, (up("connection_borrow_timeout", 300),)),
    Rule("C03", ERROR, _borrow_ends_with_function, (BORROW_DOWN,)),
    Rule("C03", WARNING, _borrow_ends_with_request, (BORROW_DOWN, DEADLINE_UP)),
    Rule("C04", ERROR, _function_ends_before_api, (down("timeout_seconds", 1),)),
    Rule("C05", ERROR, _function_has_time_to_answer, (TIMEOUT_UP, DEADLINE_DOWN)),
    Rule("C05", WARNING, _average_fits_deadline, (DEADLINE_UP,)),
    Rule("C06", WARNING, _connect_fits_deadline, (DEADLINE_UP, down("connect_timeout_seconds", 2))),
    Rule(
        "C06",
        ERROR,
        _connect_before_borrow,
        (down("connect_timeout_seconds", 2), up("connection_borrow_timeout", 300), DEADLINE_UP),
    ),
    Rule("C08", ERROR, _client_leaves_first, (down("connection_max_age_seconds", 1), up("idle_client_timeout", 28800))),
    Rule("C09", WARNING, _frozen_clients_leave, (down("idle_client_timeout", 60),)),
    Rule("C10", ERROR, _statement_ends_with_function, (STATEMENT_DOWN, TIMEOUT_UP)),
    Rule("C10", WARNING, _statement_ends_with_request, (STATEMENT_DOWN, DEADLINE_UP)),
)

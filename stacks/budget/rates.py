"""Whether requests a second fit, whatever the database is: what is expected, what is let through, what is served."""

from collections.abc import Iterator

from stacks.budget.findings import WARNING, Finding, Repair
from stacks.budget.plan import Workload


def unserved(function: Workload) -> str | None:
    """Nothing, or that more requests are expected than a function serves."""
    expected, most = function.requests_per_second, function.most_requests_per_second
    if expected is None or expected <= most:
        return None
    return (
        f"{expected:g} requests a second are expected, and {function.reserved_concurrency} reserved serve "
        f"{float(most):g}: {function.seconds:g} s each, and at most 10 a second for each"
    )


def unprotected(throttle_rate: int, served: float) -> str | None:
    """Nothing, or that the API lets more requests through than the functions serve."""
    if throttle_rate <= served:
        return None
    return (
        f"the API lets {throttle_rate} requests a second through, and the functions serve {served:g}, so that callers "
        "meet Lambda's throttling instead of a 429"
    )


def rate_findings(function: Workload, throttle_rate: int) -> Iterator[Finding]:
    """Both, of an environment with one function."""
    if sentence := unserved(function):
        yield Finding("B07", WARNING, sentence)
    served = float(function.most_requests_per_second)
    if sentence := unprotected(throttle_rate, served):
        lower = (Repair("throttle_rate", int(served), throttle_rate),) if served >= 1 else ()
        yield Finding("B08", WARNING, sentence, lower)

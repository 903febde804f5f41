"""What requests cost roughly, and being told of alarms, whatever the store is."""

from stacks.budget import prices
from stacks.budget.report import Cost


def per_million_requests(seconds: float, memory_mb: int) -> list[Cost]:
    """What a million requests add, each of which takes a function of that memory so long; its database aside."""
    gigabyte_seconds = 1_000_000 * seconds * memory_mb / 1024
    return [
        Cost.of("HTTP API", 1, prices.HTTP_API),
        Cost.of("Lambda, requests", 1, prices.LAMBDA_REQUESTS),
        Cost.of(f"Lambda, {gigabyte_seconds:,.0f} GB s", gigabyte_seconds, prices.LAMBDA_ARM),
    ]


def watching(alarms: int, address: str | None) -> list[Cost]:
    """What alarms cost in a month, and telling somebody of them."""
    key = [] if address is None else [Cost.of("key of the alarms' topic", 1, prices.KEY)]
    return [Cost.of(f"{alarms} alarms", alarms, prices.ALARM), *key]

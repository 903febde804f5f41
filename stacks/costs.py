"""What an environment costs in a month, roughly, before anybody uses it; and what a million requests add."""

from collections.abc import Iterator
from dataclasses import dataclass

from stacks import prices
from stacks.alarm_plan import alarm_plans
from stacks.capacity import Budget
from stacks.config import Environment
from stacks.instance_classes import InstanceClass
from stacks.prices import Price


@dataclass(frozen=True)
class Cost:
    """One line of the estimate: dollars a month, None where the price is not in the table."""

    what: str
    dollars: float | None
    read: str


def monthly(environment: Environment, budget: Budget) -> list[Cost]:
    """What is paid for existing. Left out: log data, backups beyond the database's size, traffic between zones."""
    return [*_database(environment, budget), *_around(environment, budget)]


def total(costs: list[Cost]) -> float | None:
    """The sum, or None where a price is missing."""
    known = [each.dollars for each in costs if each.dollars is not None]
    return sum(known) if len(known) == len(costs) else None


def per_million_requests(environment: Environment, budget: Budget) -> list[Cost]:
    """What a million requests add."""
    (function,) = budget.plan.workloads
    gigabyte_seconds = 1_000_000 * function.seconds * environment.api.memory_mb / 1024
    return [
        _cost("HTTP API", 1, prices.HTTP_API),
        _cost("Lambda, requests", 1, prices.LAMBDA_REQUESTS),
        _cost(f"Lambda, {gigabyte_seconds:,.0f} GB s", gigabyte_seconds, prices.LAMBDA_ARM),
    ]


def instance_price(size: InstanceClass) -> Price | None:
    """An hour of one instance, or None where it is not in the table."""
    if size.name in prices.INSTANCES:
        return prices.INSTANCES[size.name]
    large = prices.LARGE.get(size.family)
    return large and Price(large.dollars * size.vcpus / 2, large.unit, large.read)


def _database(environment: Environment, budget: Budget) -> Iterator[Cost]:
    size, copies = budget.instance_class, 2 if budget.plan.multi_az else 1
    gib = environment.store.allocated_storage_gib
    standby = " and its standby" if copies == 2 else ""
    price = instance_price(size)
    name = f"db.{size.name}{standby}"
    yield Cost(name, None, "not in the price table") if price is None else _cost(name, copies * prices.HOURS, price)
    yield _cost(f"{gib} GiB of gp3 storage{standby and ', twice'}", copies * gib, prices.GP3)


def _around(environment: Environment, budget: Budget) -> Iterator[Cost]:
    vcpus = max(2, budget.instance_class.vcpus)
    yield _cost(f"RDS Proxy, {vcpus} vCPUs", vcpus * prices.HOURS, prices.PROXY)
    if not environment.store.uses_iam:
        zones = environment.availability_zones if budget.plan.multi_az else 1
        what = f"endpoint of Secrets Manager, {zones} zone{'s' if zones > 1 else ''}"
        yield _cost(what, zones * prices.HOURS, prices.INTERFACE_ENDPOINT)
        yield _cost("2 secrets", 2, prices.SECRET)
    alarms = len(alarm_plans(budget, environment.store.allocated_storage_gib))
    yield _cost(f"{alarms} alarms", alarms, prices.ALARM)
    if budget.plan.alarm_address is not None:
        yield _cost("key of the alarms' topic", 1, prices.KEY)


def _cost(what: str, count: float, price: Price) -> Cost:
    return Cost(what, count * price.dollars, price.read)

"""What an environment on RDS costs in a month, roughly, before anybody uses it."""

from collections.abc import Iterator

from stacks.budget import prices
from stacks.budget.costs import watching
from stacks.budget.instance_classes import InstanceClass
from stacks.budget.prices import Price
from stacks.budget.report import Cost
from stacks.capacity import Budget
from stacks.config import Environment
from stacks.postgres.alarm_plan import every_alarm_plan


def monthly(environment: Environment, budget: Budget) -> list[Cost]:
    """What is paid for existing. Left out: log data, backups beyond the database's size, traffic between zones."""
    return [*_database(environment, budget), *_around(environment, budget)]


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
    yield Cost(name, None, "not in the price table") if price is None else Cost.of(name, copies * prices.HOURS, price)
    yield Cost.of(f"{gib} GiB of gp3 storage{standby and ', twice'}", copies * gib, prices.GP3)


def _around(environment: Environment, budget: Budget) -> Iterator[Cost]:
    vcpus = max(2, budget.instance_class.vcpus)
    yield Cost.of(f"RDS Proxy, {vcpus} vCPUs", vcpus * prices.HOURS, prices.PROXY)
    if budget.plan.credentials == "secrets":
        zones = environment.availability_zones if budget.plan.multi_az else 1
        what = f"endpoint of Secrets Manager, {zones} zone{'s' if zones > 1 else ''}"
        yield Cost.of(what, zones * prices.HOURS, prices.INTERFACE_ENDPOINT)
        yield Cost.of("2 secrets", 2, prices.SECRET)
    yield from watching(len(every_alarm_plan(environment, budget)), budget.plan.alarm_address)

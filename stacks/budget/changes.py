"""An environment in which a few inputs are other ones, to see what that would mean."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from stacks.config import Environment

OF_THE_THROTTLE = ("throttle_rate", "throttle_burst")
OF_THE_ENVIRONMENT = ("account_concurrency", "alarm_address", "retain")


def changed(environment: Environment[Any], changes: Mapping[str, Any]) -> Environment[Any]:
    """The environment with other values, by names of its store, its function, its throttle, or a few of its own.

    Raises ValueError for a name that is none of them, or a value that is not allowed.
    """
    of_the_store, of_the_function = _names(environment.store), _names(environment.api)
    known = {*of_the_store, *of_the_function, *OF_THE_THROTTLE, *OF_THE_ENVIRONMENT}
    for name in changes:
        if name not in known:
            raise ValueError(f"{name!r} is no input of the budget, known are {', '.join(sorted(known))}")

    def of(names: tuple[str, ...]) -> dict[str, Any]:
        return {name: value for name, value in changes.items() if name in names}

    throttle = {name.removeprefix("throttle_"): value for name, value in of(OF_THE_THROTTLE).items()}
    return replace(
        environment,
        store=replace(environment.store, **of(of_the_store)),
        api=replace(environment.api, **of(of_the_function)),
        throttle=replace(environment.throttle, **throttle),
        **of(OF_THE_ENVIRONMENT),
    )


def _names(owner: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(owner))

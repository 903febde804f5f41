"""Wrong stacks by what is wrong in them; importing a module adds its cases to the suite."""

from . import authentication, concurrency, database, login, network, pool, security_groups, surroundings, timeouts

__all__ = [
    "authentication",
    "concurrency",
    "database",
    "login",
    "network",
    "pool",
    "security_groups",
    "surroundings",
    "timeouts",
]

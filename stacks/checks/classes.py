"""Memory of instance classes, and the max_connections that RDS for PostgreSQL derives from it.

Sources: Amazon RDS User Guide, "DB instance classes" and "Quotas and constraints", read October 2026.
"""

import re
from typing import Any

SIZES = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}  # of t3 and t4g
PER_LARGE = {"m": 8.0, "r": 16.0, "c": 4.0, "x": 32.0}  # GiB of the size "large"; x is 32 since x2g
MULTIPLES = {"medium": 0.5, "large": 1, "xlarge": 2}
BYTES_PER_CONNECTION = 9_531_392
LARGEST_DEFAULT = 5000
GIB_PER_ACU = 2
MOST_WITH_LITTLE_MEMORY = 2000  # of Aurora Serverless, whose minimum is 0 or 0.5 ACU
GIB, MIB = 2**30, 2**20
FORMULA = re.compile(r"(LEAST\()?\{DBInstanceClassMemory/(?P<divisor>\d+)\}(?(1),\s*(?P<most>\d+)\))")


def memory_gib(instance_class: Any) -> float | None:
    """Nominal memory of a class such as db.r8g.large; None for one that is not known, and for db.serverless."""
    if not isinstance(instance_class, str) or instance_class.count(".") < 2:
        return None
    _, family, size = instance_class.split(".")[:3]
    if family in ("t3", "t4g"):
        return SIZES.get(size)
    if family[:1] not in PER_LARGE or not family[1:2].isdigit():
        return None
    if size.endswith("xlarge") and size != "xlarge":
        return PER_LARGE[family[0]] * 2 * float(size.removesuffix("xlarge")) if size[:-6].isdigit() else None
    return PER_LARGE[family[0]] * MULTIPLES[size] if size in MULTIPLES else None


def default_max_connections(gib: float) -> int:
    """What LEAST(DBInstanceClassMemory/9531392, 5000) comes to, within about 5 %.

    DBInstanceClassMemory is what the system and RDS leave; the fit is of the numbers that AWS publishes by memory.
    """
    return min(LARGEST_DEFAULT, int(_usable(gib) / BYTES_PER_CONNECTION))


def _usable(gib: float) -> float:
    return gib * GIB - (203 + 63.5 * gib) * MIB


def by_formula(formula: Any, gib: float | None) -> int | None:
    """What a formula such as LEAST({DBInstanceClassMemory/12582880},5000) comes to; None for one that is another."""
    found = FORMULA.fullmatch(formula) if isinstance(formula, str) else None
    if found is None or gib is None or not int(found["divisor"]):
        return None
    connections = int(_usable(gib) / int(found["divisor"]))
    return min(connections, int(found["most"])) if found["most"] else connections


def most_connections(gib: float) -> int:
    """What the same formula would give if the database had all of the class's memory."""
    return min(LARGEST_DEFAULT, int(gib * GIB / BYTES_PER_CONNECTION))

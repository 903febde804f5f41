"""Instance classes of RDS PostgreSQL: memory, vCPUs, and the max_connections that follows from the memory.

Source: AWS CloudFormation's schema of AWS::RDS::DBInstance as cfn-lint 1.58.0 ships it (2026-10-20), engine postgres;
memory and vCPUs from "DB instance class types" in the Amazon RDS User Guide. Previous generations (m4, r4, t2 and
older) are left out: PostgreSQL 18 does not run on them.
"""

import math
from dataclasses import dataclass

SOURCE = "CloudFormation's schema as of 2026-10-20 (cfn-lint 1.58.0); memory: Amazon RDS User Guide"

TO_16 = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
TO_24 = (*TO_16, "24xlarge")
TO_32 = (*TO_24, "32xlarge")
TO_48 = (*TO_24, "48xlarge")
BURSTABLE = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}  # GiB

# family -> (GiB for each vCPU, sizes)
FAMILIES: dict[str, tuple[int, tuple[str, ...]]] = {
    **dict.fromkeys(("m6g", "m6gd", "m7g"), (4, TO_16)),
    **dict.fromkeys(("m5", "m5d"), (4, TO_24)),
    **dict.fromkeys(("m6i", "m6id", "m6idn", "m6in"), (4, TO_32)),
    **dict.fromkeys(("m7i", "m8a", "m8g", "m8gd", "m9g"), (4, TO_48)),
    **dict.fromkeys(("r6g", "r6gd", "r7g"), (8, TO_16)),
    **dict.fromkeys(("r5", "r5b", "r5d"), (8, TO_24)),
    **dict.fromkeys(("r6i", "r6id", "r6idn", "r6in"), (8, TO_32)),
    **dict.fromkeys(("r7i", "r8a", "r8g", "r8gd"), (8, TO_48)),
    "x2g": (16, TO_16),
    "x2idn": (16, ("16xlarge", "24xlarge", "32xlarge")),
    "x2iedn": (32, ("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge", "24xlarge", "32xlarge")),
}

MEBIBYTE = 2**20
BYTES_A_CONNECTION = 9_531_392  # the divisor in the default of max_connections; see estimated_max_connections


@dataclass(frozen=True)
class InstanceClass:
    """One class, named without its prefix db. `memory_gib` is what AWS advertises, `vcpus` a count."""

    name: str
    memory_gib: int
    vcpus: int

    @property
    def family(self) -> str:
        """What comes before the dot: t4g, r8g."""
        return self.name.partition(".")[0]

    @property
    def burstable(self) -> bool:
        """Whether its CPU is credit that runs out (T classes), which AWS advises for development and tests."""
        return self.family.startswith("t")


def _all() -> dict[str, InstanceClass]:
    burstable = [
        InstanceClass(f"{family}.{size}", gib, max(2, gib // 4))
        for family in ("t3", "t4g")
        for size, gib in BURSTABLE.items()
    ]
    others = [
        InstanceClass(f"{family}.{size}", vcpus(size) * gib_per_vcpu, vcpus(size))
        for family, (gib_per_vcpu, sizes) in FAMILIES.items()
        for size in sizes
    ]
    return {each.name: each for each in (*burstable, *others)}


def vcpus(size: str) -> int:
    """The vCPUs of a size of the families that are not burstable: large has 2, xlarge 4, 12xlarge 48."""
    return 2 if size == "large" else 4 * int(size.removesuffix("xlarge") or 1)


INSTANCE_CLASSES = _all()


def instance_class(name: str) -> InstanceClass:
    """The class of that name (without the prefix db.); ValueError lists the known ones when there is none."""
    if isinstance(name, str) and name in INSTANCE_CLASSES:
        return INSTANCE_CLASSES[name]
    sizes: dict[str, list[str]] = {}
    for known in INSTANCE_CLASSES:
        family, _, size = known.partition(".")
        sizes.setdefault(family, []).append(size)
    families: dict[tuple[str, ...], list[str]] = {}
    for family, its in sizes.items():
        families.setdefault(tuple(its), []).append(family)
    listed = "; ".join(f"{', '.join(alike)} in {', '.join(its)}" for its, alike in families.items())
    raise ValueError(f"instance is {name!r}, known are {listed} ({SOURCE}): choose one, such as t4g.micro")


def larger(than: InstanceClass) -> list[InstanceClass]:
    """Classes with more memory, least first: of the same family, and then memory-optimised ones (r8g)."""
    same = [each for each in INSTANCE_CLASSES.values() if each.family == than.family]
    most = max(each.memory_gib for each in same)
    beyond = [each for each in INSTANCE_CLASSES.values() if each.family == "r8g" and each.memory_gib > most]
    return sorted(
        (each for each in (*same, *beyond) if each.memory_gib > than.memory_gib), key=lambda each: each.memory_gib
    )


def as_large(as_this: InstanceClass, family: str) -> InstanceClass:
    """The smallest class of a family with as much memory, or its largest."""
    classes = [each for each in INSTANCE_CLASSES.values() if each.family == family]
    return next((each for each in classes if each.memory_gib >= as_this.memory_gib), classes[-1])


def estimated_max_connections(memory_gib: float) -> int:
    """The max_connections that PostgreSQL starts with on a class of `memory_gib` GiB: a planning assumption.

    RDS sets LEAST(DBInstanceClassMemory / 9531392, 5000), where DBInstanceClassMemory is what the operating system and
    RDS leave over, which AWS does not publish. It publishes what results for Aurora Serverless v2 (2 GiB: 189, 8: 823,
    16: 1669, 32: 3360, 64 and more: 5000); this line (203 MiB, and 63.5 MiB for each GiB) meets those within 0.1 %.
    Elsewhere it may be off by 5 %: `SHOW max_connections` tells.
    Source: "Quotas and constraints for Amazon RDS"; "Maximum connections for Aurora Serverless v2".
    """
    usable = memory_gib * 1024 * MEBIBYTE - (203 + 63.5 * memory_gib) * MEBIBYTE
    return min(5000, math.floor(usable / BYTES_A_CONNECTION))

"""F: the database itself."""

from collections.abc import Iterator

from .references import shown
from .rule import Finding, Severity, rule
from .servers import is_false
from .stage import Stage
from .template import Resource
from .values import Unknown, number

STORAGE = 'Amazon RDS User Guide, "Amazon RDS DB instance storage"'
FEWEST_BACKUP_DAYS, MOST_BACKUP_DAYS = 7, 35
SMALLEST_GP3, STRIPED_GP3 = 20, 400  # GiB


def _is_copy(database: Resource) -> bool:
    """Whether an instance is a replica or a restored one, which take settings from their source."""
    names = ("SourceDBInstanceIdentifier", "DBSnapshotIdentifier", "SnapshotIdentifier", "SourceDBClusterIdentifier")
    more = ("SourceDBInstanceAutomatedBackupsArn", "SourceDbiResourceId", "ReplicationSourceIdentifier")
    return any(database.get(name) is not None for name in (*names, *more))


def _is_instance(database: Resource) -> bool:
    return database.type == "AWS::RDS::DBInstance"


@rule(
    "F01",
    Severity.PRODUCTION,
    "a production instance has a standby in another zone",
    fix="set multi_az=True",
    source="Security Hub RDS.5; cdk-nag RDS3",
)
def _instances_have_a_standby(stage: Stage) -> Iterator[Finding]:
    for database in filter(_is_instance, stage.databases):
        if is_false(database.get("MultiAZ")) and database.get("SourceDBInstanceIdentifier") is None:
            yield Finding(database, "MultiAZ", shown(database.get("MultiAZ")))


@rule(
    "F02",
    Severity.PRODUCTION,
    "a production database cannot be deleted by a mistake",
    fix="set deletion_protection=True, and removal_policy SNAPSHOT or RETAIN",
    source="Security Hub RDS.8; cdk-nag RDS10",
)
def _databases_are_kept(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        if database.get("SourceDBInstanceIdentifier") is not None:
            continue
        wrong = [
            shown(database.get("DeletionProtection")) if is_false(database.get("DeletionProtection")) else "",
            "DeletionPolicy Delete" if database.body.get("DeletionPolicy") == "Delete" else "",
        ]
        if any(wrong):
            yield Finding(database, "DeletionProtection", ", ".join(filter(None, wrong)))


@rule(
    "F03",
    Severity.ERROR,
    "storage is encrypted, which cannot be changed later",
    fix="set storage_encrypted=True",
    source="Security Hub RDS.3; cdk-nag RDS2",
)
def _storage_is_encrypted(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        if not _is_copy(database) and is_false(database.get("StorageEncrypted")):
            yield Finding(database, "StorageEncrypted", shown(database.get("StorageEncrypted")))


@rule(
    "F04",
    Severity.PRODUCTION,
    "backups are kept for 7 to 35 days in production",
    fix="set backup_retention to 7 days or more, 35 at most",
    source="Security Hub RDS.11",
)
def _backups_are_kept(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        if database.get("SourceDBInstanceIdentifier") is not None:
            continue
        value = database.get("BackupRetentionPeriod")
        days = 1 if value is None else number(value)
        if days is None:
            continue
        shown_days = f"{days:.10g} days" if value is not None else "not set, so 1 day"
        if not 0 <= days <= MOST_BACKUP_DAYS:
            yield Finding(database, "BackupRetentionPeriod", shown_days, Severity.ERROR)
        elif days < FEWEST_BACKUP_DAYS:
            yield Finding(database, "BackupRetentionPeriod", shown_days)


@rule(
    "F05",
    Severity.ERROR,
    "storage is gp3 of 20 GiB or more, with its own IOPS and throughput from 400 GiB",
    fix="set storage_type GP3; below 400 GiB it has 3000 IOPS and 125 MiB/s, and takes no other",
    source=STORAGE,
)
def _storage_is_gp3(stage: Stage) -> Iterator[Finding]:
    for database in filter(_is_instance, stage.databases):
        kind, size = database.get("StorageType"), number(database.get("AllocatedStorage"))
        if kind in ("standard", "magnetic"):
            yield Finding(database, "StorageType", str(kind))
        elif kind == "gp2":
            yield Finding(database, "StorageType", "gp2, the previous generation", Severity.WARNING)
        elif kind == "gp3" and size is not None and size < SMALLEST_GP3:
            yield Finding(database, "AllocatedStorage", f"{size:.10g} GiB of gp3")
        elif kind == "gp3" and size is not None and size < STRIPED_GP3 and _is_striped(database):
            for name in ("Iops", "StorageThroughput"):
                if number(database.get(name)) is not None:
                    yield Finding(database, name, f"{shown(database.get(name))} with {size:.10g} GiB")


def _is_striped(database: Resource) -> bool:
    return database.get("Engine") in ("postgres", "mysql", "mariadb")


@rule(
    "F06",
    Severity.WARNING,
    "storage can grow by 10 % or more",
    fix="set max_allocated_storage to at least 1.1 times allocated_storage",
    source='Amazon RDS User Guide, "Managing capacity automatically with storage autoscaling"',
)
def _storage_can_grow(stage: Stage) -> Iterator[Finding]:
    for database in filter(_is_instance, stage.databases):
        value, size = database.get("MaxAllocatedStorage"), number(database.get("AllocatedStorage"))
        most = number(value)
        if str(database.get("Engine")).startswith("aurora") or isinstance(value, Unknown):
            continue
        if value is None or (most is not None and size is not None and 10 * most < 11 * size):
            now = "" if size is None else f", for {size:.10g} GiB now"
            yield Finding(database, "MaxAllocatedStorage", f"{shown(value)}{now}")


@rule(
    "F07",
    Severity.ONLY_PRODUCTION,
    "a production database is not of a burstable class",
    fix="take an M or R class; T classes are for development, and bill what they burst",
    source='Amazon RDS User Guide, "DB instance class types"',
)
def _classes_do_not_burst(stage: Stage) -> Iterator[Finding]:
    for database in stage.of_type("AWS::RDS::DBInstance"):
        instance_class = database.get("DBInstanceClass")
        if isinstance(instance_class, str) and instance_class.startswith("db.t"):
            yield Finding(database, "DBInstanceClass", instance_class)

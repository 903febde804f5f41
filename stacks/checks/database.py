"""F: the database itself."""

from collections.abc import Iterator
from datetime import date

from .rule import Finding, Severity, rule
from .stage import MYSQL, Stage, is_false, is_postgres
from .template import Resource, Unknown, listed, mentioned, number, shown, truth

STORAGE = 'Amazon RDS User Guide, "Amazon RDS DB instance storage"'
CALENDAR = 'Amazon RDS for PostgreSQL Release Notes, release calendar, read October 2026'
# The last day of standard support of each major version of RDS for PostgreSQL.
STANDARD_SUPPORT = {
    13: date(2026, 2, 28),
    14: date(2027, 2, 28),
    15: date(2028, 2, 29),
    16: date(2029, 2, 28),
    17: date(2030, 2, 28),
    18: date(2031, 2, 28),
}
DAYS_OF_WARNING = 365
FEWEST_BACKUP_DAYS, MOST_BACKUP_DAYS = 7, 35
SMALLEST_GP3, STRIPED_GP3 = 20, 400  # GiB
GROWTH = 1.1
TLS_BY_DEFAULT_SINCE = 15
PROXY_ENGINES = (*MYSQL, "postgres", "aurora-postgresql", "sqlserver-ee", "sqlserver-se", "sqlserver-ex", "sqlserver-web")


def _is_copy(database: Resource) -> bool:
    """Whether an instance is a replica or a restored one, which take settings from their source."""
    names = ("SourceDBInstanceIdentifier", "DBSnapshotIdentifier", "SnapshotIdentifier", "SourceDBClusterIdentifier")
    more = ("SourceDBInstanceAutomatedBackupsArn", "SourceDbiResourceId", "ReplicationSourceIdentifier")
    return any(database.get(name) is not None for name in (*names, *more))


def _is_instance(database: Resource) -> bool:
    return database.type == "AWS::RDS::DBInstance"


def major_version(database: Resource) -> int | None:
    """The major version of PostgreSQL; None when it cannot be known."""
    found = number(str(database.get("EngineVersion")).partition(".")[0])
    return int(found) if found is not None and is_postgres(database) else None


@rule(
    "F01",
    Severity.PRODUCTION,
    "a production instance has a standby in another zone",
    fix="set multi_az=True",
    source="Security Hub RDS.5; cdk-nag RDS3",
)
def instances_have_a_standby(stage: Stage) -> Iterator[Finding]:
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
def databases_are_kept(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        if database.get("SourceDBInstanceIdentifier") is not None:
            continue
        wrong = [
            "DeletionProtection " + shown(database.get("DeletionProtection"))
            if is_false(database.get("DeletionProtection"))
            else "",
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
def storage_is_encrypted(stage: Stage) -> Iterator[Finding]:
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
def backups_are_kept(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        if database.get("SourceDBInstanceIdentifier") is not None:
            continue
        value = database.get("BackupRetentionPeriod")
        days = 1 if value is None else number(value)
        if days is None:
            continue
        shown_days = f"{days:g} days" if value is not None else "not set, so 1 day"
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
def storage_is_gp3(stage: Stage) -> Iterator[Finding]:
    for database in filter(_is_instance, stage.databases):
        kind, size = database.get("StorageType"), number(database.get("AllocatedStorage"))
        if kind in ("standard", "magnetic"):
            yield Finding(database, "StorageType", str(kind))
        elif kind == "gp2":
            yield Finding(database, "StorageType", "gp2, the previous generation", Severity.WARNING)
        elif kind == "gp3" and size is not None and size < SMALLEST_GP3:
            yield Finding(database, "AllocatedStorage", f"{size:g} GiB of gp3")
        elif kind == "gp3" and size is not None and size < STRIPED_GP3 and _is_striped(database):
            for name in ("Iops", "StorageThroughput"):
                if database.get(name) is not None:
                    yield Finding(database, name, f"{shown(database.get(name))} with {size:g} GiB")


def _is_striped(database: Resource) -> bool:
    return database.get("Engine") in ("postgres", "mysql", "mariadb")


@rule(
    "F06",
    Severity.WARNING,
    "storage can grow by 10 % or more",
    fix="set max_allocated_storage to at least 1.1 times allocated_storage",
    source='Amazon RDS User Guide, "Managing capacity automatically with storage autoscaling"',
)
def storage_can_grow(stage: Stage) -> Iterator[Finding]:
    for database in filter(_is_instance, stage.databases):
        value, size = database.get("MaxAllocatedStorage"), number(database.get("AllocatedStorage"))
        most = number(value)
        if str(database.get("Engine")).startswith("aurora") or isinstance(value, Unknown):
            continue
        if value is None or (most is not None and size is not None and most < GROWTH * size):
            yield Finding(database, "MaxAllocatedStorage", f"{shown(value)}, of {shown(database.get('AllocatedStorage'))} GiB")


@rule(
    "F07",
    Severity.ONLY_PRODUCTION,
    "a production database is not of a burstable class",
    fix="take an M or R class; T classes are for development, and bill what they burst",
    source='Amazon RDS User Guide, "DB instance class types"',
)
def classes_do_not_burst(stage: Stage) -> Iterator[Finding]:
    for database in stage.of_type("AWS::RDS::DBInstance"):
        instance_class = database.get("DBInstanceClass")
        if isinstance(instance_class, str) and instance_class.startswith("db.t"):
            yield Finding(database, "DBInstanceClass", instance_class)


@rule(
    "F08",
    Severity.ERROR,
    "a proxy's engine is one that RDS Proxy has, and its PostgreSQL has standard support for a year or more",
    fix="upgrade to a newer major version",
    source=f"{CALENDAR}; Amazon RDS User Guide, supported engines for RDS Proxy",
)
def versions_are_supported(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        engine, major = database.get("Engine"), major_version(database)
        if stage.proxies_of(database) and isinstance(engine, str) and engine not in PROXY_ENGINES:
            yield Finding(database, "Engine", engine)
        if major is None:
            continue
        if major < min(STANDARD_SUPPORT):
            yield Finding(database, "EngineVersion", f"{database.get('EngineVersion')}, of which support has ended")
            continue
        end = STANDARD_SUPPORT.get(major)
        if end is not None and engine == "postgres" and (end - stage.today).days < DAYS_OF_WARNING:
            value = f"{database.get('EngineVersion')}, with standard support until {end}"
            yield Finding(database, "EngineVersion", value, Severity.WARNING)


@rule(
    "F09",
    Severity.WARNING,
    "Extended Support, which is billed by the vCPU, does not begin by itself",
    fix="set engine_lifecycle_support to OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED",
    source='Amazon RDS User Guide, "Amazon RDS Extended Support charges"',
)
def extended_support_is_a_choice(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        value = database.get("EngineLifecycleSupport")
        is_open_source = is_postgres(database) or database.get("Engine") in ("mysql", "aurora-mysql")
        is_replica = database.get("SourceDBInstanceIdentifier") is not None
        if is_open_source and not is_replica and value in (None, "open-source-rds-extended-support"):
            yield Finding(database, "EngineLifecycleSupport", shown(value))


@rule(
    "F10",
    Severity.WARNING,
    "minor versions are upgraded automatically, major ones are not allowed for ever",
    fix="set auto_minor_version_upgrade=True, and allow_major_version_upgrade only while upgrading",
    source="Security Hub RDS.13",
)
def only_minor_upgrades(stage: Stage) -> Iterator[Finding]:
    for database in stage.of_type("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"):
        minor, major = database.get("AutoMinorVersionUpgrade"), database.get("AllowMajorVersionUpgrade")
        if minor is not None and is_false(minor):
            yield Finding(database, "AutoMinorVersionUpgrade", "false")
        if truth(major):
            yield Finding(database, "AllowMajorVersionUpgrade", "true")


@rule(
    "F11",
    Severity.ERROR,
    "PostgreSQL takes TLS connections only",
    fix="set rds.force_ssl to 1 in the parameter group",
    source='Amazon RDS User Guide, "Using SSL with a PostgreSQL DB instance"; Security Hub RDS.38',
)
def tls_is_forced(stage: Stage) -> Iterator[Finding]:
    for database in filter(is_postgres, stage.databases):
        groups, value = stage.parameter_groups(database), stage.parameter(database, "rds.force_ssl")
        major, forced = major_version(database), number(value)
        if forced == 0:
            yield Finding(groups[0], "Parameters.rds.force_ssl", "0")
        elif value is None and major is not None and major < TLS_BY_DEFAULT_SINCE and _has_no_other_group(database, groups):
            where = groups[0] if groups else database
            yield Finding(where, "Parameters.rds.force_ssl", f"not set, and PostgreSQL {major} does not force it")


def _has_no_other_group(database: Resource, groups: list[Resource]) -> bool:
    """Whether every parameter group is of this stage, or RDS's default."""
    named = [database.get(name) for name in ("DBParameterGroupName", "DBClusterParameterGroupName")]
    others = [each for each in named if each is not None and not list(mentioned(each))]
    return bool(groups) or all(str(each).startswith("default.") for each in others)


@rule(
    "F12",
    Severity.WARNING,
    "PostgreSQL's log is published to CloudWatch",
    fix='set cloudwatch_logs_exports=["postgresql"], and a log group with retention',
    source="Security Hub RDS.36",
)
def logs_are_exported(stage: Stage) -> Iterator[Finding]:
    for database in filter(is_postgres, stage.databases):
        exports = database.get("EnableCloudwatchLogsExports")
        if not isinstance(exports, Unknown) and "postgresql" not in listed(exports):
            if any(isinstance(each, Unknown) for each in listed(exports)):
                continue
            yield Finding(database, "EnableCloudwatchLogsExports", shown(exports))

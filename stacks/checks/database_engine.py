"""F: the database's engine: versions, support, TLS, logs."""

from collections.abc import Iterator
from datetime import date

from .references import mentioned, shown
from .rule import Finding, Severity, rule
from .servers import MYSQL, is_false, is_postgres
from .stage import Stage
from .template import Resource
from .values import Unknown, listed, number, truth

CALENDAR = "Amazon RDS for PostgreSQL Release Notes, release calendar, read October 2026"
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
TLS_BY_DEFAULT_SINCE = 15
PROXY_ENGINES = (
    *MYSQL,
    "postgres",
    "aurora-postgresql",
    "sqlserver-ee",
    "sqlserver-se",
    "sqlserver-ex",
    "sqlserver-web",
)


def major_version(database: Resource) -> int | None:
    """The major version of PostgreSQL; None when it cannot be known."""
    found = number(str(database.get("EngineVersion")).partition(".")[0])
    return int(found) if found is not None and is_postgres(database) else None


@rule(
    "F08",
    Severity.ERROR,
    "a proxy's engine is one that RDS Proxy has, and its PostgreSQL has standard support for a year or more",
    fix="upgrade to a newer major version",
    source=f"{CALENDAR}; Amazon RDS User Guide, supported engines for RDS Proxy",
)
def _versions_are_supported(stage: Stage) -> Iterator[Finding]:
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
def _extended_support_is_a_choice(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        value = database.get("EngineLifecycleSupport")
        is_open_source = is_postgres(database) or database.get("Engine") in ("mysql", "aurora-mysql")
        is_replica = any(
            database.get(name) is not None for name in ("SourceDBInstanceIdentifier", "GlobalClusterIdentifier")
        )
        if is_open_source and not is_replica and value in (None, "open-source-rds-extended-support"):
            yield Finding(database, "EngineLifecycleSupport", shown(value))


@rule(
    "F10",
    Severity.WARNING,
    "minor versions are upgraded automatically, major ones are not allowed for ever",
    fix="set auto_minor_version_upgrade=True, and allow_major_version_upgrade only while upgrading",
    source="Security Hub RDS.13",
)
def _only_minor_upgrades(stage: Stage) -> Iterator[Finding]:
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
def _tls_is_forced(stage: Stage) -> Iterator[Finding]:
    for database in filter(is_postgres, stage.databases):
        groups, value = stage.parameter_groups(database), stage.parameter(database, "rds.force_ssl")
        major, forced = major_version(database), number(value)
        if forced == 0:
            yield Finding(groups[0], "Parameters.rds.force_ssl", "0")
        elif (
            value is None
            and major is not None
            and major < TLS_BY_DEFAULT_SINCE
            and _has_no_other_group(database, groups)
        ):
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
def _logs_are_exported(stage: Stage) -> Iterator[Finding]:
    for database in filter(is_postgres, stage.databases):
        exports = database.get("EnableCloudwatchLogsExports")
        if not isinstance(exports, Unknown) and "postgresql" not in listed(exports):
            if any(isinstance(each, Unknown) for each in listed(exports)):
                continue
            yield Finding(database, "EnableCloudwatchLogsExports", shown(exports))

"""F: what goes with a database: insights, users, replicas, scaling."""

from collections.abc import Iterator
from typing import Any

from .authentication import username
from .references import shown
from .rule import Finding, Severity, rule
from .servers import DATABASES
from .stage import Stage
from .template import Resource
from .values import Text, Unknown, listed, number, truth

INSIGHTS = 'Amazon RDS User Guide, "Database Insights" and the end of the Performance Insights console, June 2026'
ADVANCED_DAYS, FREE_DAYS = 465, 7
IN_THE_OPEN = ("postgres", "admin", "root", "administrator")


@rule(
    "F13",
    Severity.ERROR,
    "Database Insights advanced has Performance Insights kept for 465 days or more; anything over 7 days is advanced",
    fix="set enable_performance_insights=True and a retention of 15 months, or mode STANDARD and 7 days",
    source=INSIGHTS,
)
def _insights_fit_together(stage: Stage) -> Iterator[Finding]:
    for database in stage.of_type(*DATABASES):
        mode, days = database.get("DatabaseInsightsMode"), database.get("PerformanceInsightsRetentionPeriod")
        kept, enabled = number(days), _enabled(database)
        if mode == "advanced" and (enabled is False or days is None or (kept is not None and kept < ADVANCED_DAYS)):
            value = f"advanced, with Performance Insights {'on' if enabled else 'off'} and kept {shown(days)} days"
            yield Finding(database, "DatabaseInsightsMode", value)
        elif mode in (None, "standard") and kept is not None and kept > FREE_DAYS and enabled is not False:
            value = f"{kept:.10g} days with DatabaseInsightsMode {shown(mode)}"
            yield Finding(database, "PerformanceInsightsRetentionPeriod", value, Severity.WARNING)


def _enabled(database: Resource) -> bool | None:
    value = database.get("EnablePerformanceInsights")
    return truth(database.get("PerformanceInsightsEnabled") if value is None else value)


@rule(
    "F14",
    Severity.WARNING,
    "the master user has a name of its own",
    fix="set credentials with another name, such as rds.Credentials.from_generated_secret('owner')",
    source="Security Hub RDS.25",
)
def _master_has_a_name(stage: Stage) -> Iterator[Finding]:
    for database in stage.databases:
        name = _master(stage, database.get("MasterUsername"))
        if name in IN_THE_OPEN:
            yield Finding(database, "MasterUsername", str(name))


def _master(stage: Stage, value: Any) -> str | None:
    if isinstance(value, str) and not value.startswith("{{"):
        return value
    secret = stage.secret_of(value) if isinstance(value, Text) else None
    return None if secret is None else username(secret)


@rule(
    "F15",
    Severity.ERROR,
    "a proxy has one target, which is no read replica; a read-only endpoint is for a cluster",
    fix="register the source instance, or an Aurora cluster with a read-only proxy endpoint",
    source='Amazon RDS User Guide, "Amazon RDS Proxy", quotas and limitations',
)
def _one_writer_per_proxy(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        names = ("DBInstanceIdentifiers", "DBClusterIdentifiers")
        targets = [(group, name, each) for group in proxy.groups for name in names for each in listed(group.get(name))]
        known = [each for each in targets if not isinstance(each[2], Unknown)]  # of two conditions one may hold
        if len(known) > 1:
            yield Finding(known[-1][0], known[-1][1], ", ".join(shown(each) for _, _, each in known))
        for target in proxy.targets:
            if target.get("SourceDBInstanceIdentifier") is not None:
                yield Finding(proxy.groups[0], "DBInstanceIdentifiers", f"{target.id}, a read replica")
        instances = [each for each in proxy.targets if each.type == "AWS::RDS::DBInstance"]
        for endpoint in stage.endpoints_of(proxy) if instances else []:
            if endpoint.get("TargetRole") == "READ_ONLY":
                yield Finding(endpoint, "TargetRole", f"READ_ONLY, and {instances[0].id} is an instance: no readers")


@rule(
    "F16",
    Severity.ERROR,
    "Aurora behind a proxy does not count on pausing",
    fix="set the minimum capacity to 0.5 ACU or more, or go without a proxy: its connection keeps the cluster awake",
    source='Amazon Aurora User Guide, "Scaling to zero ACUs with automatic pause and resume"',
)
def _proxied_aurora_does_not_pause(stage: Stage) -> Iterator[Finding]:
    for proxy in stage.proxies:
        for target in proxy.targets:
            least = number(target.get("ServerlessV2ScalingConfiguration", "MinCapacity"))
            if least == 0:
                yield Finding(target, "ServerlessV2ScalingConfiguration.MinCapacity", f"0, behind {proxy.resource.id}")

"""I: DynamoDB tables."""

from collections.abc import Iterator
from typing import Any

from .references import shown
from .rule import Finding, Severity, rule
from .servers import is_false
from .stage import Stage
from .template import Resource
from .values import listed, truth, within

GUIDE = "Amazon DynamoDB Developer Guide"
WIDE = ("dynamodb:Scan", "dynamodb:PartiQLSelect")


def _settings(stage: Stage, table: str, *path: str) -> Iterator[tuple[Resource, Any, str]]:
    """A setting of every table: of AWS::DynamoDB::Table, and of each replica of a GlobalTable."""
    for each in stage.of_type("AWS::DynamoDB::Table"):
        yield each, within(each.properties, table, *path), ".".join((table, *path))
    for each in stage.of_type("AWS::DynamoDB::GlobalTable"):
        for replica in listed(each.get("Replicas")):
            yield each, within(replica, table, *path), f"Replicas.{'.'.join((table, *path))}"


@rule(
    "I01",
    Severity.PRODUCTION,
    "a production table can be restored to any moment",
    fix="set point_in_time_recovery_specification with point_in_time_recovery_enabled=True",
    source="Security Hub DynamoDB.2; cdk-nag DDB3",
)
def _tables_can_be_restored(stage: Stage) -> Iterator[Finding]:
    for table, value, path in _settings(stage, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"):
        if is_false(value):
            yield Finding(table, path, shown(value))


@rule(
    "I02",
    Severity.PRODUCTION,
    "a production table cannot be deleted by a mistake",
    fix="set deletion_protection=True",
    source="Security Hub DynamoDB.6",
)
def _tables_are_kept(stage: Stage) -> Iterator[Finding]:
    for table, value, path in _settings(stage, "DeletionProtectionEnabled"):
        if is_false(value):
            yield Finding(table, path, shown(value))


@rule(
    "I03",
    Severity.WARNING,
    "an on-demand table has a maximum throughput, which is a maximum of cost",
    fix="set max_read_request_units and max_write_request_units",
    source=f'{GUIDE}, "DynamoDB maximum throughput for on-demand tables"',
)
def _demand_has_a_maximum(stage: Stage) -> Iterator[Finding]:
    for table in stage.of_type("AWS::DynamoDB::Table"):
        if table.get("BillingMode") == "PAY_PER_REQUEST" and table.get("OnDemandThroughput") is None:
            yield Finding(table, "OnDemandThroughput", "not set")
    for table in stage.of_type("AWS::DynamoDB::GlobalTable"):
        writes = table.get("WriteOnDemandThroughputSettings", "MaxWriteRequestUnits")
        if table.get("BillingMode") == "PAY_PER_REQUEST" and writes is None:
            yield Finding(table, "WriteOnDemandThroughputSettings", "not set")


@rule(
    "I06",
    Severity.ERROR,
    "a table with strong consistency between regions has neither TTL nor local indexes",
    fix="remove the TTL and local indexes, or use eventual consistency",
    source=f'{GUIDE}, "Global tables, multi-Region strong consistency"',
)
def _strong_consistency_is_possible(stage: Stage) -> Iterator[Finding]:
    for table in stage.of_type("AWS::DynamoDB::GlobalTable"):
        if table.get("MultiRegionConsistency") != "STRONG":
            continue
        if truth(table.get("TimeToLiveSpecification", "Enabled")):
            yield Finding(table, "TimeToLiveSpecification", "on, with MultiRegionConsistency STRONG")
        if table.get("LocalSecondaryIndexes"):
            yield Finding(table, "LocalSecondaryIndexes", "some, with MultiRegionConsistency STRONG")


@rule(
    "I07",
    Severity.WARNING,
    "a role that is held to its tenant's keys may not scan",
    fix="remove Scan and PartiQL from the statement; dynamodb:LeadingKeys does not hold a Scan to a tenant",
    source=f'{GUIDE}, "Using IAM policy conditions for fine-grained access control"',
)
def _tenants_do_not_scan(stage: Stage) -> Iterator[Finding]:
    for statement in stage.policies.all:
        if "dynamodb:leadingkeys" in str(statement.body.get("Condition", "")).lower() and statement.allows(*WIDE):
            found = [each for each in statement.actions if "scan" in each or "partiql" in each or "*" in each]
            yield Finding(statement.resource, "PolicyDocument", f"{', '.join(found)} with dynamodb:LeadingKeys")

"""The DynamoDB table of an environment whose store is DynamoDb."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.config import DynamoDb, Environment, Function

# What lambda_src/projects/dynamodb_*.py asks for. No Scan: nobody reads across tenants.
ACTIONS = (
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)

ENCRYPTION = {
    "aws_owned": dynamodb.TableEncryptionV2.dynamo_owned_key,
    "aws_managed": dynamodb.TableEncryptionV2.aws_managed_key,
}


class Table(Construct):
    """One table, on demand up to a maximum, with the index of each tenant's order and the one across tenants.

    CloudFormation adds or removes one global index in an update, and a local one only with a new table:
    tests/infrastructure/test_table.py holds a change to that.
    """

    def __init__(self, scope: Construct, id: str, *, environment: Environment[DynamoDb]) -> None:
        super().__init__(scope, id)
        store = environment.store
        throughput = {
            "max_read_request_units": store.max_read_request_units,
            "max_write_request_units": store.max_write_request_units,
        }
        self.table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=_key("PK"),
            sort_key=_key("SK"),
            local_secondary_indexes=[
                dynamodb.LocalSecondaryIndexProps(index_name="ByCreation", sort_key=_key("GSI1SK")),
            ],
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name="GSI1",
                    partition_key=_key("GSI1PK"),
                    sort_key=_key("GSI1SK"),
                    projection_type=dynamodb.ProjectionType.KEYS_ONLY,
                    **throughput,
                ),
            ],
            billing=dynamodb.Billing.on_demand(**throughput),
            encryption=ENCRYPTION[store.encryption](),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=store.recovery_days > 0,
                recovery_period_in_days=store.recovery_days or None,
            ),
            time_to_live_attribute="expires_at",
            contributor_insights_specification=dynamodb.ContributorInsightsSpecification(
                enabled=store.contributor_insights
            ),
            deletion_protection=environment.retain,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if environment.retain else RemovalPolicy.DESTROY,
        )

    def allow(self, function: iam.IGrantable) -> None:
        """Let a function read and write items, by key: the five actions, on the table and its indexes."""
        self.table.grant(function, *ACTIONS)

    def variables(self, function: Function) -> dict[str, str]:
        """What a function must know; lambda_src/projects/dynamodb_table.py reads exactly these."""
        return {
            "TABLE_NAME": self.table.table_name,
            "TABLE_DEADLINE_SECONDS": str(function.deadline_seconds),
        }


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)

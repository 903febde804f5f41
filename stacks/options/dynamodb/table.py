"""The DynamoDB table of an environment whose store is DynamoDb."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.config import Environment, Function
from stacks.logs import keep
from stacks.options.dynamodb import DynamoDb

# What lambda_src/dynamodb asks for: of the table, and of its indexes. No Scan: nobody reads all tenants.
ACTIONS = [
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
]
INDEX_ACTIONS = ["dynamodb:Query"]
ACROSS, BY_CREATION = "GSI1", "ByCreation"

ENCRYPTION = {
    "aws_owned": dynamodb.TableEncryptionV2.dynamo_owned_key,
    "aws_managed": dynamodb.TableEncryptionV2.aws_managed_key,
}


class Table(Construct):
    """One table, on demand up to a maximum, with the index of each tenant's order and the one across tenants.

    CloudFormation adds or removes one global index in an update, and a local one only with a new table:
    tests/dynamodb/test_stacks.py holds a change to that.
    """

    def __init__(self, scope: Construct, id: str, *, environment: Environment[DynamoDb]) -> None:
        super().__init__(scope, id)
        store = environment.store
        self.table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=_key("PK"),
            sort_key=_key("SK"),
            local_secondary_indexes=[
                dynamodb.LocalSecondaryIndexProps(index_name=BY_CREATION, sort_key=_key("GSI1SK")),
            ],
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=ACROSS,
                    partition_key=_key("GSI1PK"),
                    sort_key=_key("GSI1SK"),
                    projection_type=dynamodb.ProjectionType.KEYS_ONLY,
                    max_read_request_units=store.max_read_request_units,
                    max_write_request_units=store.max_write_request_units,
                ),
            ],
            billing=dynamodb.Billing.on_demand(
                max_read_request_units=store.max_read_request_units,
                max_write_request_units=store.max_write_request_units,
            ),
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
            removal_policy=keep(environment),
        )

    def allow(self, function: iam.IGrantable) -> None:
        """Let a function read and write items by key, and query the two indexes."""
        arn = self.table.table_arn  # CDK's own grants name every index there may ever be
        iam.Grant.add_to_principal(grantee=function, actions=ACTIONS, resource_arns=[arn])
        indexes = [f"{arn}/index/{name}" for name in (BY_CREATION, ACROSS)]
        iam.Grant.add_to_principal(grantee=function, actions=INDEX_ACTIONS, resource_arns=indexes)

    def variables(self, function: Function) -> dict[str, str]:
        """What a function must know; lambda_src/dynamodb/table.py reads exactly these."""
        return {
            "TABLE_NAME": self.table.table_name,
            "TABLE_DEADLINE_SECONDS": str(function.deadline_seconds),
        }


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)

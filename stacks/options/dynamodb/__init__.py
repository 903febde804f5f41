"""DynamoDB: one table instead of a database. docs/options/dynamodb.md says when to choose it."""

from stacks.options.dynamodb.store import DynamoDb

__all__ = ["DynamoDb"]

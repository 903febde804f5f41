"""The environment `local` on DynamoDB, for `make up STORE=dynamodb`."""

from stacks.options.dynamodb import DynamoDb

CHANGES = {"store": DynamoDb(max_read_request_units=400, max_write_request_units=200)}

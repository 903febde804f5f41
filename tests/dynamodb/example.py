"""An environment on the option, the way docs/options/dynamodb.md says."""

from dataclasses import replace

from stacks.options.dynamodb import DynamoDb
from tests.environments import DEV

EXAMPLE = replace(DEV, name="dynamodb", store=DynamoDb(max_read_request_units=400, max_write_request_units=200))

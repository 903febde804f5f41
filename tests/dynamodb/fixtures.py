"""A table such as the template makes, in the local AWS."""

import uuid
from dataclasses import dataclass

import pytest

from tests.local.aws_emulator import REGION, Emulator

CONTRACT = {"dynamodb": "table"}  # name -> the fixture that tests/contract asks for
# tests/dynamodb/test_stacks.py holds the template to this.
DEFINITION = {
    "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK", "GSI1PK", "GSI1SK")
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "GSI1",
            "KeySchema": [
                {"AttributeName": "GSI1PK", "KeyType": "HASH"},
                {"AttributeName": "GSI1SK", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "ByCreation",
            "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "GSI1SK", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}


@dataclass
class LocalTable:
    """A table, and how a function is told of it."""

    emulator: Emulator
    name: str

    def __post_init__(self) -> None:
        self.client = self.emulator.client("dynamodb")

    @property
    def variables(self) -> dict[str, str]:
        return variables(self.emulator.endpoint, self.name)

    def items(self) -> list[dict]:
        pages = self.client.get_paginator("scan").paginate(TableName=self.name)
        return [item for page in pages for item in page["Items"]]


def variables(endpoint: str, name: str = "projects") -> dict[str, str]:
    """A function's environment variables, its platform's included."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,  # Lambda sets both
        "STORE": "lambda_src.dynamodb.store",
        "TABLE_NAME": name,
        "TABLE_DEADLINE_SECONDS": "3",
    }


def new_table(emulator: Emulator) -> LocalTable:
    name = f"projects-{uuid.uuid4().hex[:8]}"
    emulator.client("dynamodb").create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **DEFINITION)
    return LocalTable(emulator, name)


@pytest.fixture(scope="session")
def table(local_aws: Emulator) -> LocalTable:
    """An empty table."""
    return new_table(local_aws)

"""What a change would take away for good, and whether somebody has said that it may."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# What is gone with a resource of this type, even when another takes its place.
STATEFUL = {
    "AWS::ApiGatewayV2::Api": "the API's address",
    "AWS::DynamoDB::GlobalTable": "the table's items",
    "AWS::DynamoDB::Table": "the table's items",
    "AWS::KMS::Key": "what is encrypted with it",
    "AWS::Logs::LogGroup": "its logs",
    "AWS::RDS::DBCluster": "the database",
    "AWS::RDS::DBInstance": "the database",
    "AWS::RDS::DBProxy": "the proxy's address",
    "AWS::S3::Bucket": "its objects",
    "AWS::SecretsManager::Secret": "the secret",
}
ACCEPT = re.compile(r"^Accept:(.*)$", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Loss:
    """A resource that holds state and that a change replaces, may replace, deletes or leaves behind."""

    stack: str
    logical_id: str
    type: str
    fate: str

    @property
    def name(self) -> str:
        """How it is accepted: `Accept: <name>`."""
        return f"{self.stack}/{self.logical_id}"

    def __str__(self) -> str:
        return f"{self.name} ({self.type}) {self.fate}: {STATEFUL[self.type]}"


def accepted(text: str) -> set[str]:
    """The names on the lines of a text that begin with "Accept:"."""
    return {name for line in ACCEPT.findall(text) for name in re.split(r"[\s,]+", line) if name}


def unaccepted(losses: Iterable[Loss], text: str) -> list[Loss]:
    """The losses that no line of the text accepts."""
    names = accepted(text)
    return [loss for loss in losses if loss.name not in names]

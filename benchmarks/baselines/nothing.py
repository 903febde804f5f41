"""The floor: what the Lambda runtime itself costs."""

from typing import Any


def handler(_event: Any, _context: Any) -> dict[str, Any]:
    """Answer without doing anything."""
    return {"statusCode": 200, "body": "{}"}

"""docs/options/dynamodb.md says what each request costs: counted here, from the function's own log."""

import json
import math
import re
import uuid

import pytest

from tests.conftest import ROOT
from tests.service import Service, environment

HEADER = ("request", "requests to the table", "capacity units")


@pytest.fixture
def measured(table, tmp_path):
    """The function's answer to a request, and what it cost by its log line."""
    with environment(table, tmp_path) as running:
        service = Service(running)

        def ask(method, target, body=None):
            answer = service.request(method, target, body)
            lines = [json.loads(line) for line in (tmp_path / "function.log").read_text().splitlines()]
            line = [each for each in lines if each.get("message") == "request"][-1]
            return answer, (str(line["requests"]), f"{line['CapacityUnits']:g}")

        ask("GET", "/health")  # and with it what the initialisation cost
        yield ask


def rows(ask, table):
    """Projects whose names have 40 letters, a full page of 25."""
    projects = f"/tenants/{uuid.uuid4().hex[:12]}/projects"
    created, cost = ask("POST", projects, {"name": "x" * 40})
    yield "create", *cost
    for _ in range(26):
        ask("POST", projects, {"name": "x" * 40})
    path = f"{projects}/{created.body['id']}"
    page, (requests, _) = ask("GET", projects)
    yield "list, a page of 25", requests, str(read_units(table, page.body["items"][0], 26))
    yield "get", *ask("GET", path)[1]
    yield "patch", *ask("PATCH", path, {"name": "y" * 40})[1]
    yield "delete", *ask("DELETE", path)[1]
    yield "health", *ask("GET", "/health")[1]


def read_units(table, project, count):
    """What DynamoDB counts for a query, which the local AWS does not: 4 KB of items are one unit."""
    key = {"PK": {"S": f"TENANT#{project['tenant']}"}, "SK": {"S": f"PROJECT#{project['id']}"}}
    item = table.client.get_item(TableName=table.name, Key=key)["Item"]
    size = sum(len(name) + len(next(iter(value.values()))) for name, value in item.items())
    return math.ceil(count * size / 4096)


def test_the_documents_table_of_costs_is_what_was_counted(measured, table):
    lines = [f"| {' | '.join(row)} |" for row in (HEADER, ["---"] * len(HEADER), *rows(measured, table))]
    expected = "\n".join(lines)
    text = (ROOT / "docs" / "options" / "dynamodb.md").read_text()
    found = re.search(r"<!-- costs -->\n\n?(.*?)\n?<!-- /costs -->", text, re.DOTALL)
    assert found, "docs/options/dynamodb.md has lost the markers of its table of costs"
    assert found[1].strip() == expected, f"put this between the markers:\n\n{expected}\n"

"""What every resource does with a request, over every store: a row of its own, its mistakes, what it is none of."""

import json
import sys
import uuid

import pytest

from local import resource

PATH, FIELD = resource.path("acme"), resource.TEXT
GOOD = resource.body("a")
ACCENTED = json.dumps(resource.body("é"), ensure_ascii=False)


@pytest.fixture
def tenant():
    return f"tenant-{uuid.uuid4().hex[:8]}"


def test_what_was_created_is_there(service, tenant):
    answer = service.request("POST", resource.path(tenant), resource.body("Größe 10 👩‍🚀"))
    assert (answer.status, answer.body[FIELD]) == (201, "Größe 10 👩‍🚀")
    assert service.request("GET", resource.path(tenant, answer.body["id"])).body == answer.body


def test_health_answers_when_the_database_does(service):
    assert service.request("GET", "/health") == (200, {"content-type": "application/json"}, {"status": "ok"})


@pytest.mark.parametrize(
    ("method", "target", "body", "field"),
    [
        ("POST", PATH, "{", "body"),
        ("POST", PATH, "", "body"),
        ("POST", PATH, "[]", "body"),
        ("POST", PATH, "null", "body"),
        ("POST", PATH, "[" * 100_000, "body"),
        ("POST", PATH, f'{{"{FIELD}": NaN}}', "body"),
        ("POST", PATH, "{}", FIELD),
        ("POST", resource.path("-"), f'{{"{FIELD}": "a"}}', "tenant"),
        ("POST", resource.path("x" * 65), f'{{"{FIELD}": "a"}}', "tenant"),
        ("GET", resource.path("acme", "1"), None, "id"),
    ],
)
def test_a_request_that_says_nothing_usable_is_told_why(service, method, target, body, field):
    answer = service.request(method, target, raw=body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    mistake = next(error for error in answer.body["errors"] if error["field"] == field)
    assert "allowed" in mistake["allowed"]
    assert mistake["came"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (ACCENTED.encode(), 201),
        (ACCENTED.encode("latin-1"), 400),
        (ACCENTED.encode("utf-8-sig"), 400),
    ],
)
def test_a_body_in_base64_is_utf_8_without_a_mark(service, tenant, content, status):
    assert service.request("POST", resource.path(tenant), raw=content).status == status


@pytest.mark.parametrize("content", [b"{'no': JSON}", b"{'no': JSON \xff}"])
def test_a_body_in_base64_is_shown_as_its_sender_wrote_it(service, tenant, content):
    """As Base64 comes what says of itself to be no text, such as what `curl -d` sends without a content type."""
    answer = service.request("POST", resource.path(tenant), raw=content)
    assert answer.status == 400
    assert "no" in answer.body["errors"][0]["came"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("PUT", PATH), ("GET", "/tenants/a/b/c")])
def test_an_unknown_route_is_told_the_known_ones(service, method, path):
    answer = service.request(method, path)
    assert (answer.status, answer.body["type"]) == (404, "/problems/unknown-route")
    assert f"GET {resource.ROUTE}" in answer.body["detail"]


def test_of_very_many_mistakes_the_first_are_told(service, tenant):
    """All of them would be ten times the request, and Lambda carries no more than 6 MB either way."""
    unknown = {f"field{number}": 1 for number in range(200_000)}
    answer = service.request("POST", resource.path(tenant), GOOD | unknown)
    assert answer.status == 400
    assert len(answer.body["errors"]) == 20
    assert answer.body["detail"].endswith("; and 199980 more")


def test_whatever_is_nested_as_deep_as_can_be_read_is_a_bad_request(service, tenant):
    """The reader's limit depends on how deep the stack is already: of all depths about it none is a 500."""
    limit = sys.getrecursionlimit()
    for depth in range(limit - 40, limit):
        body = f'{{"{FIELD}": {"[" * depth}{"]" * depth}}}'
        assert service.request("POST", resource.path(tenant), raw=body).status == 400, depth

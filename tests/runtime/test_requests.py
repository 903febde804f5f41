"""Requests that are valid JSON and an imposition: each is a 400 that Lambda and API Gateway will carry."""

import sys

import pytest

from tests.service import Service, environment


@pytest.fixture(scope="module")
def service(stand_in, tmp_path_factory):
    with environment(stand_in, tmp_path_factory.mktemp("function")) as running:
        running.wait_until_ready()
        yield Service(running)


def test_of_very_many_mistakes_the_first_are_told(service):
    """All of them would be ten times the request, and Lambda carries no more than 6 MB either way."""
    answer = service.request("POST", "/tenants/acme/projects", {f"field{number}": 1 for number in range(10_000)})
    assert answer.status == 400
    assert len(answer.body["errors"]) == 20
    assert answer.body["detail"].endswith("; and 9981 more")


def test_whatever_is_nested_as_deep_as_can_be_read_is_a_bad_request(service):
    """The reader's limit depends on how deep the stack is already: of all depths about it none is a 500."""
    limit = sys.getrecursionlimit()
    for depth in range(limit - 40, limit):
        body = f'{{"name": {"[" * depth}{"]" * depth}}}'
        assert service.request("POST", "/tenants/acme/projects", raw=body).status == 400, depth

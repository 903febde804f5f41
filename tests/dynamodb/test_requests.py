"""What a request to the service costs in requests to DynamoDB, and what becomes of it when those go wrong."""

import json
import uuid

import pytest

from tests.dynamodb.endpoint import Endpoint
from tests.dynamodb.fixtures import variables
from tests.service import Service, environment, event


@pytest.fixture
def endpoint(local_aws):
    made = Endpoint(local_aws.endpoint)
    yield made
    made.close()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "function.log"


@pytest.fixture
def service(endpoint, table, tmp_path):
    """The function behind the endpoint, initialised, which has read its keys and is connected."""

    class Told:
        variables = variables(endpoint.url, table.name)

    with environment(Told(), tmp_path) as running:
        running.wait_until_ready()
        endpoint.operations.clear()
        yield Service(running)


@pytest.fixture
def tenant():
    return f"tenant-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def project(service, tenant, endpoint):
    found = service.request("POST", f"/tenants/{tenant}/projects", {"name": "first"}).body
    endpoint.operations.clear()
    return found


def path(project):
    return f"/tenants/{project['tenant']}/projects/{project['id']}"


def logged(log):
    """The last request's line."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if line.get("message") == "request"][-1]


def test_each_request_is_one_request_to_the_table(service, endpoint, tenant):
    project = service.request("POST", f"/tenants/{tenant}/projects", {"name": "a"}).body
    service.request("POST", f"/tenants/{tenant}/projects", {"name": "b"})
    cursor = service.request("GET", f"/tenants/{tenant}/projects?limit=1").body["next_cursor"]
    assert service.request("GET", f"/tenants/{tenant}/projects?cursor={cursor}").status == 200
    assert service.request("GET", path(project)).status == 200
    assert service.request("PATCH", path(project), {"name": "c", "version": 1}).status == 200
    assert service.request("DELETE", path(project)).status == 204
    assert service.request("GET", "/health").status == 200
    expected = ["PutItem", "PutItem", "Query", "Query", "GetItem", "UpdateItem", "DeleteItem", "GetItem"]
    assert endpoint.operations == expected


def test_a_refusal_is_one_request_too(service, endpoint, project):
    assert (
        service.request("POST", f"/tenants/{project['tenant']}/projects", {"name": "a", "id": project["id"]}).status
        == 409
    )
    assert service.request("PATCH", path(project), {"name": "a", "version": 7}).status == 409
    assert endpoint.operations == ["PutItem", "UpdateItem"]


def test_one_connection_serves_every_request(service, endpoint, tenant):
    before = endpoint.connections
    for _ in range(20):
        assert service.request("GET", f"/tenants/{tenant}/projects").status == 200
    assert (before, endpoint.connections) == (1, 1)


def test_a_function_that_starts_while_dynamodb_is_away_recovers(endpoint, table, tmp_path, tenant):
    class Told:
        variables = variables(endpoint.url, table.name)

    endpoint.otherwise = "error"
    with environment(Told(), tmp_path) as running:
        service = Service(running)
        assert service.request("GET", f"/tenants/{tenant}/projects").status == 503
        endpoint.otherwise = "pass"
        assert service.request("GET", f"/tenants/{tenant}/projects").status == 200


@pytest.mark.parametrize("fault", ["lose", "error"])
def test_a_creation_whose_answer_was_lost_is_one_project(service, endpoint, tenant, table, fault):
    endpoint.faults += ["lose", fault] if fault == "error" else ["lose"]
    answer = service.request("POST", f"/tenants/{tenant}/projects", {"name": "once"})
    assert answer.status == 201
    assert service.request("GET", f"/tenants/{tenant}/projects").body["items"] == [answer.body]


def test_a_change_whose_answer_was_lost_counts_once(service, endpoint, project):
    for version, body in ((2, {"name": "a"}), (3, {"name": "b", "version": 2})):
        endpoint.faults.append("lose")
        answer = service.request("PATCH", path(project), body)
        assert (answer.status, answer.body["version"]) == (200, version)


def test_a_deletion_whose_answer_was_lost_is_done(service, endpoint, project):
    endpoint.faults.append("lose")
    assert service.request("DELETE", path(project)).status == 204
    assert service.request("DELETE", path(project)).status == 404


def test_a_deletion_of_nothing_that_was_throttled_is_still_not_found(service, endpoint, tenant):
    endpoint.faults.append("throttle")
    assert service.request("DELETE", f"/tenants/{tenant}/projects/{uuid.uuid4()}").status == 404


@pytest.mark.parametrize("fault", ["throttle", "throughput", "error"])
def test_a_fault_that_passes_costs_no_request(service, endpoint, project, fault):
    endpoint.faults.append(fault)
    assert service.request("GET", path(project)).status == 200
    assert endpoint.operations == ["GetItem", "GetItem"]


@pytest.mark.parametrize("fault", ["throttle", "throughput", "error"])
def test_a_fault_that_stays_is_a_503_that_says_when_to_come_back(service, endpoint, project, fault):
    endpoint.otherwise = fault
    answer = service.request("GET", path(project))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.body["type"] == "/problems/database-unavailable"
    assert 2 <= len(endpoint.operations) <= 3
    endpoint.otherwise = "pass"
    assert service.request("GET", path(project)).status == 200


def test_a_table_that_throttles_all_three_attempts_is_a_503(endpoint, table, tmp_path, tenant):
    class Told:
        variables = variables(endpoint.url, table.name)

    with environment(Told(), tmp_path, TABLE_DEADLINE_SECONDS="20") as running:
        running.wait_until_ready()
        endpoint.operations.clear()
        endpoint.otherwise = "throughput"
        answer = Service(running).request("GET", f"/tenants/{tenant}/projects")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert endpoint.operations == ["Query"] * 3


def test_no_attempt_begins_that_the_deadline_would_end(service, endpoint, project, log):
    """The first is given up after 2 s of 3, and a second would have less than one."""
    endpoint.otherwise = "swallow"
    answer = service.request("GET", path(project))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert endpoint.operations == ["GetItem"]
    assert logged(log)["DeadlineExceeded"] == 1
    endpoint.otherwise = "pass"
    assert service.request("GET", path(project)).status == 200


def test_an_invocation_with_less_time_gets_its_answer_in_that_time(service, endpoint, project):
    """Lambda gives the function 1 s, and no attempt begins that could take longer."""
    endpoint.otherwise = "swallow"
    answer = service.environment.invoke(event("GET", path(project), None), timeout_seconds=1)
    assert answer["statusCode"] == 503
    assert endpoint.operations == []


def test_what_is_wrong_with_the_function_itself_is_a_500_that_tells_the_caller_nothing(service, endpoint, project, log):
    endpoint.faults.append("denied")
    answer = service.request("GET", path(project))
    assert (answer.status, answer.body["type"]) == (500, "/problems/internal-error")
    assert '"exception": "ClientError"' in log.read_text()


def test_the_log_line_says_what_a_request_cost(service, endpoint, project, log):
    endpoint.faults.append("throttle")
    service.request("GET", path(project))
    line = logged(log)
    assert (line["requests"], line["Retries"], line["Throttles"]) == (2, 1, 1)
    assert line["CapacityUnits"] == 1  # a strongly consistent read of up to 4 KB
    named = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert named <= line.keys()

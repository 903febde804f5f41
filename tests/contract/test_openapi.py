"""docs/openapi.yaml says what the service does: asked by a tool that reads nothing else."""

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from lambda_src.routes import ROUTE_KEYS
from tests.conftest import ROOT

CONTRACT = ROOT / "docs" / "openapi.yaml"
PATHS = yaml.safe_load(CONTRACT.read_text())["paths"]
ROUTES = [
    (verb, path) for path, item in PATHS.items() for verb in item if verb != "parameters" and not verb.startswith("x-")
]


@pytest.fixture(scope="session")
def schema(service):
    def application(environ, start_response):
        """An HTTP server before the function, as API Gateway is on AWS."""
        if environ["PATH_INFO"] == "/openapi.yaml":
            start_response("200 OK", [("content-type", "application/yaml")])
            return [CONTRACT.read_bytes()]
        target = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length).decode(errors="replace") if length else None
        status, headers, text = service.send(environ["REQUEST_METHOD"], f"{target}{query}", body)
        start_response(f"{status} ", list(headers.items()))
        return [text.encode()]

    return schemathesis.openapi.from_wsgi("/openapi.yaml", application)


@pytest.mark.parametrize(("verb", "path"), ROUTES)
def test_the_service_does_what_its_contract_says(service, schema, verb, path):
    """On every store, or on those that `x-stores` of the path names: a fork's own resource may be on one only."""
    if service.store not in PATHS[path].get("x-stores", [service.store]):
        pytest.skip(f"{path} is of {', '.join(PATHS[path]['x-stores'])}")

    @given(case=schema[path][verb].as_strategy())
    @settings(max_examples=service.examples, deadline=None, suppress_health_check=list(HealthCheck))
    def check(case):
        # A schema can't say that a cursor must be signed.
        is_guess = "cursor" in (case.query or {})
        case.call_and_validate(excluded_checks=[positive_data_acceptance] if is_guess else None)

    check()


def test_the_contract_has_every_route():
    described = {f"{verb.upper()} {path}" for verb, path in ROUTES}
    assert described == set(ROUTE_KEYS) - {"$default"}

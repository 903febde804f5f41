"""A tenant tries to reach another's rows, through every field that a client controls, over every store."""

import json
import uuid
from urllib.parse import quote

import pytest

from local import resource

SECRET = "the victim's only text"


@pytest.fixture
def victim(service):
    """A tenant with two rows, and a cursor into its list, if such lists have one."""
    tenant = f"victim-{uuid.uuid4().hex[:8]}"
    made = [service.request("POST", resource.path(tenant), resource.body(SECRET)).body for _ in range(2)]
    cursor = service.request("GET", f"{resource.path(tenant)}?limit=1").body.get("next_cursor")
    return tenant, made, cursor


def attempts(victim):
    tenant, (one, _), cursor = victim
    id = one["id"]
    changes = [resource.CHANGE] if resource.CHANGE else []
    names = [
        tenant[:-1], f"{tenant}-", f"{tenant}.", f"{tenant[:-1]}_", tenant.upper(), f"TENANT#{tenant}", f"x#{tenant}",
        f"x/../{tenant}", f"{tenant}\x00", f"{tenant} ", "%", "_", "*", "' OR ''='", f"x' OR tenant='{tenant}' --",
    ]  # fmt: skip
    for name in ("attacker", *(quote(each, safe="") for each in names)):
        yield "GET", resource.path(name), None
        yield "GET", f"{resource.path(name)}?cursor={cursor}", None
        yield "GET", resource.path(name, id), None
        yield from ((method, resource.path(name, id), resource.body("taken")) for method in changes)
        yield "DELETE", resource.path(name, id), None
    for other in (id.upper(), f"{id}#", f"../../{resource.path(tenant, id)}", f"{tenant}#{id}", "%", f"' OR id='{id}"):
        yield "GET", resource.path("attacker", quote(other, safe="")), None
        yield "DELETE", resource.path("attacker", quote(other, safe="")), None
    for field in ("tenant", "PK", "pk", "owner"):
        yield "POST", resource.path("attacker"), {**resource.body("x"), field: tenant}
        yield from ((each, resource.path("attacker", id), {**resource.body("x"), field: tenant}) for each in changes)
        yield "GET", f"{resource.path('attacker')}?{field}={tenant}", None
    yield "POST", resource.path("attacker"), {**resource.body("taken"), "id": id}


def test_no_field_reaches_another_tenants_rows(service, victim):
    tenant, made, _ = victim
    for method, target, body in attempts(victim):
        answer = service.request(method, target, body)
        assert answer.status < 500, (method, target, body, answer)
        assert SECRET not in json.dumps(answer.body), (method, target, body)
    found = service.request("GET", resource.path(tenant)).body["items"]
    assert sorted(found, key=lambda each: each["id"]) == sorted(made, key=lambda each: each["id"])

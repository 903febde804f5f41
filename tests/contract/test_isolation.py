"""A tenant tries to reach another's projects, through every field that a client controls, over every store."""

import json
import uuid
from urllib.parse import quote

import pytest

SECRET = "the victim's only project"


@pytest.fixture
def victim(service):
    """A tenant with two projects, and a cursor into its list."""
    tenant = f"victim-{uuid.uuid4().hex[:8]}"
    projects = [service.request("POST", f"/tenants/{tenant}/projects", {"name": SECRET}).body for _ in range(2)]
    cursor = service.request("GET", f"/tenants/{tenant}/projects?limit=1").body["next_cursor"]
    return tenant, projects, cursor


def attempts(victim):
    tenant, (project, _), cursor = victim
    id = project["id"]
    names = [
        tenant[:-1], f"{tenant}-", f"{tenant}.", f"{tenant[:-1]}_", tenant.upper(), f"TENANT#{tenant}", f"x#{tenant}",
        f"x/../{tenant}", f"{tenant}\x00", f"{tenant} ", "%", "_", "*", "' OR ''='", f"x' OR tenant='{tenant}' --",
    ]  # fmt: skip
    for name in ("attacker", *(quote(each, safe="") for each in names)):
        yield "GET", f"/tenants/{name}/projects", None
        yield "GET", f"/tenants/{name}/projects?cursor={cursor}", None
        yield "GET", f"/tenants/{name}/projects/{id}", None
        yield "PATCH", f"/tenants/{name}/projects/{id}", {"name": "taken"}
        yield "DELETE", f"/tenants/{name}/projects/{id}", None
    for other in (id.upper(), f"{id}#", f"../../{tenant}/projects/{id}", f"{tenant}#{id}", "%", f"' OR id='{id}"):
        yield "GET", f"/tenants/attacker/projects/{quote(other, safe='')}", None
        yield "DELETE", f"/tenants/attacker/projects/{quote(other, safe='')}", None
    for field in ("tenant", "PK", "pk", "owner"):
        yield "POST", "/tenants/attacker/projects", {"name": "x", field: tenant}
        yield "PATCH", f"/tenants/attacker/projects/{id}", {"name": "taken", field: tenant}
        yield "GET", f"/tenants/attacker/projects?{field}={tenant}", None
    yield "POST", "/tenants/attacker/projects", {"name": "taken", "id": id}


def test_no_field_reaches_another_tenants_projects(service, victim):
    tenant, projects, _ = victim
    for method, target, body in attempts(victim):
        answer = service.request(method, target, body)
        assert answer.status < 500, (method, target, body, answer)
        assert SECRET not in json.dumps(answer.body), (method, target, body)
    assert service.request("GET", f"/tenants/{tenant}/projects").body == {"items": projects}

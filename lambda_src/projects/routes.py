"""What the service answers about projects: one function per route."""

import json

from lambda_src.api import cursor, request
from lambda_src.api.ids import new_id, timestamp
from lambda_src.api.problem import Response, json_answer, text_answer
from lambda_src.api.request import Event
from lambda_src.projects.model import Projects
from lambda_src.projects.request import change, new_project

COLLECTION = "projects"


def create(event: Event, store: Projects) -> Response:
    """POST /tenants/{tenant}/projects."""
    tenant = request.tenant(event)
    name, id = new_project(event)
    project = store.add(tenant, id or new_id(), name, timestamp())
    return json_answer(201, project.as_json(), location=f"/tenants/{tenant}/projects/{project.id}")


def list_page(event: Event, store: Projects) -> Response:
    """GET /tenants/{tenant}/projects."""
    tenant = request.tenant(event)
    limit, text = request.limit_and_cursor(event)
    claim = cursor.read(text) if text is not None else None
    page = store.page(tenant, claim.position if claim else None, limit)
    if claim:
        # Only now, since the keys came with the page. A forged position could reach nothing but the tenant's own list.
        cursor.verify(claim, COLLECTION, tenant, page.cursor_keys)
    body = f'{{"items": {page.items}'
    if page.following:
        body += f', "next_cursor": {json.dumps(cursor.sign(page.following, COLLECTION, tenant, page.cursor_keys))}'
    return text_answer(200, f"{body}}}")


def get(event: Event, store: Projects) -> Response:
    """GET /tenants/{tenant}/projects/{id}."""
    return json_answer(200, store.get(request.tenant(event), request.id_in_path(event)).as_json())


def patch(event: Event, store: Projects) -> Response:
    """PATCH /tenants/{tenant}/projects/{id}."""
    tenant, id = request.tenant(event), request.id_in_path(event)
    name, version = change(event)
    return json_answer(200, store.rename(tenant, id, name, version, timestamp()).as_json())


def delete(event: Event, store: Projects) -> Response:
    """DELETE /tenants/{tenant}/projects/{id}."""
    store.remove(request.tenant(event), request.id_in_path(event))
    return {"statusCode": 204}


ROUTES = {
    "POST /tenants/{tenant}/projects": create,
    "GET /tenants/{tenant}/projects": list_page,
    "GET /tenants/{tenant}/projects/{id}": get,
    "PATCH /tenants/{tenant}/projects/{id}": patch,
    "DELETE /tenants/{tenant}/projects/{id}": delete,
}

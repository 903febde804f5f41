"""What the service answers: one function per route of the API."""

import json
from collections.abc import Callable
from typing import Any

from lambda_src.projects import cursor, request
from lambda_src.projects.model import Store, new_id, timestamp
from lambda_src.projects.problem import Response, json_answer, problem, text_answer
from lambda_src.projects.request import Event

Route = Callable[[Event, Any], Response]  # with the store that the function runs on


def create(event: Event, store: Store) -> Response:
    """POST /tenants/{tenant}/projects."""
    tenant = request.tenant(event)
    name, id = request.new_project(event)
    project = store.add(tenant, id or new_id(), name, timestamp())
    return json_answer(201, project.as_json(), location=f"/tenants/{tenant}/projects/{project.id}")


def list_page(event: Event, store: Store) -> Response:
    """GET /tenants/{tenant}/projects."""
    tenant = request.tenant(event)
    limit, text = request.limit_and_cursor(event)
    claim = cursor.read(text) if text is not None else None
    page = store.page(tenant, claim.position if claim else None, limit)
    if claim:
        # Only now, since the keys came with the page. A forged position could reach nothing but the tenant's own list.
        cursor.verify(claim, tenant, page.cursor_keys)
    body = f'{{"items": {page.items}'
    if page.following:
        body += f', "next_cursor": {json.dumps(cursor.sign(page.following, tenant, page.cursor_keys))}'
    return text_answer(200, f"{body}}}")


def get(event: Event, store: Store) -> Response:
    """GET /tenants/{tenant}/projects/{id}."""
    return json_answer(200, store.get(request.tenant(event), request.id_in_path(event)).as_json())


def patch(event: Event, store: Store) -> Response:
    """PATCH /tenants/{tenant}/projects/{id}."""
    tenant, id = request.tenant(event), request.id_in_path(event)
    name, version = request.change(event)
    return json_answer(200, store.rename(tenant, id, name, version, timestamp()).as_json())


def delete(event: Event, store: Store) -> Response:
    """DELETE /tenants/{tenant}/projects/{id}."""
    store.remove(request.tenant(event), request.id_in_path(event))
    return {"statusCode": 204}


def health(_event: Event, store: Store) -> Response:
    """GET /health."""
    store.ping()
    return json_answer(200, {"status": "ok"})


def unknown(event: Event, _store: Store) -> Response:
    """Everything else."""
    known = ", ".join(key for key in ROUTES if key != "$default")
    http = event["requestContext"]["http"]
    return problem(
        404, "unknown-route", "There is no such route", f"{http['method']} {http['path']} is none of: {known}"
    )


ROUTES: dict[str, Route] = {
    "POST /tenants/{tenant}/projects": create,
    "GET /tenants/{tenant}/projects": list_page,
    "GET /tenants/{tenant}/projects/{id}": get,
    "PATCH /tenants/{tenant}/projects/{id}": patch,
    "DELETE /tenants/{tenant}/projects/{id}": delete,
    "GET /health": health,
    "$default": unknown,
}
ROUTE_KEYS = tuple(ROUTES)

"""Every route of the API: those of each resource, and two that are nobody's."""

from collections.abc import Callable
from typing import Any

from lambda_src.api.backend import Store
from lambda_src.api.problem import Response, json_answer, problem
from lambda_src.api.request import Event
from lambda_src.projects.routes import ROUTES as PROJECTS

Route = Callable[[Event, Any], Response]  # with the store that the function runs on


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
    **PROJECTS,
    "GET /health": health,
    "$default": unknown,
}
ROUTE_KEYS = tuple(ROUTES)

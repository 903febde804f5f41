"""What a request about projects may hold: a valid value, or InvalidRequest with every mistake."""

from lambda_src.api import request
from lambda_src.api.ids import is_uuid
from lambda_src.api.problem import InvalidRequest, Mistake
from lambda_src.api.request import Event

LARGEST_VERSION = 2**31 - 1


def new_project(event: Event) -> tuple[str, str | None]:
    """The name and, if the caller brought one, the id of a project to create."""
    body, mistakes = request.fields(event, {"name", "id"})
    mistakes += request.text_mistakes("name", body.get("name"))
    id = body.get("id")
    if "id" in body and not (isinstance(id, str) and is_uuid(id)):
        mistakes.append(Mistake("id", "null" if id is None else id, request.UUID_ALLOWED))
    if mistakes:
        raise InvalidRequest(*mistakes)
    return body["name"], id.lower() if id else None


def change(event: Event) -> tuple[str, int | None]:
    """The new name and, if the caller insists on one, the version that the change is for."""
    body, mistakes = request.fields(event, {"name", "version"})
    mistakes += request.text_mistakes("name", body.get("name"))
    given = body.get("version", 1)
    version, wrong = request.integer("version", "null" if given is None else given, 1, LARGEST_VERSION)
    mistakes += wrong
    if mistakes:
        raise InvalidRequest(*mistakes)
    return body["name"], version if "version" in body else None

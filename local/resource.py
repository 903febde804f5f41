"""The resource that tests of connections, faults and deployments, `make up`, `make spike` and `make drill` use.

None of them names it: a service that replaces the sample describes its own resource here. It is in PostgreSQL, belongs
to a tenant, and has an `id`, a UUID that POST makes. Its rows differ in one text; what else it needs is the same in all
of them, in `ADD` and `body`.
"""

from typing import Any, LiteralString

ROUTE: LiteralString = "/tenants/{tenant}/projects"  # POST creates one and answers 201, GET lists them as `items`
TABLE: LiteralString = "project"
TEXT: LiteralString = "name"  # the column with the text, which is also the field of a request and of its answer
CHANGE: str | None = "PATCH"  # how its text is changed, with the same body; None where nothing changes it
# As the application may do it: the whole row, of a tenant, an id and a text.
ADD: LiteralString = f"""
    INSERT INTO {TABLE} (tenant, id, {TEXT}, version, created_at, updated_at)
    VALUES (%(tenant)s, %(id)s, %(text)s, 1, now(), now())
"""  # noqa: S608 (constants)


def path(tenant: str, id: str | None = None) -> str:
    """Where a tenant's are created and listed, or where one is read and deleted."""
    return ROUTE.format(tenant=tenant) + ("" if id is None else f"/{id}")


def body(text: object) -> dict[str, Any]:
    """What a request that creates or changes one holds."""
    return {TEXT: text}

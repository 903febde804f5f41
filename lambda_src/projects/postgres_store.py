"""Projects in PostgreSQL: each method is one statement, so one round trip, and atomic.

A statement whose answer was lost is sent again, so each recognises its own earlier success: by the time that the
request chose, to the microsecond, which is stored with the row.
"""

from lambda_src.api.cursor import Position
from lambda_src.database.store import Postgres, PostgresStore, backend
from lambda_src.projects.model import Page, Project, ProjectExists, ProjectNotFound, VersionConflict

RFC_3339 = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
# The fields of Project, in its order.
PROJECT = f"""
    tenant, id::text, name, version,
    to_char(created_at AT TIME ZONE 'UTC', {RFC_3339}) AS created_at,
    to_char(updated_at AT TIME ZONE 'UTC', {RFC_3339}) AS updated_at
"""

ADD = f"""
    WITH added AS (
        INSERT INTO project (tenant, id, name, version, created_at, updated_at)
        VALUES (%(tenant)s, %(id)s, %(name)s, 1, %(now)s, %(now)s)
        ON CONFLICT DO NOTHING
        RETURNING *
    )
    SELECT {PROJECT} FROM added
    UNION ALL
    SELECT {PROJECT} FROM project
    WHERE tenant = %(tenant)s AND id = %(id)s AND created_at = %(now)s::timestamptz
"""

# The items are JSON as the API shows it, which nobody reads on the way; the keys come along, so that a new key is in
# use at once and no round trip fetches it. One row more than asked for tells whether more follow.
PAGE = f"""
    WITH page AS (
        SELECT *, row_number() OVER (ORDER BY created_at, id) AS number FROM project
        WHERE tenant = %(tenant)s AND (created_at, id) > (%(created_at)s::timestamptz, %(id)s::uuid)
        ORDER BY created_at, id
        LIMIT %(limit)s::integer + 1
    ), item AS (
        SELECT {PROJECT} FROM page WHERE number <= %(limit)s ORDER BY number
    ), last AS (
        SELECT {PROJECT} FROM page
        WHERE number = %(limit)s AND EXISTS (SELECT FROM page WHERE number > %(limit)s)
    )
    SELECT (SELECT json_object_agg(id, encode(secret, 'hex')) FROM cursor_key),
           coalesce((SELECT json_agg(row_to_json(item))::text FROM item), '[]'),
           (SELECT created_at FROM last),
           (SELECT id FROM last)
"""

GET = f"SELECT {PROJECT} FROM project WHERE tenant = %(tenant)s AND id = %(id)s"

RENAME = f"""
    WITH renamed AS (
        UPDATE project SET name = %(name)s, version = version + 1, updated_at = %(now)s
        WHERE tenant = %(tenant)s AND id = %(id)s AND updated_at <> %(now)s::timestamptz
            AND version = coalesce(%(version)s::integer, version)
        RETURNING *
    )
    SELECT {PROJECT}, true FROM renamed
    UNION ALL
    SELECT {PROJECT}, updated_at = %(now)s::timestamptz FROM project
    WHERE tenant = %(tenant)s AND id = %(id)s AND NOT EXISTS (SELECT FROM renamed)
"""

REMOVE = "DELETE FROM project WHERE tenant = %(tenant)s AND id = %(id)s RETURNING id"

BEFORE_ALL = Position("-infinity", "00000000-0000-0000-0000-000000000000")


class ProjectStore(PostgresStore):
    """The projects of one request."""

    def add(self, tenant: str, id: str, name: str, now: str) -> Project:
        """Store a new project, or raise ProjectExists."""
        row = self.one(ADD, {"tenant": tenant, "id": id, "name": name, "now": now})
        if row is None:
            raise ProjectExists(f"tenant {tenant} already has a project {id}")
        return Project(*row)

    def page(self, tenant: str, after: Position | None, limit: int) -> Page:
        """At most `limit` projects that follow `after`, or the first ones."""
        position = (after or BEFORE_ALL)._asdict()
        row = self.one(PAGE, {"tenant": tenant, **position, "limit": limit})
        keys, items, created_at, id = row or ({}, "[]", None, None)
        following = Position(created_at, id) if id else None
        return Page(items, following, {int(key): bytes.fromhex(secret) for key, secret in (keys or {}).items()})

    def get(self, tenant: str, id: str) -> Project:
        """One project, or raise ProjectNotFound."""
        row = self.one(GET, {"tenant": tenant, "id": id})
        if row is None:
            raise ProjectNotFound(_absent(tenant, id))
        return Project(*row)

    def rename(self, tenant: str, id: str, name: str, version: int | None, now: str) -> Project:
        """Change a project that is at `version` (None: at any), or raise ProjectNotFound or VersionConflict."""
        parameters = {"tenant": tenant, "id": id, "name": name, "version": version, "now": now}
        row = self.one(RENAME, parameters)
        if row is not None and not row[-1] and version in (None, Project(*row[:-1]).version):
            # It waited for another change, or a deletion, and shows what was before that: look again.
            row = self.one(RENAME, parameters)
        if row is None:
            raise ProjectNotFound(_absent(tenant, id))
        *fields, is_ours = row
        project = Project(*fields)
        if not is_ours:
            raise VersionConflict(f"project {id} is at version {project.version}, and the change is for {version}")
        return project

    def remove(self, tenant: str, id: str) -> None:
        """Delete a project, or raise ProjectNotFound."""
        row = self.one(REMOVE, {"tenant": tenant, "id": id})
        # After a lost answer, nothing to delete means that it was done.
        if row is None and not self.uncertain:
            raise ProjectNotFound(_absent(tenant, id))


def connect() -> Postgres[ProjectStore]:
    """The backend that the function's environment variables tell of."""
    return backend(ProjectStore)


def _absent(tenant: str, id: str) -> str:
    return f"tenant {tenant} has no project {id}"

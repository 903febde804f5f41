"""Projects in PostgreSQL: each method is one statement, so one round trip, and atomic.

A statement whose answer was lost is sent again, so each recognises its own earlier success: by the time that the
request chose, to the microsecond, which is stored with the row.
"""

from lambda_src.database import Session
from lambda_src.projects.model import Page, Position, Project, ProjectExists, ProjectNotFound, VersionConflict

# A project as the API shows it, built by PostgreSQL: cheaper than building it from columns in Python.
PROJECT = """json_build_object('tenant', p.tenant, 'id', p.id, 'name', p.name, 'version', p.version,
    'created_at', to_char(p.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'updated_at', to_char(p.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))"""

ADD = f"""
    WITH added AS (
        INSERT INTO project AS p (tenant, id, name, version, created_at, updated_at)
        VALUES (%(tenant)s, %(id)s, %(name)s, 1, %(now)s, %(now)s)
        ON CONFLICT DO NOTHING
        RETURNING p.*
    )
    SELECT {PROJECT} FROM added p
    UNION ALL
    SELECT {PROJECT} FROM project p
    WHERE tenant = %(tenant)s AND id = %(id)s AND created_at = %(now)s::timestamptz
"""

# The keys come with the page: a new key is in use at once, and no round trip fetches it.
PAGE = f"""
    SELECT (SELECT json_object_agg(id, encode(secret, 'hex')) FROM cursor_key),
           coalesce((SELECT json_agg(project) FROM (
               SELECT {PROJECT} AS project FROM project p
               WHERE tenant = %(tenant)s AND (created_at, id) > (%(created_at)s::timestamptz, %(id)s::uuid)
               ORDER BY created_at, id
               LIMIT %(limit)s) page), '[]')
"""

GET = f"SELECT {PROJECT} FROM project p WHERE tenant = %(tenant)s AND id = %(id)s"

RENAME = f"""
    WITH renamed AS (
        UPDATE project AS p SET name = %(name)s, version = version + 1, updated_at = %(now)s
        WHERE tenant = %(tenant)s AND id = %(id)s AND updated_at <> %(now)s::timestamptz
            AND version = coalesce(%(version)s::integer, version)
        RETURNING p.*
    )
    SELECT {PROJECT}, true FROM renamed p
    UNION ALL
    SELECT {PROJECT}, updated_at = %(now)s::timestamptz FROM project p
    WHERE tenant = %(tenant)s AND id = %(id)s AND NOT EXISTS (SELECT FROM renamed)
"""

REMOVE = "DELETE FROM project WHERE tenant = %(tenant)s AND id = %(id)s RETURNING id"

BEFORE_ALL = Position("-infinity", "00000000-0000-0000-0000-000000000000")


class PostgresStore:
    """The store of one request; errors of the database pass through as lambda_src.database raises them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, tenant: str, id: str, name: str, now: str) -> Project:
        """Store a new project, or raise ProjectExists."""
        row = self._session.one(ADD, {"tenant": tenant, "id": id, "name": name, "now": now}, idempotent=True)
        if row is None:
            raise ProjectExists(f"tenant {tenant} already has a project {id}")
        return Project(**row[0])

    def page(self, tenant: str, after: Position | None, limit: int) -> Page:
        """At most `limit` projects that follow `after`, or the first ones."""
        position = (after or BEFORE_ALL)._asdict()
        row = self._session.one(PAGE, {"tenant": tenant, **position, "limit": limit + 1}, idempotent=True)
        keys, projects = row or ({}, [])
        return Page(
            [Project(**project) for project in projects[:limit]],
            len(projects) > limit,
            {int(id): bytes.fromhex(secret) for id, secret in (keys or {}).items()},
        )

    def get(self, tenant: str, id: str) -> Project:
        """One project, or raise ProjectNotFound."""
        row = self._session.one(GET, {"tenant": tenant, "id": id}, idempotent=True)
        if row is None:
            raise ProjectNotFound(_absent(tenant, id))
        return Project(**row[0])

    def rename(self, tenant: str, id: str, name: str, version: int | None, now: str) -> Project:
        """Change a project that is at `version` (None: at any), or raise ProjectNotFound or VersionConflict."""
        parameters = {"tenant": tenant, "id": id, "name": name, "version": version, "now": now}
        row = self._session.one(RENAME, parameters, idempotent=True)
        if row is None:
            raise ProjectNotFound(_absent(tenant, id))
        project, is_ours = Project(**row[0]), row[1]
        if not is_ours:
            raise VersionConflict(f"project {id} is at version {project.version}, and the change is for {version}")
        return project

    def remove(self, tenant: str, id: str) -> None:
        """Delete a project, or raise ProjectNotFound."""
        row = self._session.one(REMOVE, {"tenant": tenant, "id": id}, idempotent=True)
        # After a lost answer, nothing to delete means that it was done.
        if row is None and not self._session.uncertain:
            raise ProjectNotFound(_absent(tenant, id))

    def ping(self) -> None:
        """Return when the database answers."""
        self._session.one("SELECT 1", {}, idempotent=True)


def _absent(tenant: str, id: str) -> str:
    return f"tenant {tenant} has no project {id}"

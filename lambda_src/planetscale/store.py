"""Projects in PlanetScale's MySQL: each method is one statement and so one round trip, but for `rename`, which is two.

MySQL returns no rows of what it changed, so a method knows what it wrote. A statement whose answer was lost is sent
again, so each recognises its own earlier success: by the time that the request chose, to the microsecond, which is
stored with the row. Nothing is a transaction of several statements, and no statement reads more than a page.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pymysql.err import IntegrityError

from lambda_src.api.backend import StoreUnavailable
from lambda_src.api.cursor import Position
from lambda_src.database.unavailable import DatabaseUnavailable
from lambda_src.deadline import Context, Deadline
from lambda_src.planetscale.database import Answer, Database, Session
from lambda_src.planetscale.errors import DUPLICATE, number_of
from lambda_src.planetscale.figures import Figures
from lambda_src.planetscale.settings import Settings
from lambda_src.projects.model import (
    Page,
    Project,
    ProjectExists,
    ProjectNotFound,
    VersionConflict,
)

ADD = """
    INSERT INTO project (tenant, id, name, version, created_at, updated_at)
    VALUES (%(tenant)s, %(id)s, %(name)s, 1, %(now)s, %(now)s)
"""

# The keys come along, so that a new key is in use at once and no round trip fetches it. The comparison says twice what
# it could say once: MySQL finds the first row by the index only this way.
PAGE = """
    (SELECT NULL AS id, HEX(secret) AS name, id AS version, NULL AS created_at, NULL AS updated_at FROM cursor_key)
    UNION ALL
    (SELECT id, name, version, created_at, updated_at FROM project
     WHERE tenant = %(tenant)s AND created_at >= %(created_at)s
         AND (created_at > %(created_at)s OR id > %(id)s)
     ORDER BY created_at, id
     LIMIT %(limit)s)
"""

GET = "SELECT id, name, version, created_at, updated_at FROM project WHERE tenant = %(tenant)s AND id = %(id)s"

RENAME = """
    UPDATE project SET name = %(name)s, version = version + 1, updated_at = %(now)s
    WHERE tenant = %(tenant)s AND id = %(id)s AND version = %(seen)s
"""

REMOVE = "DELETE FROM project WHERE tenant = %(tenant)s AND id = %(id)s"

# Not SELECT 1, which Vitess may answer without the database.
PING = "SELECT COUNT(*) FROM cursor_key"

BEFORE_ALL = Position("1000-01-01T00:00:00.000000Z", "")  # MySQL's first time
RENAME_ATTEMPTS = 10  # each lost to another change of the same project in the meantime


class PlanetScaleStore:
    """The store of one request; other errors of the database pass through as PyMySQL raises them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, tenant: str, id: str, name: str, now: str) -> Project:
        """Store a new project, or raise ProjectExists."""
        try:
            self._run(ADD, {"tenant": tenant, "id": id, "name": name, "now": _datetime(now)})
        except IntegrityError as error:
            if number_of(error) != DUPLICATE:
                raise
            # After a lost answer, a project of that very time means that it was done.
            found = self._find(tenant, id) if self._session.uncertain else None
            if found is None or found.created_at != now:
                raise ProjectExists(f"tenant {tenant} already has a project {id}") from None
            return found
        return Project(tenant, id, name, 1, now, now)

    def page(self, tenant: str, after: Position | None, limit: int) -> Page:
        """At most `limit` projects that follow `after`, or the first ones."""
        created_at, id = after or BEFORE_ALL
        # One row more than asked for tells whether more follow.
        parameters = {"tenant": tenant, "created_at": _datetime(created_at), "id": id, "limit": limit + 1}
        rows = self._run(PAGE, parameters).rows
        keys = {number: bytes.fromhex(secret) for id, secret, number, *_ in rows if id is None}
        # MySQL promises no order of a UNION ALL.
        projects = sorted(
            (_project(tenant, row) for row in rows if row[0] is not None), key=lambda each: (each.created_at, each.id)
        )
        shown = projects[:limit]
        following = Position(shown[-1].created_at, shown[-1].id) if len(projects) > limit else None
        return Page(json.dumps([each.as_json() for each in shown]), following, keys)

    def get(self, tenant: str, id: str) -> Project:
        """One project, or raise ProjectNotFound."""
        found = self._find(tenant, id)
        if found is None:
            raise ProjectNotFound(_absent(tenant, id))
        return found

    def rename(self, tenant: str, id: str, name: str, version: int | None, now: str) -> Project:
        """Change a project that is at `version` (None: at any), or raise ProjectNotFound or VersionConflict.

        Read, then change what is still at the version that was read. So the answer is what was written, whatever
        others do, and no transaction holds a lock while a function thinks.
        """
        for _ in range(RENAME_ATTEMPTS):
            found = self.get(tenant, id)
            if found.updated_at == now:  # ours, of an attempt whose answer was lost
                return found
            if version not in (None, found.version):
                raise VersionConflict(f"project {id} is at version {found.version}, and the change is for {version}")
            parameters = {"tenant": tenant, "id": id, "name": name, "now": _datetime(now), "seen": found.version}
            if self._run(RENAME, parameters).changed:
                return Project(tenant, id, name, found.version + 1, found.created_at, now)
        raise StoreUnavailable(f"project {id} was changed by others {RENAME_ATTEMPTS} times in between")

    def remove(self, tenant: str, id: str) -> None:
        """Delete a project, or raise ProjectNotFound."""
        changed = self._run(REMOVE, {"tenant": tenant, "id": id}).changed
        # After a lost answer, nothing to delete means that it was done.
        if not changed and not self._session.uncertain:
            raise ProjectNotFound(_absent(tenant, id))

    def ping(self) -> None:
        """Return when the database answers."""
        self._run(PING, {})

    def _find(self, tenant: str, id: str) -> Project | None:
        rows = self._run(GET, {"tenant": tenant, "id": id}).rows
        return _project(tenant, rows[0]) if rows else None

    def _run(self, statement: str, parameters: Mapping[str, Any]) -> Answer:
        try:
            return self._session.run(statement, parameters, idempotent=True)
        except DatabaseUnavailable as error:
            raise StoreUnavailable(str(error)) from error


class PlanetScale:
    """The backend: one connection, which every request of the execution environment uses."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database(settings)

    def warm_up(self) -> None:
        """Connect while the function initialises, when CPU is free; a failure is tried again on use."""
        self._database.warm_up()

    @contextmanager
    def store(self, context: Context) -> Iterator[PlanetScaleStore]:
        """The store of one request, within the invocation's time."""
        with self._database.session(Deadline.of(context, self._settings.deadline)) as session:
            yield PlanetScaleStore(session)

    def figures(self) -> dict[str, Any]:
        """Fields for the request's log line: what it cost. Counting starts anew."""
        figures, self._database.figures = self._database.figures, Figures()
        return figures.as_log_fields()


def connect() -> PlanetScale:
    """The backend that the function's environment variables tell of."""
    return PlanetScale(Settings.from_environment())


def _project(tenant: str, row: tuple[Any, ...]) -> Project:
    id, name, version, created_at, updated_at = row
    return Project(tenant, id, name, version, _timestamp(created_at), _timestamp(updated_at))


def _datetime(timestamp: str) -> str:
    """A time of a project as MySQL reads it; it knows no Z, and DATETIME no zone."""
    return timestamp.replace("T", " ").removesuffix("Z")


def _timestamp(datetime: str) -> str:
    return f"{datetime.replace(' ', 'T')}Z"


def _absent(tenant: str, id: str) -> str:
    return f"tenant {tenant} has no project {id}"

"""Projects in one DynamoDB table: each is one item, and each method is one request.

| item       | PK             | SK           | GSI1PK       | GSI1SK                    |
|------------|----------------|--------------|--------------|---------------------------|
| project    | TENANT#tenant  | PROJECT#id   | PROJECT#id   | PROJECT#created_at#id     |
| cursor key | CURSOR_KEYS    | KEY#number   |              |                           |

The local index ByCreation (PK, GSI1SK) is a tenant's list in order, read consistently; GSI1 finds an id whosever it is.
docs/decisions/0010-one-item-per-project.md says why. A request whose answer was lost is sent again, so each recognises
its own earlier success: by the time that it chose, to the microsecond, which is stored with the item.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError

from lambda_src.api.backend import StoreUnavailable
from lambda_src.api.cursor import Position
from lambda_src.deadline import Context, Deadline
from lambda_src.dynamodb.keys import CursorKeys
from lambda_src.dynamodb.table import ConditionFailed, Figures, Json, Settings, Table
from lambda_src.projects.model import (
    Page,
    Project,
    ProjectExists,
    ProjectNotFound,
    VersionConflict,
)

NAMES = {"#name": "name", "#version": "version"}  # words that DynamoDB keeps for itself, or may


class DynamoDbStore:
    """The store of one request; other errors of DynamoDB pass through as botocore raises them."""

    def __init__(self, table: Table, keys: CursorKeys) -> None:
        self._table = table
        self._keys = keys

    def add(self, tenant: str, id: str, name: str, now: str) -> Project:
        """Store a new project, or raise ProjectExists."""
        project = Project(tenant, id, name, 1, now, now)
        try:
            self._table.request(
                "put_item",
                Item=as_item(project),
                ConditionExpression="attribute_not_exists(PK)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailed as failure:
            found = _project(failure.item) if failure.item else None
            if found is None or found.created_at != now:
                raise ProjectExists(f"tenant {tenant} already has a project {id}") from None
            return found
        return project

    def page(self, tenant: str, after: Position | None, limit: int) -> Page:
        """At most `limit` projects that follow `after`, or the first ones."""
        items = self._following(tenant, after, limit + 1)  # one more tells whether more follow
        self._keys.refresh()
        projects = [_project(item) for item in items[:limit]]
        following = Position(projects[-1].created_at, projects[-1].id) if len(items) > limit else None
        return Page(json.dumps([project.as_json() for project in projects]), following, self._keys)

    def get(self, tenant: str, id: str) -> Project:
        """One project, or raise ProjectNotFound."""
        answer = self._table.request("get_item", Key=_key(tenant, id), ConsistentRead=True)
        if "Item" not in answer:
            raise ProjectNotFound(_absent(tenant, id))
        return _project(answer["Item"])

    def find(self, id: str, tenants: Collection[str]) -> list[Project]:
        """The projects of this id that one of `tenants` owns, for a caller that knows the id and not the tenant.

        The index knows a new project a moment later; what is returned is as it is now.
        """
        answer = self._table.request(
            "query",
            IndexName="GSI1",
            KeyConditionExpression="GSI1PK = :project",
            ExpressionAttributeValues={":project": {"S": f"PROJECT#{id}"}},
        )
        owners = [item["PK"]["S"].removeprefix("TENANT#") for item in answer["Items"]]
        found = []
        for tenant in owners:
            if tenant in tenants:  # the index spans all tenants: without this, an id would be enough to read anyone's
                with suppress(ProjectNotFound):  # deleted, which the index does not know yet
                    found.append(self.get(tenant, id))
        return found

    def rename(self, tenant: str, id: str, name: str, version: int | None, now: str) -> Project:
        """Change a project that is at `version` (None: at any), or raise ProjectNotFound or VersionConflict."""
        condition, values = "attribute_exists(PK) AND updated_at <> :now", {":one": {"N": "1"}}
        if version is not None:
            condition += " AND #version = :version"
            values[":version"] = {"N": str(version)}
        try:
            answer = self._table.request(
                "update_item",
                Key=_key(tenant, id),
                UpdateExpression="SET #name = :name, #version = #version + :one, updated_at = :now",
                ConditionExpression=condition,
                ExpressionAttributeNames=NAMES,
                ExpressionAttributeValues={**values, ":name": {"S": name}, ":now": {"S": now}},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailed as failure:
            if failure.item is None:
                raise ProjectNotFound(_absent(tenant, id)) from None
            found = _project(failure.item)
            if found.updated_at != now:
                message = f"project {id} is at version {found.version}, and the change is for {version}"
                raise VersionConflict(message) from None
            return found
        return _project(answer["Attributes"])

    def remove(self, tenant: str, id: str) -> None:
        """Delete a project, or raise ProjectNotFound."""
        answer = self._table.request("delete_item", Key=_key(tenant, id), ReturnValues="ALL_OLD")
        # After a lost answer, nothing to delete means that it was done.
        if "Attributes" not in answer and not self._table.uncertain:
            raise ProjectNotFound(_absent(tenant, id))

    def ping(self) -> None:
        """Return when the table answers."""
        self._table.request("get_item", Key={"PK": {"S": "HEALTH"}, "SK": {"S": "HEALTH"}})

    def _following(self, tenant: str, after: Position | None, limit: int) -> list[Json]:
        """At most `limit` items: in one request, unless they are more than 1 MB."""
        start: Json = {"ExclusiveStartKey": _place(tenant, after)} if after else {}
        items: list[Json] = []
        while True:
            answer = self._table.request(
                "query",
                IndexName="ByCreation",
                KeyConditionExpression="PK = :tenant AND begins_with(GSI1SK, :projects)",
                ExpressionAttributeValues={":tenant": {"S": f"TENANT#{tenant}"}, ":projects": {"S": "PROJECT#"}},
                ConsistentRead=True,  # an index of its own partition can; a global one would hide what was just added
                Limit=limit - len(items),
                **start,
            )
            items += answer["Items"]
            if len(items) == limit or "LastEvaluatedKey" not in answer:
                return items
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


class DynamoDb:
    """The backend: one client, whose connection every request of the execution environment uses."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._table = Table(settings)
        self._keys = CursorKeys(self._table)

    def warm_up(self) -> None:
        """Connect while the function initialises, when CPU is free; a failure is tried again on use."""
        with suppress(StoreUnavailable, ClientError):
            self._keys.refresh()

    @contextmanager
    def store(self, context: Context) -> Iterator[DynamoDbStore]:
        """The store of one request, within the invocation's time."""
        self._table.begin(Deadline.of(context, self._settings.deadline))
        yield DynamoDbStore(self._table, self._keys)

    def figures(self) -> dict[str, Any]:
        """Fields for the request's log line: what it cost. Counting starts anew."""
        figures, self._table.figures = self._table.figures, Figures()
        return figures.as_log_fields()


def connect() -> DynamoDb:
    """The backend that the function's environment variables tell of."""
    return DynamoDb(Settings.from_environment())


def _key(tenant: str, id: str) -> Json:
    return {"PK": {"S": f"TENANT#{tenant}"}, "SK": {"S": f"PROJECT#{id}"}}


def _place(tenant: str, position: Position) -> Json:
    """Where a position is in the list: all of a key, made here, so that no caller ever names another partition."""
    created_at, id = position
    return {**_key(tenant, id), "GSI1SK": {"S": f"PROJECT#{created_at}#{id}"}}


def as_item(project: Project) -> Json:
    """What the table holds of a project."""
    return {
        **_place(project.tenant, Position(project.created_at, project.id)),
        "GSI1PK": {"S": f"PROJECT#{project.id}"},
        "name": {"S": project.name},
        "version": {"N": str(project.version)},
        "created_at": {"S": project.created_at},
        "updated_at": {"S": project.updated_at},
    }


def _project(item: Json) -> Project:
    return Project(
        tenant=item["PK"]["S"].removeprefix("TENANT#"),
        id=item["SK"]["S"].removeprefix("PROJECT#"),
        name=item["name"]["S"],
        version=int(item["version"]["N"]),
        created_at=item["created_at"]["S"],
        updated_at=item["updated_at"]["S"],
    )


def _absent(tenant: str, id: str) -> str:
    return f"tenant {tenant} has no project {id}"

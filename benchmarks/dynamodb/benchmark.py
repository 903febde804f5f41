"""Lists of many projects in DynamoDB, read while somebody writes.

What is counted is exact, and the same on every machine: requests, projects shown twice, projects left out. The table is
the local AWS's; its time is not DynamoDB's, so none is reported.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3

from lambda_src.api.ids import timestamp
from lambda_src.deadline import Deadline
from lambda_src.dynamodb.keys import CursorKeys
from lambda_src.dynamodb.store import DynamoDbStore, as_item
from lambda_src.dynamodb.table import Settings, Table
from lambda_src.projects.model import Project

ROOT = Path(__file__).parents[2]
PROJECTS, TENANTS = 100_000, 200
BATCH = 25  # items that one BatchWriteItem takes
PAGE, LONGEST_PAGE = 25, 500
HOUR = 3600

COUNTED = ("pages", "requests", "repeated", "twice", "missing", "foreign", "out_of_order")

Ids = Mapping[str, set[str]]  # of projects, by tenant


def run(rounds: int = 1, *, projects: int = PROJECTS, tenants: int = TENANTS) -> dict[str, dict[str, int]]:
    """Read every tenant's list, and in each round one in pages of 25, while projects are added to all of them."""
    with tempfile.TemporaryDirectory() as directory, _local_aws(Path(directory)) as endpoint, _environment(endpoint):
        name = _new_table()
        ids = _fill(name, projects, tenants)
        with _writer(name, list(ids)) as added:
            found = _read_all(name, ids, rounds)
    result = {"projects_before": projects, "tenants": tenants, "projects_added_meanwhile": added[0], **found}
    for key, value in result.items():
        print(f"{key.replace('_', ' '):<28} {value:>10,}")
    return {"dynamodb_lists": result}


def _read_all(name: str, ids: Ids, rounds: int) -> Counter[str]:
    found: Counter[str] = Counter()
    with _open(name) as (table, store):
        store.page("nobody", None, 1)  # reads the keys
        before = table.figures.requests
        for tenant, own in ids.items():
            found += _read(store, tenant, own, LONGEST_PAGE)
        for tenant in list(ids)[:rounds]:
            found += _read(store, tenant, ids[tenant], PAGE)
        found["repeated"] = table.figures.retries  # where this machine was busy for 2 s
        found["requests"] = table.figures.requests - before - found["repeated"]
    # Adding counters leaves out what is 0.
    return Counter({each: found[each] for each in COUNTED})


def _read(store: DynamoDbStore, tenant: str, own: set[str], limit: int) -> Counter[str]:
    """One whole list, page by page, and what was wrong with it."""
    shown: list[dict[str, Any]] = []
    page = store.page(tenant, None, limit)
    pages = 1
    while True:
        shown += json.loads(page.items)
        if page.following is None:
            break
        page = store.page(tenant, page.following, limit)
        pages += 1
    ids = [project["id"] for project in shown]
    places = [(project["created_at"], project["id"]) for project in shown]
    return Counter(
        pages=pages,
        twice=len(ids) - len(set(ids)),
        missing=len(own - set(ids)),
        foreign=sum(project["tenant"] != tenant for project in shown),
        out_of_order=sum(first > second for first, second in pairwise(places)),
    )


@contextlib.contextmanager
def _writer(name: str, tenants: list[str]) -> Iterator[list[int]]:
    """Adds projects to one tenant after the other until the block ends; gives how many, in a list of one."""
    stop, added = threading.Event(), [0]

    def write() -> None:
        with _open(name) as (_, store):
            while not stop.is_set():
                store.add(tenants[added[0] % len(tenants)], str(uuid.uuid4()), "added meanwhile", timestamp())
                added[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield added
    finally:
        stop.set()
        thread.join()


def _fill(name: str, projects: int, tenants: int) -> Ids:
    """Projects of the hour before, dealt to the tenants in turn."""
    begin, step = datetime.now(UTC) - timedelta(seconds=HOUR), timedelta(seconds=HOUR) / projects
    made = []
    for number in range(projects):
        moment = (begin + number * step).isoformat(timespec="microseconds").replace("+00:00", "Z")
        made.append(Project(f"tenant-{number % tenants}", str(uuid.uuid4()), f"project {number}", 1, moment, moment))
    client = boto3.client("dynamodb")

    def put(batch: list[Project]) -> None:
        client.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": as_item(each)}} for each in batch]})

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(put, (made[start : start + BATCH] for start in range(0, projects, BATCH))))
    client.close()
    ids: dict[str, set[str]] = {}
    for project in made:
        ids.setdefault(project.tenant, set()).add(project.id)
    return ids


def _new_table() -> str:
    """A table with the keys and the local index of the template's."""
    names = ("PK", "SK", "GSI1SK")
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="projects",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=_keys("PK", "SK"),
        LocalSecondaryIndexes=[
            {"IndexName": "ByCreation", "KeySchema": _keys("PK", "GSI1SK"), "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    client.close()
    return "projects"


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


@contextlib.contextmanager
def _open(name: str) -> Iterator[tuple[Table, DynamoDbStore]]:
    """What an execution environment has, for one request as long as the block."""
    table = Table(Settings(table=name, deadline=HOUR))
    table.begin(Deadline(HOUR))
    try:
        yield table, DynamoDbStore(table, CursorKeys(table))
    finally:
        table.close()


@contextlib.contextmanager
def _local_aws(directory: Path) -> Iterator[str]:
    """The endpoint of a local AWS that ends with the block."""
    command = [str(ROOT / ".venv-emulator" / "bin" / "python"), "-m", "local.aws", "--port", "0"]
    command += ["--state", str(directory / "state"), "--python", sys.executable]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
    with process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield str(json.loads(line)["endpoint"])
        finally:
            process.terminate()


@contextlib.contextmanager
def _environment(endpoint: str) -> Iterator[None]:
    """What boto3 takes from a function's environment variables."""
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)

"""What the store keeps in its table, and what a list shows while others write."""

import base64
import json
import random
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_src.api import cursor
from lambda_src.api.cursor import Position
from lambda_src.api.ids import new_id, timestamp
from lambda_src.api.problem import InvalidRequest
from lambda_src.deadline import Deadline
from lambda_src.dynamodb.keys import REMEMBERED, SIGNS, VERIFIES, CursorKeys
from lambda_src.dynamodb.store import DynamoDbStore
from lambda_src.dynamodb.table import VARIABLES, InvalidSettings, Settings, Table
from lambda_src.projects.model import ProjectExists, ProjectNotFound, VersionConflict
from tests.conftest import ROOT
from tests.dynamodb.fixtures import new_table, variables

DAY = 86_400
MINUTE = 60


class Clock:
    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def connect(local_aws, monkeypatch, clock):
    """Makes what each execution environment has: a client and keys of its own."""
    opened = []

    def connect(name):
        for variable, value in variables(local_aws.endpoint, name).items():
            monkeypatch.setenv(variable, value)
        table = Table(Settings(table=name, deadline=30))
        opened.append(table)
        table.begin(Deadline(10 * MINUTE))
        return DynamoDbStore(table, CursorKeys(table, clock))

    yield connect
    for table in opened:
        table.close()


@pytest.fixture
def fresh(local_aws):
    """A table with nothing in it, not even a key."""
    return new_table(local_aws)


@pytest.fixture
def store(connect, table):
    return connect(table.name)


@pytest.fixture
def tenant():
    return new_tenant()


def new_tenant():
    return f"tenant-{uuid.uuid4().hex[:8]}"


def add(store, tenant, name="a project", id=None):
    return store.add(tenant, id or new_id(), name, timestamp())


def pages(store, tenant, limit, between=lambda: None):
    """The ids of each page, one after the other, with something done in between."""
    after = None
    while True:
        page = store.page(tenant, after, limit)
        yield [project["id"] for project in json.loads(page.items)]
        after = page.following
        if after is None:
            return
        between()


def listed(store, tenant, limit=500):
    return [id for page in pages(store, tenant, limit) for id in page]


# What is stored


def test_a_project_is_one_item_and_no_attribute_is_empty(connect, fresh, tenant):
    project = add(connect(fresh.name), tenant)
    (item,) = fresh.items()
    assert item == {
        "PK": {"S": f"TENANT#{tenant}"},
        "SK": {"S": f"PROJECT#{project.id}"},
        "GSI1PK": {"S": f"PROJECT#{project.id}"},
        "GSI1SK": {"S": f"PROJECT#{project.created_at}#{project.id}"},
        "name": {"S": "a project"},
        "version": {"N": "1"},
        "created_at": {"S": project.created_at},
        "updated_at": {"S": project.created_at},
    }


def test_of_many_that_create_the_same_id_at_once_one_does(connect, table, tenant):
    stores, id = [connect(table.name) for _ in range(8)], new_id()

    def attempt(store):
        try:
            return add(store, tenant, id=id)
        except ProjectExists:
            return None

    with ThreadPoolExecutor(8) as executor:
        (made,) = [each for each in executor.map(attempt, stores) if each]
    assert stores[0].get(tenant, id) == made


def test_of_many_that_change_the_same_version_at_once_one_does(connect, table, tenant):
    stores = [connect(table.name) for _ in range(8)]
    project = add(stores[0], tenant)

    def attempt(numbered):
        number, store = numbered
        try:
            return store.rename(tenant, project.id, f"name {number}", 1, timestamp())
        except VersionConflict:
            return None

    with ThreadPoolExecutor(8) as executor:
        (changed,) = [each for each in executor.map(attempt, enumerate(stores)) if each]
    assert changed.version == 2
    assert stores[0].get(tenant, project.id) == changed


def test_an_id_finds_its_project_only_among_the_tenants_that_are_allowed(store, tenant):
    ours, theirs = add(store, tenant), None
    theirs = add(store, f"{tenant}-2", id=ours.id)
    assert store.find(ours.id, [tenant]) == [ours]
    assert store.find(ours.id, [tenant, f"{tenant}-2", "a stranger"]) == [ours, theirs]
    assert store.find(ours.id, ["a stranger"]) == []
    assert store.find(ours.id, []) == []


def test_a_page_of_more_than_a_megabyte_is_whole(connect, fresh, tenant):
    """A fork's items may be larger than projects: DynamoDB ends a query at 1 MB, and that is not the end of a list."""
    store = connect(fresh.name)
    ids = [add(store, tenant).id for _ in range(6)]
    for id in ids:
        fresh.client.update_item(
            TableName=fresh.name,
            Key={"PK": {"S": f"TENANT#{tenant}"}, "SK": {"S": f"PROJECT#{id}"}},
            UpdateExpression="SET attachment = :text",
            ExpressionAttributeValues={":text": {"S": "x" * 300_000}},
        )
    assert list(pages(store, tenant, 6)) == [ids]
    assert list(pages(store, tenant, 5)) == [ids[:5], ids[5:]]


# The list while others write


class Writer:
    """What somebody else does to a tenant's projects."""

    def __init__(self, store, tenant, seed):
        self.store, self.tenant, self.random = store, tenant, random.Random(seed)
        self.there = [add(store, tenant).id for _ in range(self.random.randint(0, 9))]
        self.begun_with = list(self.there)
        self.ever = set(self.there)
        self.removed = set()

    def write(self, actions):
        for action in actions:
            if action == "add":
                # Ids that say nothing about order.
                self.there.append(add(self.store, self.tenant, id=str(uuid.uuid4())).id)
                self.ever.add(self.there[-1])
            elif self.there:
                id = self.random.choice(self.there)
                if action == "rename":
                    self.store.rename(self.tenant, id, "renamed", None, timestamp())
                else:
                    self.store.remove(self.tenant, id)
                    self.there.remove(id)
                    self.removed.add(id)


writes = st.lists(st.sampled_from(["add", "rename", "remove"]), max_size=5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), limit=st.integers(1, 4), steps=st.lists(writes, max_size=8))
def test_a_list_shows_each_project_once_whatever_is_written_between_its_pages(store, seed, limit, steps):
    writer = Writer(store, new_tenant(), seed)
    remaining = iter(steps)
    shown = [
        id for page in pages(store, writer.tenant, limit, lambda: writer.write(next(remaining, []))) for id in page
    ]
    assert len(shown) == len(set(shown)), "shown twice"
    assert set(shown) <= writer.ever
    assert set(writer.there) <= set(shown), "skipped, although it was never deleted"
    assert set(writer.begun_with) - writer.removed <= set(shown)
    assert listed(store, writer.tenant) == writer.there


def test_a_list_shows_each_project_once_while_another_environment_writes(connect, table, tenant):
    reader, store = connect(table.name), connect(table.name)
    writer = Writer(store, tenant, 7)
    writer.write(["add"] * 20)
    before, stop = list(writer.there), threading.Event()

    def write_until_stopped():
        while not stop.is_set():
            writer.write(["add", "rename", "remove", "add"])

    thread = threading.Thread(target=write_until_stopped)
    thread.start()
    try:
        for _ in range(5):
            shown = [id for page in pages(reader, tenant, 3) for id in page][: len(before) + 1000]
            assert len(shown) == len(set(shown)), "shown twice"
            assert set(before) - writer.removed <= set(shown), "skipped"
    finally:
        stop.set()
        thread.join()
    assert listed(reader, tenant) == writer.there


# The keys


def keys_of(store):
    store.page("anyone", None, 1)
    return store._keys


def test_the_first_function_makes_the_first_key_and_no_other(connect, fresh):
    stores = [connect(fresh.name) for _ in range(6)]
    with ThreadPoolExecutor(6) as executor:
        found = [dict(keys) for keys in executor.map(keys_of, stores)]
    assert found == [found[0]] * 6
    assert len(found[0][1]) == 32
    (item,) = fresh.items()
    assert item["expires_at"]["N"].isdecimal()  # what the table's TTL goes by


def test_a_key_is_replaced_in_time_and_verifies_a_week_longer(connect, fresh, clock):
    keys = keys_of(connect(fresh.name))
    text = cursor.sign(Position(timestamp(), new_id()), "projects", "acme", keys)
    clock.now += SIGNS + MINUTE
    keys.refresh()
    assert sorted(keys) == [1, 2]
    cursor.verify(cursor.read(text), "projects", "acme", keys)
    clock.now += VERIFIES - SIGNS
    keys.refresh()
    assert sorted(keys) == [2]  # although the item may be there for days
    with pytest.raises(InvalidRequest, match="cursor"):
        cursor.verify(cursor.read(text), "projects", "acme", keys)


def test_a_function_that_slept_through_everything_makes_a_new_key(connect, fresh, clock):
    keys = keys_of(connect(fresh.name))
    clock.now += VERIFIES + 10 * DAY
    keys.refresh()
    assert sorted(keys) == [2]


def test_an_environment_takes_the_cursor_of_one_that_has_a_newer_key(connect, fresh, clock):
    old = keys_of(connect(fresh.name))
    clock.now += SIGNS - MINUTE
    old.refresh()
    clock.now += 2 * MINUTE  # and less than it remembers
    new = keys_of(connect(fresh.name))
    assert (sorted(old), sorted(new)) == ([1], [1, 2])
    text = cursor.sign(Position(timestamp(), new_id()), "projects", "acme", new)
    cursor.verify(cursor.read(text), "projects", "acme", old)


def test_the_keys_are_read_once_in_a_while_and_forged_ones_do_not_change_that(connect, fresh, clock):
    store = connect(fresh.name)
    keys = keys_of(store)
    figures = store._table.figures
    before = figures.requests
    for _ in range(10):
        store.page("anyone", None, 1)
        assert 99 not in keys
    assert figures.requests == before + 10
    clock.now += REMEMBERED
    store.page("anyone", None, 1)
    assert figures.requests == before + 12


def test_a_key_of_another_table_signs_nothing_here(connect, local_aws):
    ours, theirs = (keys_of(connect(new_table(local_aws).name)) for _ in range(2))
    text = cursor.sign(Position(timestamp(), new_id()), "projects", "acme", theirs)
    with pytest.raises(InvalidRequest, match="cursor"):
        cursor.verify(cursor.read(text), "projects", "acme", ours)


# One store and not the other


@pytest.mark.parametrize(("store", "absent"), [("dynamodb.store", "psycopg"), ("projects.postgres_store", "boto3")])
def test_a_store_imports_no_other_stores_driver(store, absent):
    program = f"import sys, lambda_src.{store}, lambda_src.routes; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_only_the_stores_own_modules_know_dynamodb():
    words = ("dynamodb", "boto", "GSI", "begins_with")
    for path in (ROOT / "lambda_src" / "projects").glob("*.py"):
        assert [line for line in path.read_text().splitlines() if any(word in line for word in words)] == [], path.name


def test_every_missing_variable_is_named():
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_environment({})
    assert all(name in str(caught.value) for name in (*VARIABLES, "AWS_REGION"))


@pytest.mark.parametrize("seconds", ["2", "-3", "soon", "3.5", "900", "٣"])
def test_a_deadline_that_no_attempt_fits_is_refused(seconds):
    with pytest.raises(InvalidSettings, match="TABLE_DEADLINE_SECONDS is"):
        Settings.from_environment({"TABLE_NAME": "t", "TABLE_DEADLINE_SECONDS": seconds, "AWS_REGION": "eu-west-1"})


def test_a_removed_project_is_not_found_twice(store, tenant):
    project = add(store, tenant)
    store.remove(tenant, project.id)
    with pytest.raises(ProjectNotFound):
        store.remove(tenant, project.id)


def test_a_position_is_opaque_to_the_table(store, tenant):
    """Whatever a forged cursor holds, what is read is the caller's own partition."""
    add(store, f"{tenant}-2")
    raw = base64.b64encode(b"TENANT#other").decode()
    for created_at, id in ((timestamp(), new_id()), ("", ""), (raw, f"#{tenant}-2#"), ("\U0010ffff", "~")):
        assert json.loads(store.page(tenant, Position(created_at, id), 5).items) == []

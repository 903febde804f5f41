"""What a caller may do to a cursor, over every store: nothing but hand it back."""

import base64
import json
import uuid

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

ID = "0192f0c1-5c7e-7cc4-a5a1-3f3a0b6a6f00"
TIME = "2026-11-22T12:30:15.123456Z"


def encoded(*payload: object) -> str:
    """A well-formed cursor with a signature that is none."""
    raw = json.dumps(payload, separators=(",", ":")).encode() + b"s" * 32
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def refused(service, cursor):
    answer = service.request("GET", f"/tenants/acme/projects?cursor={cursor}")
    return (answer.status, answer.body["type"]) == (400, "/problems/invalid-request")


@pytest.fixture
def cursor(service):
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    for number in range(3):
        service.request("POST", f"/tenants/{tenant}/projects", {"name": f"{number}"})
    return tenant, service.request("GET", f"/tenants/{tenant}/projects?limit=1").body["next_cursor"]


times = st.datetimes().map(lambda moment: moment.isoformat())
texts = st.text(st.characters(codec="utf-8"), max_size=40)


def test_a_forged_cursor_is_a_bad_request(service):
    @settings(max_examples=service.examples, deadline=None)
    @given(version=st.integers(0, 2), key=st.integers(-(2**70), 2**70), time=times | texts | st.none(), id=st.uuids())
    @example(version=1, key=1, time=TIME, id=ID)
    @example(version=1, key=1, time="2026-W47-7", id=ID)  # ISO 8601, and nothing that PostgreSQL reads
    @example(version=1, key=1, time="20261122", id=ID)
    @example(version=1, key=1, time="2026-11-22\ud80012:30:15", id=ID)
    @example(version=1, key=10**100, time=TIME, id=ID)
    def check(version, key, time, id):
        assert refused(service, encoded(version, key, time, str(id)))

    check()


@pytest.mark.parametrize(
    "payload",
    [
        [1, 1, TIME],
        [1, 1, TIME, ID, "more"],
        [1, True, TIME, ID],
        [1, 1, TIME, ID.upper()],
        [1, 1, {"S": TIME}, ID],
        [1, 1, TIME, f"{ID}#"],
        [{"PK": {"S": "TENANT#other"}, "SK": {"S": f"PROJECT#{ID}"}}],
    ],
)
def test_a_cursor_with_other_fields_than_its_own_is_a_bad_request(service, payload):
    assert refused(service, encoded(*payload))


def test_a_truncated_cursor_is_a_bad_request(service, cursor):
    tenant, text = cursor
    for length in (0, 1, len(text) // 2, len(text) - 1):
        answer = service.request("GET", f"/tenants/{tenant}/projects?cursor={text[:length]}")
        assert answer.status == 400, text[:length]


def test_a_cursor_with_one_bit_changed_is_a_bad_request(service, cursor):
    tenant, text = cursor
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    for bit in range(0, len(raw) * 8, 13):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        forged = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
        assert service.request("GET", f"/tenants/{tenant}/projects?cursor={forged}").status == 400, bit
    assert service.request("GET", f"/tenants/{tenant}/projects?cursor={text}").status == 200


def test_a_cursor_goes_on_after_a_project_that_is_deleted(service, cursor):
    tenant, text = cursor
    first, second, third = service.request("GET", f"/tenants/{tenant}/projects").body["items"]
    for project in (first, second):
        assert service.request("DELETE", f"/tenants/{tenant}/projects/{project['id']}").status == 204
    assert service.request("GET", f"/tenants/{tenant}/projects?cursor={text}").body == {"items": [third]}

"""A cursor goes on where it says, for the tenant it was made for, or is refused as a bad request."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.api import cursor, request
from lambda_src.api.cursor import Position
from lambda_src.api.problem import InvalidRequest

LIST = "notes", "acme"
KEYS = {1: b"1" * 32, 2: b"2" * 32}
POSITION = Position("2026-11-22T12:30:15.123456Z", "0192f0c1-5c7e-7cc4-a5a1-3f3a0b6a6f00")


def test_a_cursor_comes_back_as_its_position():
    claim = cursor.read(cursor.sign(POSITION, *LIST, KEYS))
    cursor.verify(claim, *LIST, KEYS)
    assert claim.position == POSITION


def test_a_cursor_signed_before_a_new_key_is_still_good():
    claim = cursor.read(cursor.sign(POSITION, *LIST, {1: KEYS[1]}))
    cursor.verify(claim, *LIST, KEYS)


def test_a_cursor_of_a_deleted_key_is_refused():
    with pytest.raises(InvalidRequest, match="cursor"):
        cursor.verify(cursor.read(cursor.sign(POSITION, *LIST, {1: KEYS[1]})), *LIST, {2: KEYS[2]})


def test_another_tenants_cursor_is_refused():
    with pytest.raises(InvalidRequest, match="cursor"):
        cursor.verify(cursor.read(cursor.sign(POSITION, *LIST, KEYS)), "notes", "evil", KEYS)


def test_a_cursor_of_another_collection_is_refused():
    with pytest.raises(InvalidRequest, match="cursor"):
        cursor.verify(cursor.read(cursor.sign(POSITION, *LIST, KEYS)), "orders", "acme", KEYS)


@given(
    st.text(max_size=600) | st.binary(max_size=200).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="))
)
def test_any_other_text_is_refused_as_a_bad_request(text):
    with pytest.raises(InvalidRequest, match="cursor"):
        cursor.read(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_any_other_json_under_a_signature_is_refused_as_a_bad_request(value):
    raw = json.dumps(value).encode() + b"s" * 32
    with pytest.raises(InvalidRequest, match="cursor"):
        cursor.read(base64.urlsafe_b64encode(raw).decode().rstrip("="))


def test_every_changed_character_makes_a_cursor_invalid():
    good = cursor.sign(POSITION, *LIST, KEYS)
    for place, character in enumerate(good):
        forged = f"{good[:place]}{'A' if character != 'A' else 'B'}{good[place + 1 :]}"
        with pytest.raises(InvalidRequest, match="cursor"):
            cursor.verify(cursor.read(forged), *LIST, KEYS)


def test_a_list_in_pages_may_have_filters_and_names_those_it_has_not():
    event = {"queryStringParameters": {"limit": "2", "state": "open", "color": "red"}}
    with pytest.raises(InvalidRequest, match=r'color is "unknown": the fields are cursor and limit and state$'):
        request.limit_and_cursor(event, {"state"})
    del event["queryStringParameters"]["color"]
    assert request.limit_and_cursor(event, {"state"}) == (2, None)

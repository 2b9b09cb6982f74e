"""The bodies of records: held to their table when they are written, taken apart when read."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import InvalidError
from twincli.model import bodies, record

CID = "bafkreib4umnkq5vpx5nc2pep2sfpikbfh774q6jcyefcikb5fqmq44iaii"
FILE = {"cid": CID, "name": "report.pdf", "size": 7, "media_type": "application/pdf", "type": "x"}
FREE = {"data": {"a": 1}, "attachments": [FILE]}
GOOD: dict[str, dict[str, Any]] = {
    "event": {"type": "inspection", **FREE},
    "state": {
        "from": "a",
        "to": "b",
        "reason": "two\nlines",
        "meets": ["done"],
        "conditions": [{"name": "done", "required": True, "standing": "asserted"}],
        "triggered_by": "inspector 7",
        **FREE,
    },
    "stage": {
        "stage": "harvest",
        "location": "Portland, OR",
        "date": "2024-01-10",
        "skipped": ["planting"],
        **FREE,
    },
    "maintenance": {
        "type": "service",
        "technician": "tech-1",
        "work": ["Replaced the filter"],
        "parts": [{"part": "filter", "quantity": "1", "cost": "45.99"}],
        "currency": "USD",
        "total": "45.99",
        "done": ["filterChange"],
        "next": "2024-04-20T00:00:00Z",
        "next_type": "quarterly",
        **FREE,
    },
    "certificate": {
        "credential": {"type": []},
        "revokes": "0" * 64,
        "reason": "withdrawn",
        "status_list": {"type": []},
        **FREE,
    },
}


def test_every_kind_is_a_record() -> None:
    assert set(GOOD) == set(bodies.MEMBERS) <= record.RECORD_KINDS


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_a_good_body_is_what_it_was(kind: str) -> None:
    backwards = dict(reversed(GOOD[kind].items()))
    made = bodies.checked(kind, {**backwards})
    assert list(made.items()) == list(GOOD[kind].items())
    assert bodies.read(kind, made) == bodies.Read(GOOD[kind], ())
    assert {member.name for member in bodies.MEMBERS[kind]} == set(GOOD[kind])


def test_none_is_left_out() -> None:
    assert bodies.checked("event", {"type": "x", "data": None}) == {"type": "x"}


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("event", {}, "type: it is missing"),
    ("event", {"type": ""}, "type: '' is not a name"),
    ("event", {"type": 5}, "type: 5 is not a name"),
    ("event", {"type": "a\tb"}, "type: 'a\\tb' has blanks around it or odd characters"),
    ("event", {"type": " a"}, "type: ' a' has blanks around it or odd characters"),
    ("event", {"type": "a\u202eb"}, "odd characters"),
    ("event", {"type": "x" * 201}, "type: it has 201 characters"),
    ("event", {"type": "x", "data": [1]}, "data: a list is not an object"),
    ("event", {"type": "x", "reason": "y"}, "a record of kind event has no member 'reason'"),
    ("event", {"type": "x", "attachments": {}}, "attachments: an object is not a list"),
    ("event", {"type": "x", "attachments": [FILE] * 101}, "attachments: it has 101 items"),
    ("event", {"type": "x", "attachments": [FILE, 5]}, "attachments[1]: 5 is not an object"),
    (
        "event",
        {"type": "x", "attachments": [{**FILE, "cid": "Qm"}]},
        "attachments[0].cid: 'Qm' is not the CID of a file",
    ),
    (
        "event",
        {"type": "x", "attachments": [{**FILE, "cid": 1}]},
        "attachments[0].cid: 1 is not the CID of a file",
    ),
    (
        "event",
        {"type": "x", "attachments": [{**FILE, "size": -1}]},
        "attachments[0].size: -1 is not a size",
    ),
    (
        "event",
        {"type": "x", "attachments": [{**FILE, "size": True}]},
        "attachments[0].size: true is not a size",
    ),
    (
        "event",
        {"type": "x", "attachments": [{"cid": CID, "size": 1}]},
        "attachments[0].name: it is missing",
    ),
    ("state", {"from": "a", "to": "b", "reason": "\n"}, "reason: '\\n' is not a text"),
    ("state", {"from": "a", "to": "b", "reason": "x" * 4001}, "reason: it has 4001 characters"),
    (
        "state",
        {"from": "a", "to": "b", "conditions": [{"name": "c", "required": 1, "standing": "unmet"}]},
        "conditions[0].required: 1 is not true or false",
    ),
    (
        "state",
        {
            "from": "a",
            "to": "b",
            "conditions": [{"name": "c", "required": True, "standing": "good"}],
        },
        "conditions[0].standing: 'good' is not a standing",
    ),
    ("certificate", {"revokes": "x"}, "revokes: 'x' is not the id of a transaction"),
    ("certificate", {"revokes": 5}, "revokes: 5 is not the id of a transaction"),
    ("certificate", {"credential": "x"}, "credential: 'x' is not an object"),
    ("stage", {"stage": "x", "date": "soon"}, "date: 'soon' is not a date or a time"),
    ("stage", {"stage": "x", "date": 20240110}, "date: 20240110 is not a date or a time"),
    ("maintenance", {"type": "x", "total": 45.99}, "total: 45.99 is not a decimal"),
    ("maintenance", {"type": "x", "total": "1e3"}, "total: '1e3' is not a decimal"),
    ("maintenance", {"type": "x", "total": "045"}, "total: '045' is not a decimal"),
    ("maintenance", {"type": "x", "currency": "usd"}, "currency: 'usd' is not a currency"),
]


@pytest.mark.parametrize(("kind", "body", "message"), WRONG)
def test_a_wrong_body_is_refused(kind: str, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        bodies.checked(kind, body)
    assert message in caught.value.message
    assert caught.value.code == "invalid_record"
    assert caught.value.hint


def test_of_a_strangers_body_the_good_parts_are_read() -> None:
    said = {
        "type": "x",
        "data": 5,
        "attachments": [FILE, {"cid": CID}, 7, {**FILE, "size": "big"}],
        "more": True,
    }
    found = bodies.read("event", said)
    assert found.stated == {"type": "x", "attachments": [FILE]}
    assert found.malformed == (
        "data",
        "attachments[1].name",
        "attachments[1].size",
        "attachments[2]",
        "attachments[3].size",
    )


@pytest.mark.parametrize("body", [None, [], 5, "type"])
def test_what_is_not_an_object_states_nothing(body: object) -> None:
    assert bodies.read("stage", body) == bodies.Read({}, ("stage",))


def test_a_list_may_be_too_long() -> None:
    long = ["x"] * (bodies.MAX_ITEMS + 1)
    with pytest.raises(InvalidError, match="it has 101 items"):
        bodies.checked("maintenance", {"type": "oil", "work": long})
    read = bodies.read("maintenance", {"type": "oil", "work": long})
    assert (read.stated, read.malformed) == ({"type": "oil"}, ("work",))


def test_faults_are_named_up_to_a_number() -> None:
    assert len(bodies.read("event", {"attachments": [0] * 100}).malformed) == bodies.MAX_FAULTS


def test_a_name() -> None:
    bodies.check_name("report", "the type")
    with pytest.raises(InvalidError, match="the type: '' is not a name"):
        bodies.check_name("", "the type")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.sampled_from(sorted(GOOD)),
    st.dictionaries(
        st.sampled_from(sorted({name for body in GOOD.values() for name in body})), json_values
    ),
)
def test_reading_never_raises_and_what_it_states_is_good(kind: str, body: dict[str, Any]) -> None:
    found = bodies.read(kind, body)
    required = {member.name for member in bodies.MEMBERS[kind] if member.required}
    if required <= found.stated.keys():
        assert bodies.read(kind, found.stated).malformed == ()
        bodies.checked(kind, found.stated)


@pytest.mark.parametrize("kind", ["event", "maintenance", "stage", "state"])
def test_the_schema_of_a_kind_takes_what_is_checked(kind: str) -> None:
    file = resources.files("twincli") / "model" / "schemas" / f"{kind}.json"
    schema = json.loads(file.read_text())["properties"]["body"]
    assert list(schema["properties"]) == [member.name for member in bodies.MEMBERS[kind]]
    assert schema["required"] == [member.name for member in bodies.MEMBERS[kind] if member.required]
    validator = jsonschema_rs.validator_for(schema)
    assert validator.is_valid(GOOD[kind])

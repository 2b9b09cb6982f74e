"""Events: which types a template allows, and how they are listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.errors import InvalidError, UsageError
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.grant import grants
from twincli.services.life import events
from twincli.services.record.listed import ALL, Wanted
from twincli.services.record.say import say
from twincli.services.tx.prepared import Prepared


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        for name in ("alice", "dora"):
            made.key(name)
        alice = made.using("alice")
        writes.create(
            alice, "car", Definition({"vin": "1"}, owner="alice", template="vehicle-tracking-v1")
        )
        writes.create(alice, "box", Definition({}, owner="alice"))
        yield made


def add(
    rooms: Rooms,
    kind: str,
    ref: str = "car",
    key: str = "alice",
    at: str | None = None,
    **data: Any,
) -> dict[str, Any]:
    writing = PLAIN if at is None else Writing(at=at)
    made = events.add(rooms.using(key), ref, kind, {"data": data or None}, writing)
    assert not isinstance(made, Prepared)
    return {**made}


def listed(rooms: Rooms, ref: str = "car", wanted: Wanted = ALL) -> list[Any]:
    return list(events.list_events(rooms.workspace, ref, wanted)["events"])


def test_an_event_is_recorded_and_listed(rooms: Rooms) -> None:
    made = add(rooms, "refuelled", liters=40, type="diesel")
    assert made["body"] == {"type": "refuelled", "data": {"liters": 40, "type": "diesel"}}
    (item,) = listed(rooms)
    assert item == {
        "at": made["at"],
        "committed_at": made["committed_at"],
        "late": False,
        "transaction_id": made["transaction_id"],
        "form": "append",
        "height": made["height"],
        "signers": made["signers"],
        "signer_names": ["alice"],
        "standing": "authorised",
        "via": None,
        "while_frozen": False,
        "malformed": [],
        "type": "refuelled",
        "data": {"liters": 40, "type": "diesel"},
        "attachments": None,
    }


@pytest.mark.parametrize(
    ("kind", "hint"),
    [("refueled", "did you mean refuelled?"), ("flew", "one of maintenance_performed, accident")],
)
def test_a_type_that_the_template_does_not_have(rooms: Rooms, kind: str, hint: str) -> None:
    for call in (
        lambda: add(rooms, kind),
        lambda: add(rooms, kind, key="dora"),
        lambda: events.check_type(rooms.workspace, "car", kind),
    ):
        with pytest.raises(InvalidError) as caught:
            call()
        assert caught.value.code == "unknown_event"
        assert hint in (caught.value.hint or "")
    assert listed(rooms) == []


def test_without_a_template_any_type_goes(rooms: Rooms) -> None:
    events.check_type(rooms.workspace, "box", "opened by customs")
    add(rooms, "opened by customs", "box")
    for wrong in ("", " ", "a\nb", "x" * 201):
        with pytest.raises(InvalidError) as caught:
            add(rooms, wrong, "box")
        assert caught.value.code == "invalid_record"


def test_they_are_in_the_order_in_which_they_happened(rooms: Rooms) -> None:
    add(rooms, "refuelled", at="2024-03-01")
    add(rooms, "fault_reported", at="2024-01-01")
    add(rooms, "accident_reported", at="2024-02-01")
    happened = ["fault_reported", "accident_reported", "refuelled"]
    recorded = ["refuelled", "fault_reported", "accident_reported"]

    def types(**wanted: Any) -> list[str]:
        return [item["type"] for item in listed(rooms, wanted=Wanted(**wanted))]

    assert types() == happened
    assert types(reverse=True) == happened[::-1]
    assert types(by="recorded") == recorded
    assert types(by="recorded", reverse=True) == recorded[::-1]
    assert types(since="2024-01-15") == happened[1:]
    assert types(until="2024-02-01") == happened[:1]
    assert types(since="2024-01-15", limit=1) == happened[1:2]
    assert types(since="2024-01-15", until="2025-01-01", by="recorded") == []
    assert types(since="2025-01-01", by="recorded") == recorded
    assert all(item["late"] for item in listed(rooms))
    for wrong in ({"limit": 0}, {"by": "luck"}, {"since": "2024-02-01", "until": "2024-01-01"}):
        with pytest.raises(UsageError):
            types(**wrong)


def test_what_others_say_is_shown_with_its_standing(rooms: Rooms) -> None:
    add(rooms, "refuelled")
    add(rooms, "fault_reported", key="dora")
    grants.add(rooms.using("alice"), "car", ["dora"], scope=["event"])
    add(rooms, "inspection_completed", key="dora")
    assert [(item["type"], item["form"], item["standing"]) for item in listed(rooms)] == [
        ("refuelled", "append", "authorised"),
        ("fault_reported", "statement", "unauthorised"),
        ("inspection_completed", "statement", "authorised"),
    ]


def test_what_strangers_wrote_is_shown_as_it_is(rooms: Rooms) -> None:
    body = {"type": ["x"], "data": 7, "attachments": [{"cid": "x"}], "more": 1}
    say(rooms.using("dora"), "car", "event", body)
    (item,) = listed(rooms)
    assert (item["type"], item["data"], item["attachments"]) == (None, None, [])
    assert item["malformed"] == [
        "type",
        "data",
        "attachments[0].cid",
        "attachments[0].name",
        "attachments[0].size",
    ]


def test_a_template_that_allows_no_event(rooms: Rooms) -> None:
    import json

    from twincli.services.template import templates

    document = {
        "id": "still-v1",
        "name": "Still",
        "assetType": "x",
        "category": "x",
        "identifiers": {"primary": "assetId"},
        "eventTypes": [],
    }
    model = templates.read(json.dumps(document).encode(), "still.json")
    templates.register(rooms.using("alice"), model)
    writes.create(rooms.using("alice"), "stone", Definition({}, owner="alice", template="still-v1"))
    with pytest.raises(InvalidError) as caught:
        add(rooms, "moved", "stone")
    assert caught.value.hint == "its template allows none"

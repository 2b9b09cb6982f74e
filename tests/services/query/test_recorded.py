"""Records that are asked like streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.errors import NotFoundError, UsageError
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import Writing
from twincli.services.life import events, stages
from twincli.services.query.answers import documents
from twincli.services.query.asked import Typed, read
from twincli.services.query.recorded import answered
from twincli.services.record.say import say


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        for name in ("alice", "dora"):
            made.key(name)
        alice = made.using("alice")
        facts = {"lifecycle": {"stages": ["made", "sold", "used"]}}
        writes.create(alice, "box", Definition(facts, owner="alice"))
        add(made, "opened", "2024-03-01", kg=7, place={"city": "Berlin"})
        add(made, "sealed", "2024-01-01", kg=5)
        add(made, "opened", "2024-02-01", kg=3)
        stages.add(alice, "box", "made", {"date": "2024-01-15", "location": "Bonn"})
        yield made


def add(rooms: Rooms, kind: str, at: str, key: str = "alice", **data: Any) -> None:
    events.add(rooms.using(key), "box", kind, {"data": data}, Writing(at=at))


def ask(rooms: Rooms, *names: str, **how: Any) -> list[dict[str, Any]]:
    question = read(Typed(names, **how), rooms.workspace.now())
    found = answered(rooms.workspace, "box", question)
    return list(documents(found.answer, 3, nulls=False))


def times(rows: list[dict[str, Any]]) -> list[str]:
    return [row["timestamp"][:10] for row in rows]


def test_a_row_of_an_event(rooms: Rooms) -> None:
    row = ask(rooms, "events")[-1]
    assert list(row) == ["timestamp", "type", "data", "signed_by", "recorded", "transaction_id"]
    assert row["data"] == {"kg": 7, "place": {"city": "Berlin"}}
    assert (row["timestamp"], row["signed_by"]) == ("2024-03-01T00:00:00.000Z", "alice")


def test_ranges_and_orders(rooms: Rooms) -> None:
    happened = ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert times(ask(rooms, "events")) == happened
    assert times(ask(rooms, "events", reverse=True)) == happened[::-1]
    assert times(ask(rooms, "events", since="2024-02-01")) == happened[1:]
    assert times(ask(rooms, "events", until="2024-02-01")) == happened[:1]
    recorded = ["2024-03-01", "2024-01-01", "2024-02-01"]
    assert times(ask(rooms, "events", by="recorded")) == recorded
    assert times(ask(rooms, "events", by="recorded", reverse=True)) == recorded[::-1]
    assert ask(rooms, "events", by="recorded", until="2025-01-01") == []


@pytest.mark.parametrize(
    ("where", "kg"),
    [
        ("type = opened", [3, 7]),
        ("type = opened and data.kg > 3", [7]),
        ("data.kg > 3 and type = opened", [7]),
        ("type = opened or data.kg = 5", [5, 3, 7]),
        ("not type = opened", [5]),
        ("type = 5", []),
        ("type in (opened, other)", [3, 7]),
        ("data.place.city ~ berlin", [7]),
        ("timestamp > 2024-01-31 and signed_by = alice", [3, 7]),
        ("signed_by = dora", []),
    ],
)
def test_where(rooms: Rooms, where: str, kg: list[int]) -> None:
    assert [row["data"]["kg"] for row in ask(rooms, "events", where=where)] == kg


def test_fields(rooms: Rooms) -> None:
    rows = ask(rooms, "events", fields="type,data.place.city,data.nothing", reverse=True)
    assert rows[0] == {"type": "opened", "data": {"place": {"city": "Berlin"}}}
    assert rows[1] == {"type": "opened"}


def test_several_kinds_in_one_order(rooms: Rooms) -> None:
    rows = ask(rooms, "events", "stages")
    assert [(row["stream"], row.get("type") or row.get("stage")) for row in rows] == [
        ("events", "sealed"),
        ("stages", "made"),
        ("events", "opened"),
        ("events", "opened"),
    ]
    assert times(ask(rooms, "stages", "events", reverse=True)) == times(rows)[::-1]
    by_block = ask(rooms, "stages", "events", by="recorded")
    assert [row["stream"] for row in by_block] == ["events", "events", "events", "stages"]
    assert ask(rooms, "stages", where="location = Bonn")[0]["date"] == "2024-01-15"


def test_what_does_not_count_is_left_out_with_a_warning(rooms: Rooms) -> None:
    add(rooms, "opened", "2024-01-02", key="dora")
    say(rooms.using("alice"), "box", "stage", {"stage": "flying"}, is_owners=True)
    assert len(ask(rooms, "events")) == 3
    assert len(ask(rooms, "stages")) == 1
    question = read(Typed(("events", "stages", "states")), rooms.workspace.now())
    assert answered(rooms.workspace, "box", question).warnings == (
        "events: 1 left out, made by others without a grant",
        "stages: 1 left out, against the rules of the template",
    )


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"every": "1d"}, "--every is for readings"),
        ({"points": 5}, "--points is for readings"),
        ({"suspect": True}, "--suspect is for readings"),
        ({"fields": "typ"}, "events have no 'typ'"),
        ({"fields": "kg"}, "events have no 'kg'"),
        ({"where": "stage = made"}, "events have no 'stage'"),
    ],
)
def test_what_records_have_not(rooms: Rooms, how: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        ask(rooms, "events", **how)
    assert caught.value.hint


def test_a_twin_that_is_not_there(rooms: Rooms) -> None:
    with pytest.raises(NotFoundError):
        answered(rooms.workspace, "nothing", read(Typed(("events",)), rooms.workspace.now()))

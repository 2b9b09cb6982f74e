"""Streams as a ledger has them: whose they are, what they are called, what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import rooms as _rooms
from tests.services import writes
from tests.services.rooms import Rooms
from twincli.errors import InvalidError, NotFoundError
from twincli.model import record
from twincli.services.asset.create import Definition
from twincli.services.record.say import say
from twincli.services.stream import streams


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with _rooms.opened(tmp_path) as found:
        for name in ("alice", "tracker", "mallory"):
            found.key(name)
        writes.create(found.workspace, "car", Definition({}, owner="alice"))
        yield found


def made(rooms: Rooms, name: str, signer: str = "alice", owner: str | None = None) -> str:
    wanted = Definition(
        {}, kind=record.STREAM, parent="car", title=name, owner=owner or signer, amount=1
    )
    return str(writes.create(rooms.using(signer), None, wanted)["id"])


READING = {"readings": [{"timestamp": 1, "data": {"x": 1}}]}


def test_streams_and_their_standing(rooms: Rooms) -> None:
    false = made(rooms, "location", "mallory")
    true = made(rooms, "location", "alice", "tracker")
    car = rooms.workspace.book.lookup(rooms.workspace.client.ledger_id, "car", lambda _: True)
    assert car is not None
    found = streams.of_twin(rooms.workspace, car)
    assert [(item.asset_id, item.standing) for item in found] == [
        (true, "authorised"),
        (false, "unauthorised"),
    ]
    assert streams.find(rooms.workspace, "car", "location").asset_id == true
    assert streams.find_or_none(rooms.workspace, car, "speed") is None
    with pytest.raises(NotFoundError, match="no stream 'lokation'") as caught:
        streams.find(rooms.workspace, "car", "lokation")
    assert caught.value.hint == "did you mean location?"
    with pytest.raises(NotFoundError) as caught:
        streams.find(rooms.workspace, "car", "x")
    assert caught.value.hint == "it has location"


def test_what_is_not_a_stream_is_none(rooms: Rooms) -> None:
    writes.create(rooms.workspace, "wheel", Definition({}, parent="car", owner="alice"))
    made(rooms, "a.b")
    with pytest.raises(NotFoundError):
        streams.find(rooms.workspace, "car", "a.b")


def test_anchors(rooms: Rooms) -> None:
    made(rooms, "location", "alice", "tracker")
    stream = streams.find(rooms.workspace, "car", "location")
    bodies: list[tuple[str, Any]] = [
        ("reading", READING),
        ("reading", {"readings": []}),
        ("chunk", {"stream": "location"}),
        ("event", {}),
    ]
    for kind, body in bodies:
        say(rooms.workspace, stream.asset_id, kind, body, is_owners=True)
    good, bad, chunk = streams.anchors(rooms.workspace, stream)
    assert good.standing == "authorised"
    assert good.via == stream.asset_id
    assert good.readings[0].observation.leaves == {"x": 1}
    assert bad.fault is not None
    assert "1 to 1000" in bad.fault
    assert chunk.fault is not None
    assert [item.tx_id for item in streams.anchors(rooms.workspace, stream, bad.tx_id)] == [
        chunk.tx_id
    ]


def test_readings_of_a_stranger_do_not_count(rooms: Rooms) -> None:
    made(rooms, "location", "mallory")
    stream = streams.find(rooms.workspace, "car", "location")
    say(rooms.workspace, stream.asset_id, "reading", READING, is_owners=True)
    (anchor,) = streams.anchors(rooms.workspace, stream)
    assert anchor.standing == "unauthorised"


@pytest.mark.parametrize("name", ["", "a.b", "$a", "-a", " a", "a\n", "events", "x" * 201])
def test_names_that_no_stream_has(name: str) -> None:
    with pytest.raises(InvalidError) as caught:
        streams.check_name(name)
    assert caught.value.code == "invalid_name"

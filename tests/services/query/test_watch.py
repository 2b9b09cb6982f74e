"""Watching a twin: nothing is lost, nothing comes twice, and whose word it is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import rooms as _rooms
from tests.services import writes
from tests.services.rooms import Rooms
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import NotFoundError, UnreachableError
from twincli.model import record, transaction
from twincli.services.asset.create import Definition
from twincli.services.query import watch as _watch
from twincli.services.query.watch import Watch, follow
from twincli.services.record.say import say
from twincli.services.standing import Speakers

ALICE = KeyPair.from_seed(b"alice".ljust(32, b"."))


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with _rooms.opened(tmp_path) as found:
        for name in ("alice", "tracker", "mallory"):
            found.key(name)
        writes.create(found.workspace, "car", Definition({}, owner="alice"))
        writes.create(found.workspace, "other", Definition({}, owner="alice"))
        yield found


def stream(rooms: Rooms, name: str, signer: str = "alice", owner: str | None = None) -> str:
    wanted = Definition({}, kind=record.STREAM, parent="car", title=name, owner=owner or signer)
    return str(writes.create(rooms.using(signer), None, wanted)["id"])


def push(rooms: Rooms, asset_id: str, value: int, signer: str = "alice") -> str:
    body = {"readings": [{"timestamp": "2024-01-01T00:00:00.000Z", "data": {"value": value}}]}
    made: Any = say(rooms.using(signer), asset_id, "reading", body, is_owners=True)
    return str(made["transaction_id"])


def append(rooms: Rooms, name: str = "car", **values: Any) -> str:
    return str(writes.append(rooms.workspace, name, values)["transaction_id"])


def ids(watch: Watch) -> list[str]:
    return [item["resume"] for item in watch.news()]


def test_what_is_committed_comes_once_and_in_order(rooms: Rooms) -> None:
    first = append(rooms, km=1)
    watch = Watch(rooms.workspace, "car")
    assert watch.started_after == first
    assert ids(watch) == []
    made = [append(rooms, km=2)]
    append(rooms, "other", km=2)
    location = stream(rooms, "location")
    made += [location, push(rooms, location, 1), append(rooms, km=3), push(rooms, location, 2)]
    assert ids(watch) == made
    assert ids(watch) == []
    for at, tx in enumerate([first, *made]):
        assert ids(Watch(rooms.workspace, "car", (), tx)) == made[at:]
        assert ids(Watch(rooms.workspace, "car", (), tx[:12])) == made[at:]


def test_any_transaction_of_the_ledger_is_a_place(rooms: Rooms) -> None:
    location = stream(rooms, "location")
    before = push(rooms, location, 1)
    place = append(rooms, "other", km=1)
    after = [push(rooms, location, 2), append(rooms, km=1)]
    assert ids(Watch(rooms.workspace, "car", (), place)) == after
    assert before not in after
    with pytest.raises(NotFoundError, match="no transaction"):
        Watch(rooms.workspace, "car", (), "f" * 64)
    with pytest.raises(NotFoundError, match="no transaction"):
        Watch(rooms.workspace, "car", (), "?")


def test_only_some_streams(rooms: Rooms) -> None:
    location, temp = stream(rooms, "location"), stream(rooms, "temp")
    watch = Watch(rooms.workspace, "car", ["temp"])
    push(rooms, location, 1)
    wanted = push(rooms, temp, 1)
    append(rooms, km=1)
    assert ids(watch) == [wanted]
    with pytest.raises(NotFoundError, match="tmep"):
        Watch(rooms.workspace, "car", ["tmep"])


def test_random_histories_resumed_at_random_places(rooms: Rooms) -> None:
    chance = random.Random(7)
    begin = append(rooms, km=0)
    assets: list[tuple[str, str]] = []
    made: list[str] = []
    for number in range(150):
        what = chance.randrange(8)
        if what == 0 and len(assets) < 5:
            signer = chance.choice(("alice", "mallory"))
            assets.append((stream(rooms, f"s{chance.randrange(3)}", signer), signer))
            made.append(assets[-1][0])
        elif what < 5 and assets:
            asset_id, signer = chance.choice(assets)
            made.append(push(rooms, asset_id, number, signer))
        elif what == 5:
            append(rooms, "other", km=number)
        else:
            made.append(append(rooms, km=number))
        if chance.random() < 0.5:
            rooms.now_ms += chance.randrange(3)
    for _ in range(60):
        at = chance.randrange(len(made))
        watch = Watch(rooms.workspace, "car", (), ([begin, *made])[at])
        seen = []
        for item in watch.news():
            seen.append(item["resume"])
            if chance.random() < 0.05:  # killed here, and begun again
                watch = Watch(rooms.workspace, "car", (), item["resume"])
                seen += ids(watch)
                break
        assert seen == made[at:]


def test_several_transactions_of_one_block(rooms: Rooms) -> None:
    temp = stream(rooms, "temp")
    taken: list[dict[str, Any]] = []
    client = rooms.workspace.client
    for number in range(3):
        for room in (client.last(temp), client.last(car_of(rooms))):
            assert room is not None
            taken.append(next_of(room.tx, number))
        client.submit_many(taken[-2:])
    begin = client.required(car_of(rooms)).tx["id"]
    whole = ids(Watch(rooms.workspace, "car", (), begin))
    assert sorted(whole) == sorted([temp, *(tx["id"] for tx in taken)])
    for at, tx_id in enumerate(whole):
        assert ids(Watch(rooms.workspace, "car", (), tx_id)) == whole[at + 1 :]


def car_of(rooms: Rooms) -> str:
    car = rooms.workspace.book.lookup(rooms.workspace.client.ledger_id, "car", lambda _: True)
    assert car is not None
    return car


def next_of(tx: dict[str, Any], number: int) -> dict[str, Any]:
    spend = transaction.Spend.of(tx)
    asset_id = tx["id"] if tx["operation"] == "CREATE" else tx["asset"]["id"]
    made = transaction.transfer(
        [spend], [transaction.Output(spend.details, 1)], asset_id, {"n": number}
    )
    return transaction.sign(made, [ALICE])


def test_whose_word_it_is(rooms: Rooms) -> None:
    watch = Watch(rooms.workspace, "car")
    false = stream(rooms, "location", "mallory")
    push(rooms, false, 1, "mallory")
    true = stream(rooms, "location", "alice", "tracker")
    push(rooms, true, 2, "tracker")
    say(rooms.using("mallory"), "car", "event", {"type": "theft"})
    say(rooms.using("alice"), "car", "event", {"type": "service"})
    say(rooms.using("alice"), true, "reading", {"readings": []}, is_owners=False)
    found = [(item["kind"], item["stream"], item["standing"]) for item in watch.news()]
    assert found == [
        ("stream", "location", "unauthorised"),
        ("reading", "location", "unauthorised"),
        ("stream", "location", "authorised"),
        ("reading", "location", "authorised"),
        ("event", None, "unauthorised"),
        ("event", None, "authorised"),
    ]
    assert [item["resume"] for item in watch.news()] == []


def test_a_record_that_cannot_be_read_is_told(rooms: Rooms) -> None:
    temp = stream(rooms, "temp")
    watch = Watch(rooms.workspace, "car")
    bodies: list[dict[str, Any]] = [{"readings": "many"}, {"stream": "temp", "chunks": 3}]
    for kind, body in zip(("reading", "chunk"), bodies, strict=True):
        metadata = {"twin": {"v": 1, "kind": kind, "body": body}}
        rooms.workspace.client.append_many(ALICE, temp, [metadata])
    items = list(watch.news())
    assert [bool(item["fault"]) for item in items] == [True, True]
    assert not any(item["readings"] or item["chunks"] for item in items)


def test_histories_are_not_read_again_for_each_reading(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = stream(rooms, "location", "alice", "tracker")
    watch = Watch(rooms.workspace, "car")
    made: list[int] = []

    class Counted(Speakers):
        def __init__(self, client: Any) -> None:
            made.append(1)
            super().__init__(client)

    monkeypatch.setattr(_watch, "Speakers", Counted)
    for number in range(5):
        push(rooms, location, number, "tracker")
        assert [item["standing"] for item in watch.news()] == ["authorised"]
    assert len(made) == 1
    # It changes hands, so who may speak is looked up again.
    writes.transfer(rooms.using("tracker"), location, to="mallory")
    push(rooms, location, 9, "mallory")
    list(watch.news())
    assert len(made) == 2


def test_follow_ends_and_waits_for_a_node(rooms: Rooms) -> None:
    watch = Watch(rooms.workspace, "car")
    now: list[float] = [0.0]
    waits: list[float] = []
    complaints: list[UnreachableError] = []
    is_away = [False]
    news = watch.news

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds
        if len(waits) == 2:
            is_away[0] = True
        if len(waits) == 6:
            is_away[0] = False
            append(rooms, km=5)

    def asked() -> Iterator[Any]:
        if is_away[0]:
            raise UnreachableError("it is away", code="node_error")
        return news()

    watch.news = asked  # type: ignore[method-assign]
    found = list(follow(watch, 1.0, 30.0, complaints.append, sleep=sleep, clock=lambda: now[0]))
    assert [item["changes"] for item in found] == [{"km": 5}]
    assert len(complaints) == 1
    assert waits[:6] == [1.0, 1.0, 2.0, 4.0, 8.0, 14.0]
    is_away[0] = True
    with pytest.raises(UnreachableError):
        list(follow(watch, 1.0, 3.0, sleep=sleep, clock=lambda: now[0]))

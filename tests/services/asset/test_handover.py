"""Handing twins over with all that belongs to them: planned, whole, finished if broken off."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.client.embedded import EmbeddedClient
from twincli.errors import InvalidError, LockedError, PartialError, UsageError
from twincli.ledger import Ledger
from twincli.model import record
from twincli.model.transaction import asset_of
from twincli.services.asset import document, handover
from twincli.services.asset.create import Definition
from twincli.services.asset.freeze import freeze
from twincli.services.asset.write_options import Writing
from twincli.services.grant import grants
from twincli.services.link import links
from twincli.services.standing import Speakers

PARTS = ("wheel", "tyre", "engine", "gps")


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        yield begin(made)


def begin(made: Rooms) -> Rooms:
    """Make a car with parts of parts, a stranger's box, and a grant."""
    for name in ("alice", "bob", "carol", "dev"):
        made.key(name)
    create(made, "car", "alice")
    create(made, "wheel", "alice", parent="car")
    create(made, "tyre", "alice", parent="wheel", amount=4)
    create(made, "engine", "alice")
    links.add(made.workspace, "engine", "is_component_of", "car")
    create(made, "gps", "alice", parent="car", kind=record.STREAM)
    create(made, "box", "dev")
    links.add(made.using("alice"), "car", "part", "box")
    grants.add(made.using("alice"), "car", ["dev"])
    return made


def create(made: Rooms, name: str, owner: str, **more: Any) -> str:
    key = "dev" if owner == "dev" else "alice"
    found = writes.create(made.using(key), name, Definition({}, owner=owner, **more))
    return str(found["id"])


def hand_over(made: Rooms, *keys: str, children: str = "move", **more: Any) -> dict[str, Any]:
    workspace = made.using(*keys, dry_run=more.pop("dry_run", False))
    return writes.transfer(workspace, "car", to="bob", children=children, **more)


def owner(made: Rooms, name: str) -> str:
    return document.show(made.workspace, name)["owner"]


def actions(done: dict[str, Any]) -> dict[str, str]:
    return {
        f"{item['what']} {item['name'] or item['owner']}": item["action"]
        for item in done["handover"]["items"]
    }


def count(made: Rooms) -> int:
    return made.ledger.tree_size()


def test_what_moves_and_what_stays(rooms: Rooms) -> None:
    before = count(rooms)
    planned = hand_over(rooms, dry_run=True)
    assert count(rooms) == before
    done = hand_over(rooms)
    assert planned["handover"] == done["handover"]
    assert actions(done) == {
        "part wheel": "moves",
        "part tyre": "moves",
        "part engine": "moves",
        "stream gps": "moves",
        "part box": "stays",
        "link wheel": "kept",
        "link gps": "kept",
        "link box": "ends",
        "grant dev": "ends",
    }
    assert done["handover"]["remaining"] == 0
    assert [owner(rooms, name) for name in ("car", *PARTS, "box")] == ["bob"] * 5 + ["dev"]
    assert document.show(rooms.workspace, "tyre")["amount"] == "4"
    last = [rooms.ledger.last(rooms_id(rooms, name)) for name in ("car", *PARTS)]
    assert len({entry.height for entry in last if entry is not None}) == 1


def rooms_id(made: Rooms, name: str) -> str:
    return str(document.show(made.workspace, name)["id"])


def in_force(made: Rooms, name: str = "car") -> set[str]:
    found = Speakers(made.workspace.client).authority(rooms_id(made, name))
    return {given.child or given.public_key or "" for given in found.given if given.ended is None}


def test_links_of_moved_parts_stay_in_force(rooms: Rooms) -> None:
    hand_over(rooms)
    assert in_force(rooms) == {rooms_id(rooms, "wheel"), rooms_id(rooms, "gps")}
    assert in_force(rooms, "wheel") == {rooms_id(rooms, "tyre")}


def test_keep(rooms: Rooms) -> None:
    done = hand_over(rooms, children="keep")
    assert set(actions(done).values()) == {"stays", "kept"}
    assert [owner(rooms, name) for name in ("car", *PARTS)] == ["bob"] + ["alice"] * 4
    dev = rooms.workspace.keystore.get("dev").public_key
    parts = {rooms_id(rooms, name) for name in ("wheel", "gps", "box")}
    assert in_force(rooms) == {dev, *parts}


def test_neither(rooms: Rooms) -> None:
    done = writes.transfer(rooms.workspace, "car", to="bob")
    assert "handover" not in done
    assert in_force(rooms) == set()
    assert owner(rooms, "wheel") == "alice"


def test_what_was_revoked_is_not_kept(rooms: Rooms) -> None:
    grants.revoke(rooms.using("alice"), "car", ["dev"])
    links.remove(rooms.workspace, "car", "part", "box")
    done = hand_over(rooms, children="keep")
    assert "grant dev" not in actions(done)
    assert "link box" not in actions(done)


def test_what_others_have_to_sign_remains(rooms: Rooms) -> None:
    create(rooms, "radio", "all:alice,carol", parent="car")
    create(rooms, "jack", "any:alice,carol", parent="car")
    done = hand_over(rooms, "alice")
    assert actions(done)["part radio"] == "remains"
    assert actions(done)["link radio"] == "kept", "it is to follow"
    (item,) = [item for item in done["handover"]["items"] if item["action"] == "remains"]
    assert item["signers"] == ["alice", "carol"]
    assert done["handover"]["remaining"] == 1
    assert (owner(rooms, "radio"), owner(rooms, "jack")) == ("all:alice,carol", "bob")


def test_whoever_has_all_keys_signs_for_all(rooms: Rooms) -> None:
    create(rooms, "radio", "all:alice,carol", parent="car")
    assert actions(hand_over(rooms))["part radio"] == "moves"
    assert owner(rooms, "radio") == "bob"


def test_parts_that_only_claim_to_be(rooms: Rooms) -> None:
    create(rooms, "trap", "dev", parent="car")
    writes.create(rooms.using("dev"), "gift", Definition({}, owner="alice", parent="car"))
    found = actions(hand_over(rooms))
    assert "part trap" not in found
    assert found["part gift"] == "moves", "it is Alice's"
    assert owner(rooms, "trap") == "dev"


def test_what_is_the_twins_own_goes_where_it_goes(rooms: Rooms) -> None:
    rooms.key("pump")
    create(rooms, "pump", "alice", entity="pump")
    meter = create(rooms, "meter", "pump", parent="pump")
    done = writes.transfer(rooms.workspace, "pump", to="bob", children="move")
    assert actions(done) == {"part meter": "stays", "link meter": "kept"}
    assert in_force(rooms, "pump") == {meter}


def test_a_frozen_part_stops_all_of_it(rooms: Rooms) -> None:
    freeze(rooms.workspace, "wheel")
    before = count(rooms)
    with pytest.raises(LockedError, match="wheel is frozen"):
        hand_over(rooms)
    assert count(rooms) == before
    assert actions(hand_over(rooms, children="keep"))["part wheel"] == "stays"


def test_a_token_hands_over_once(rooms: Rooms) -> None:
    first = hand_over(rooms, writing=Writing(once="sale"))
    size = count(rooms)
    again = hand_over(rooms, writing=Writing(once="sale"))
    assert (again["transaction_id"], count(rooms)) == (first["transaction_id"], size)


@pytest.mark.parametrize(
    "more",
    [
        {"to": None, "outs": ["1:bob"], "children": "move"},
        {"to": "bob", "children": "move", "writing": Writing(bare=True)},
        {"to": "bob", "children": "keep", "writing": Writing(bare=True)},
    ],
)
def test_what_cannot_be(rooms: Rooms, more: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        writes.transfer(rooms.workspace, "car", **more)


# --- Broken off ---------------------------------------------------------------------------------


class Wire(EmbeddedClient):
    """A ledger that takes transactions one by one, as a network does, and may break off."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.left: int | None = None
        self.loses = False

    def submit_many(self, txs: Iterable[dict[str, Any]]) -> int | None:
        height: int | None = None
        for number, tx in enumerate(txs):
            if self.left is not None:
                self.left -= 1
                if self.left <= 0:
                    self.left = None
                    if self.loses:  # it arrives, and its sender never hears of it
                        super().submit_many([tx])
                    raise KeyboardInterrupt
            try:
                height = super().submit_many([tx])
            except InvalidError as error:
                if number == 0:
                    raise
                raise PartialError(f"{number} are committed") from error
        return height


def transfers(made: Rooms) -> dict[str, int]:
    """Return how often each asset was given to somebody else."""
    found = dict.fromkeys(("car", *PARTS), 0)
    ids = {rooms_id(made, name): name for name in found}
    for asset_id, name in ids.items():
        for tx in made.ledger.iter_transactions(asset_id):
            envelope = record.envelope_of(tx["metadata"]) or {}
            assert asset_of(tx) == asset_id
            found[name] += envelope.get("kind") == record.TRANSFER
    return found


@pytest.mark.parametrize("loses", [False, True])
@pytest.mark.parametrize("left", range(1, 7))
def test_a_network_goes_on_where_it_broke_off(rooms: Rooms, left: int, loses: bool) -> None:
    wire = Wire(rooms.ledger)
    wire.left, wire.loses = left, loses
    rooms.workspace = rooms.workspace._replace(client=wire)
    with suppress(KeyboardInterrupt):
        hand_over(rooms)
    if owner(rooms, "car") != "bob":
        done = hand_over(rooms)
        moved = [item for item in done["handover"]["items"] if item["action"] == "moved"]
        assert len(moved) == left - 1 + loses
    assert transfers(rooms) == dict.fromkeys(("car", *PARTS), 1)
    assert [owner(rooms, name) for name in ("car", *PARTS, "box")] == ["bob"] * 5 + ["dev"]
    assert in_force(rooms) == {rooms_id(rooms, "wheel"), rooms_id(rooms, "gps")}


def test_a_network_where_somebody_writes_between(rooms: Rooms) -> None:
    class Busy(Wire):
        def submit_many(self, txs: Iterable[dict[str, Any]]) -> int | None:
            wanted = list(txs)
            if self.left is None and len(wanted) > 1:
                self.left = 99
                workspace = rooms.workspace._replace(client=EmbeddedClient(rooms.ledger))
                writes.append(workspace, "car", {"km": 1})
            return super().submit_many(wanted)

    rooms.workspace = rooms.workspace._replace(client=Busy(rooms.ledger))
    hand_over(rooms)
    assert transfers(rooms) == dict.fromkeys(("car", *PARTS), 1)
    assert document.show(rooms.workspace, "car")["state"] == {"km": 1}


class Bomb:
    """Raises KeyboardInterrupt at a call of a function of this program."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self, frame: Any, event: str, _argument: Any) -> None:
        if event == "call" and "/twincli/" in frame.f_code.co_filename:
            self.left -= 1
            if self.left == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt


CALLS = 4_000
"""About as many as a hand-over of this car needs."""


def reopen(made: Rooms, place: Path, *, is_network: bool) -> None:
    """Begin anew as the next process does: whoever interrupts one ends it."""
    made.ledger.close()
    made.ledger = Ledger.open(str(place), clock=lambda: made.now_ms)
    client = Wire(made.ledger) if is_network else EmbeddedClient(made.ledger)
    made.workspace = made.workspace._replace(client=client)


# An interruption of a generator that is being closed is told to nobody, as everywhere in Python.
broken_off = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def at_random_points(tmp_path: Path, seed: int) -> None:
    rolls = random.Random(seed)
    is_network = rolls.random() < 0.5
    with opened(tmp_path) as made:
        reopen(made, tmp_path / "ledger", is_network=False)
        begin(made)
        reopen(made, tmp_path / "ledger", is_network=is_network)
        for _ in range(rolls.choice((1, 2, 3))):
            if owner(made, "car") == "bob":
                break
            bomb = Bomb(rolls.randrange(1, CALLS))
            sys.setprofile(bomb)
            try:
                hand_over(made)
            except KeyboardInterrupt:
                pass
            finally:
                sys.setprofile(None)
            reopen(made, tmp_path / "ledger", is_network=is_network)
            given = transfers(made)
            assert max(given.values()) <= 1
            if not is_network:
                assert len(set(given.values())) == 1, "all or nothing"
            elif given["car"]:
                assert set(given.values()) == {1}, "the twin goes last"
        if owner(made, "car") != "bob":
            hand_over(made)
        assert transfers(made) == dict.fromkeys(("car", *PARTS), 1)
        assert [owner(made, name) for name in ("car", *PARTS, "box")] == ["bob"] * 5 + ["dev"]
        assert in_force(made) == {rooms_id(made, "wheel"), rooms_id(made, "gps")}
        assert not made.ledger.verify().problems


def rounds(first: int, last: int) -> list[int]:
    return [random.Random(seed).randrange(1, 1 << 30) for seed in range(first, last)]


@broken_off
@pytest.mark.parametrize("seed", rounds(0, 6))
def test_nothing_is_lost_and_nothing_is_twice(tmp_path: Path, seed: int) -> None:
    at_random_points(tmp_path, seed)


@pytest.mark.ci
@broken_off
@pytest.mark.parametrize("seed", rounds(6, 56))
def test_nothing_is_lost_at_more_points(tmp_path: Path, seed: int) -> None:
    at_random_points(tmp_path, seed)


@pytest.mark.nightly
@broken_off
@pytest.mark.parametrize("seed", rounds(56, 1056))
def test_nothing_is_lost_at_a_thousand_points(tmp_path: Path, seed: int) -> None:
    at_random_points(tmp_path, seed)


def test_a_long_history_is_not_read_for_a_warning(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = writes.transfer(rooms.using("alice", dry_run=True), "car", to="bob")
    assert any("this ends 1 grant and 3 links of car" in said for said in planned["warnings"])
    monkeypatch.setattr(handover, "LONG", -1)
    monkeypatch.setattr(Speakers, "authority", None)
    planned = writes.transfer(rooms.using("alice", dry_run=True), "car", to="bob")
    assert any("this ends any grants and links of car" in said for said in planned["warnings"])

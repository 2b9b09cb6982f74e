"""Appending, transferring, burning: what is written, by whom, and what happens on a race."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import NOW_MS, Rooms, opened
from twincli import BUILD_TIME_MS
from twincli.errors import (
    ConfigError,
    ConflictError,
    InvalidError,
    LockedError,
    NotFoundError,
    TwinError,
    UsageError,
)
from twincli.model import owners, transaction
from twincli.model.edits import Edit
from twincli.rules.validity import SERVER
from twincli.services import signers
from twincli.services.asset import append, attempt, listings
from twincli.services.asset import document as documents
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import Writing
from twincli.services.workspace import Workspace

STRANGER = "4K9sWUMFwTgaDGPfdynrbxWqWS6sWmKbZoTjxLtVUibD"


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        for name in ("alice", "bob", "car"):
            made.key(name)
        yield made


def make(rooms: Rooms, name: str = "box", **wanted: Any) -> str:
    wanted.setdefault("owner", "alice")
    made = writes.create(rooms.workspace, name, Definition(wanted.pop("data", {}), **wanted))
    asset_id: str = made["id"]
    return asset_id


def metadata(rooms: Rooms, document: dict[str, Any]) -> dict[str, Any]:
    tx = rooms.ledger.get(document["transaction_id"])
    assert tx is not None
    found: dict[str, Any] = tx["metadata"]
    return found


def edit(path: str, value: Any) -> Edit:
    return Edit(tuple(path.split(".")), value)


def test_what_names_no_keys_belongs_to_those_of_its_condition(tmp_path: Path) -> None:
    with opened(tmp_path, profile=SERVER) as rooms:
        rooms.key("alice")
        alice = rooms.workspace.keystore.signer("alice", None)
        output = transaction.Output(owners.of_keys([alice.public_key]))
        unsigned = transaction.create([alice.public_key], [output], {"name": "odd"})
        unsigned["outputs"][0]["public_keys"] = None
        odd = transaction.sign(unsigned, [alice])
        rooms.ledger.submit(odd)
        writes.append(rooms.workspace, odd["id"], {"km": 1})
        assert rooms.count(odd["id"]) == 2


# --- Append ------------------------------------------------------------------------------------


def test_an_append_is_a_transfer_to_the_owner_itself(rooms: Rooms) -> None:
    asset_id = make(rooms)
    made = writes.append(rooms.workspace, "box", {"km": 1200})
    tx = rooms.ledger.get(made["transaction_id"])
    create = rooms.ledger.get(asset_id)
    assert tx is not None
    assert create is not None
    assert tx["operation"] == "TRANSFER"
    assert tx["outputs"] == create["outputs"]
    assert tx["metadata"] == {
        "km": 1200,
        "twin": {"v": 1, "kind": "append", "at": "2030-03-17T17:46:40.000Z"},
    }
    assert made["state"] == {"km": 1200}
    assert made["id"] == asset_id
    assert made["signed_by"] == made["owners"]
    assert made["warnings"] == []


def test_bare_and_claimed_times(rooms: Rooms) -> None:
    make(rooms)
    made = writes.append(rooms.workspace, "box", {"km": 1}, writing=Writing(bare=True))
    assert metadata(rooms, made) == {"km": 1}
    made = writes.append(rooms.workspace, "box", {"km": 2}, writing=Writing(at="2d"))
    assert metadata(rooms, made)["twin"]["at"] == "2030-03-15T17:46:40.000Z"
    assert made["at"] == "2030-03-15T17:46:40.000Z"
    assert made["committed_at"] == "2030-03-17T17:46:40.000Z"


def test_appending_nothing(rooms: Rooms) -> None:
    make(rooms)
    with pytest.raises(UsageError, match="nothing to append"):
        writes.append(rooms.workspace, "box", {})
    with pytest.raises(NotFoundError) as caught:
        writes.append(rooms.workspace, "boxx", {"km": 1})
    assert caught.value.hint == "did you mean box?"


def test_dotted_paths_are_read_modify_write(rooms: Rooms) -> None:
    make(rooms, state={"power": {"hp": 220, "kw": {"peak": 1, "mean": 2}}, "km": 1})
    made = writes.append(
        rooms.workspace,
        "box",
        {},
        [edit("power.kw.peak", 5), edit("new.deep", True), Edit(("power", "hp"), unset=True)],
    )
    assert made["state"] == {
        "power": {"kw": {"peak": 5, "mean": 2}},
        "km": 1,
        "new": {"deep": True},
    }
    written = metadata(rooms, made)
    # Whole objects are written, so that a plain merge agrees.
    assert written["power"] == {"kw": {"peak": 5, "mean": 2}}
    assert "km" not in written
    with pytest.raises(InvalidError) as caught:
        writes.append(rooms.workspace, "box", {}, [edit("km.x", 1)])
    assert caught.value.code == "not_an_object"


def test_a_change_of_type_is_warned_of(rooms: Rooms) -> None:
    make(rooms, state={"km": 1, "deep": {"x": "text"}})
    made = writes.append(rooms.workspace, "box", {"km": "1"}, [edit("deep.x", 5)])
    assert made["warnings"] == [
        "km was a number and is now text",
        "deep.x was text and is now a number",
    ]


class Rival:
    """A client before which somebody else writes, as often as told, at a chosen call."""

    def __init__(self, rooms: Rooms, call: str, rival: Callable[[], object], times: int) -> None:
        self._client = rooms.workspace.client
        self._call = call
        self._rival = rival
        self.left = times
        self.after = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name != self._call:
            return real

        def called(*arguments: Any, **options: Any) -> Any:
            if self.left and not self.after:
                self.left -= 1
                self._rival()
            result = real(*arguments, **options)
            if self.left and self.after:
                self.left -= 1
                self._rival()
            return result

        return called


@pytest.mark.parametrize("call", ["unspent", "replay", "submit_many"])
@pytest.mark.parametrize("after", [False, True])
def test_another_writer_at_any_moment_loses_nothing(
    rooms: Rooms, call: str, *, after: bool
) -> None:
    asset_id = make(rooms, state={"seen": {"first": 0}})
    number = iter(range(1, 100))

    def rival() -> None:
        n = next(number)
        writes.append(rooms.workspace, asset_id, {}, [edit(f"seen.rival{n}", n)])

    client = Rival(rooms, call, rival, 3)
    client.after = after
    workspace = rooms.workspace._replace(client=client)
    writes.append(workspace, "box", {}, [edit("seen.me", 1)])
    assert client.left < 3
    while client.left:  # those for whom there was no call left
        client.left -= 1
        rival()
    assert documents.show(rooms.workspace, "box")["state"]["seen"] == {
        "first": 0,
        "me": 1,
        "rival1": 1,
        "rival2": 2,
        "rival3": 3,
    }


def test_faster_writers_for_ever_end_in_busy(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    make(rooms)
    monkeypatch.setattr(attempt, "ATTEMPTS", 4)
    monkeypatch.setattr(attempt, "_give_way", lambda *_: None)

    def rival() -> None:
        writes.append(rooms.workspace, "box", {"n": rooms.ledger.tip().height})

    client = Rival(rooms, "submit_many", rival, 4)
    with pytest.raises(ConflictError) as caught:
        writes.append(rooms.workspace._replace(client=client), "box", {"n": 0})
    assert caught.value.code == "busy"
    assert caught.value.retryable


def test_if_tip_refuses_instead_of_trying_again(rooms: Rooms) -> None:
    asset_id = make(rooms)
    first = writes.append(rooms.workspace, "box", {"n": 1}, writing=Writing(if_tip=asset_id))
    with pytest.raises(ConflictError, match=first["transaction_id"]) as caught:
        writes.append(rooms.workspace, "box", {"n": 2}, writing=Writing(if_tip=asset_id[:12]))
    assert caught.value.code == "tip_moved"
    tip = first["transaction_id"]

    def rival() -> None:
        writes.append(rooms.workspace, "box", {"n": 9})

    client = Rival(rooms, "submit_many", rival, 1)
    with pytest.raises(ConflictError) as caught:
        writes.append(
            rooms.workspace._replace(client=client),
            "box",
            {"n": 3},
            writing=Writing(if_tip=tip),
        )
    assert caught.value.code == "tip_moved"
    assert documents.show(rooms.workspace, "box")["state"] == {"n": 9}
    with pytest.raises(NotFoundError):
        writes.append(rooms.workspace, "box", {"n": 3}, writing=Writing(if_tip="0" * 64))


# --- Once --------------------------------------------------------------------------------------


def test_a_retry_with_the_token_returns_the_first_result(rooms: Rooms) -> None:
    asset_id = make(rooms, state={"km": {"total": 5}})
    writing = Writing(once="trip-1")

    def add() -> dict[str, Any]:
        return writes.append(rooms.workspace, "box", {"x": 1}, [edit("km.total", 6)], writing)

    first = add()
    # Since then the state has moved on; the retry still means what it meant.
    writes.append(rooms.workspace, "box", {}, [edit("km.other", 1)])
    again = add()
    assert again["transaction_id"] == first["transaction_id"]
    assert rooms.count(asset_id) == 3
    assert metadata(rooms, first)["twin"]["once"] == "trip-1"


def test_a_token_used_for_something_else(rooms: Rooms) -> None:
    make(rooms)
    make(rooms, "other")
    writing = Writing(once="t")
    first = writes.append(rooms.workspace, "box", {"n": 1}, writing=writing)
    for base, changes in (({"n": 2}, []), ({"n": 1, "m": 1}, []), ({"n": 1}, [edit("a.b", 1)])):
        with pytest.raises(ConflictError, match=first["transaction_id"]) as caught:
            writes.append(rooms.workspace, "box", base, changes, writing)
        assert caught.value.code == "once_mismatch"
    actions: list[Callable[[], object]] = [
        lambda: writes.append(
            rooms.workspace, "box", {"n": 1}, writing=writing, corrects=first["transaction_id"]
        ),
        lambda: writes.transfer(rooms.workspace, "box", to="bob", writing=writing),
        lambda: writes.burn(rooms.workspace, "box", writing),
    ]
    for action in actions:
        with pytest.raises(ConflictError) as caught:
            action()
        assert caught.value.code == "once_mismatch"
    # On another asset, and by another signer, it is another token.
    writes.append(rooms.workspace, "other", {"n": 7}, writing=writing)
    writes.transfer(rooms.workspace, "box", to="bob")
    writes.append(rooms.using("bob"), "box", {"n": 3}, writing=writing)


def test_transfer_and_burn_with_a_token(rooms: Rooms) -> None:
    asset_id = make(rooms, amount=10)
    writing = Writing(once="give")

    def give(number: int = 4, owner: str = "bob") -> dict[str, Any]:
        return writes.transfer(rooms.workspace, "box", outs=[f"{number}:{owner}"], writing=writing)

    first = give()
    assert give()["transaction_id"] == first["transaction_id"]
    assert rooms.count(asset_id) == 2
    for other in ((5, "bob"), (4, "car")):
        with pytest.raises(ConflictError):
            give(*other)
    whole = make(rooms, "whole")
    burned = writes.burn(rooms.workspace, "whole", Writing(once="end"))
    again = writes.burn(rooms.workspace, "whole", Writing(once="end"))
    assert again["transaction_id"] == burned["transaction_id"]
    assert rooms.count(whole) == 2


# --- Corrections -------------------------------------------------------------------------------


def test_a_correction_is_written_on_the_state_without_what_it_corrects(rooms: Rooms) -> None:
    make(rooms, state={"power": {"hp": 220}})
    wrong = writes.append(rooms.workspace, "box", {"oops": 1}, [edit("power.hp", 999)])
    made = writes.append(
        rooms.workspace,
        "box",
        {},
        [edit("power.kw", 160)],
        corrects=wrong["transaction_id"][:16],
    )
    assert made["state"] == {"power": {"hp": 220, "kw": 160}}
    assert metadata(rooms, made)["twin"]["corrects"] == wrong["transaction_id"]


def test_only_an_append_of_this_asset_can_be_corrected(rooms: Rooms) -> None:
    make(rooms)
    other = make(rooms, "other")
    for ref in (other, "f" * 64, "x"):
        with pytest.raises(NotFoundError):
            writes.append(rooms.workspace, "box", {"n": 1}, corrects=ref)
    with pytest.raises(UsageError):
        writes.append(rooms.workspace, "box", {"n": 1}, writing=Writing(bare=True), corrects=other)


# --- Who may sign ------------------------------------------------------------------------------


def test_the_tutorials_wrong_key_is_told_who_could_and_both_legal_ways(rooms: Rooms) -> None:
    asset_id = make(rooms, "car", entity="car")
    with pytest.raises(LockedError) as caught:
        writes.append(rooms.using("car"), "car", {"mileage": 1200})
    error = caught.value
    assert error.code == "no_key"
    assert error.message == "the key car cannot sign for car: its owner is alice"
    hint = error.hint or ""
    assert "--key alice" in hint
    # Both ways work as written.
    assert "twin asset create NAME --owner car --parent car" in hint
    make(rooms, "gps", owner="car", parent="car")
    writes.append(rooms.using("car"), "gps", {"mileage": 1200})
    assert "twin asset transfer car --to any:alice,car" in hint
    writes.transfer(rooms.workspace, "car", to="any:alice,car")
    writes.append(rooms.using("car"), "car", {"mileage": 1200})
    assert rooms.count(asset_id) == 3


def test_without_the_owners_key_it_says_who_it_is(rooms: Rooms) -> None:
    asset_id = make(rooms)
    writes.transfer(rooms.workspace._replace(accept_unknown=True), "box", to=STRANGER)
    with pytest.raises(LockedError, match=STRANGER) as caught:
        writes.append(rooms.workspace, "box", {"n": 1})
    assert caught.value.code == "no_key"
    assert "alice, bob, car" in (caught.value.hint or "")
    assert rooms.count(asset_id) == 2


@pytest.mark.parametrize(
    ("owner", "keys", "signed"),
    [
        ("any:bob,car", (), ["bob"]),
        ("any:bob,car", ("car",), ["car"]),
        ("2of:alice,bob,car", (), ["alice", "bob"]),
        ("2of:alice,bob,car", ("car", "alice"), ["alice", "car"]),
        ("all:alice,(any:bob,car)", ("alice", "car"), ["alice", "car"]),
    ],
)
def test_a_threshold_gets_as_many_signatures_as_it_asks(
    rooms: Rooms, owner: str, keys: tuple[str, ...], signed: list[str]
) -> None:
    make(rooms, owner=owner)
    made = writes.append(rooms.using(*keys), "box", {"n": 1})
    names = [rooms.workspace.keystore.find(key).name for key in made["signed_by"]]  # type: ignore[union-attr]
    assert sorted(names) == sorted(signed)


@pytest.mark.parametrize("keys", [("alice",), ("alice", "bob", "car")])
def test_too_few_keys_or_too_many(rooms: Rooms, keys: tuple[str, ...]) -> None:
    make(rooms, owner="2of:alice,bob,car")
    with pytest.raises(LockedError) as caught:
        writes.append(rooms.using(*keys), "box", {"n": 1})
    assert caught.value.code == "no_key"
    assert "2of:alice,bob,car" in caught.value.message + (caught.value.hint or "")


# --- Transfer ----------------------------------------------------------------------------------


def test_the_old_owner_loses_the_right_at_once(rooms: Rooms) -> None:
    make(rooms, state={"km": 1})
    made = writes.transfer(rooms.workspace, "box", to="bob", base={"sold": True})
    assert made["owner_names"] == ["bob"]
    assert made["state"] == {"km": 1, "sold": True}
    assert metadata(rooms, made)["twin"]["kind"] == "transfer"
    with pytest.raises(LockedError):
        writes.append(rooms.using("alice"), "box", {"km": 2})
    assert writes.append(rooms.workspace, "box", {"km": 2})["state"]["km"] == 2


def test_amounts_with_change_back(rooms: Rooms) -> None:
    asset_id = make(rooms, "oaks", amount=700)
    made = writes.transfer(rooms.workspace, "oaks", outs=["20:bob", "30:all:bob,car"])
    tx = rooms.ledger.get(made["transaction_id"])
    assert tx is not None
    assert [output["amount"] for output in tx["outputs"]] == ["20", "30", "650"]
    assert made["amount"] == "700"
    unspent = listings.outputs(rooms.workspace, "oaks", unspent=True)["outputs"]
    assert [(item["amount"], item["owner_names"]) for item in unspent] == [
        ("20", ["bob"]),
        ("30", ["bob", "car"]),
        ("650", ["alice"]),
    ]
    assert rooms.count(asset_id) == 2


@pytest.mark.parametrize(
    ("given", "back"),
    [(5, [("5", "alice"), ("2", "bob")]), (10, [("2", "bob")]), (11, [("1", "bob")]), (12, [])],
)
def test_what_is_left_over_goes_back_to_who_gave_it(
    given: int, back: list[tuple[str, str]], rooms: Rooms
) -> None:
    make(rooms, amount=12)
    split = writes.transfer(rooms.workspace, "box", outs=["4:alice", "6:alice", "2:bob"])
    ins = [f"{split['transaction_id']}:{number}" for number in range(3)]
    writes.transfer(rooms.workspace, "box", outs=[f"{given}:car"], ins=ins)
    unspent = listings.outputs(rooms.workspace, "box", unspent=True)["outputs"]
    held = [(item["amount"], *item["owner_names"]) for item in unspent]
    assert held == [(str(given), "car"), *back]


def test_many_outputs_of_one_owner_cost_one_look_at_the_keys(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(rooms, amount=50)
    writes.transfer(rooms.workspace, "box", outs=["1:alice"] * 50)
    real, looks = signers.keys_to_spend, []

    def counted(*args: Any) -> Any:
        looks.append(args)
        return real(*args)

    for module in (signers, attempt):
        monkeypatch.setattr(module, "keys_to_spend", counted)
    writes.transfer(rooms.workspace, "box", outs=["50:bob"])
    assert len(looks) == 2  # which are mine, and who signs


def test_the_tutorials_paper_clips(rooms: Rooms) -> None:
    """20 + 10 + 45 + 25 = 100, of which 60 go to one and 40 to two together."""
    make(rooms, "clips", amount=100)
    writes.transfer(rooms.workspace, "clips", outs=["20:alice", "10:alice", "45:alice", "25:alice"])
    made = writes.transfer(rooms.workspace, "clips", outs=["60:bob", "40:all:alice,car"])
    tx = rooms.ledger.get(made["transaction_id"])
    assert tx is not None
    assert len(tx["inputs"]) == 4
    assert [output["amount"] for output in tx["outputs"]] == ["60", "40"]
    assert rooms.ledger.verify().problems == []


def test_inputs_may_be_chosen(rooms: Rooms) -> None:
    make(rooms, amount=10)
    split = writes.transfer(rooms.workspace, "box", outs=["4:alice", "6:alice"])
    tx_id = split["transaction_id"]
    made = writes.transfer(
        rooms.workspace, "box", outs=["1:bob"], ins=[f"{tx_id}:1", f"{tx_id[:12]}:1"]
    )
    tx = rooms.ledger.get(made["transaction_id"])
    assert tx is not None
    assert [item["fulfills"]["output_index"] for item in tx["inputs"]] == [1]
    assert [output["amount"] for output in tx["outputs"]] == ["1", "5"]
    with pytest.raises(ConflictError) as caught:
        writes.transfer(rooms.workspace, "box", outs=["1:bob"], ins=[f"{tx_id}:1"])
    assert caught.value.code == "stale"


@pytest.mark.parametrize(
    ("options", "error", "code"),
    [
        ({}, UsageError, "usage"),
        ({"to": "bob", "outs": ["1:bob"]}, UsageError, "usage"),
        ({"outs": ["bob"]}, UsageError, "usage"),
        ({"outs": ["0:bob"]}, UsageError, "usage"),
        ({"outs": ["-1:bob"]}, UsageError, "usage"),
        ({"outs": ["1.5:bob"]}, UsageError, "usage"),
        ({"outs": ["11:bob"]}, InvalidError, "amount_error"),
        ({"outs": ["9000000000000000001:bob"]}, InvalidError, "amount_error"),
        ({"to": "nobody"}, NotFoundError, "not_found"),
        ({"to": STRANGER}, UsageError, "unknown_recipient"),
        ({"to": "bob", "ins": ["x"]}, UsageError, "usage"),
        ({"to": "bob", "ins": ["ffffffffff:0"]}, NotFoundError, "not_found"),
        ({"to": "8qbHbw2BbbTHBW1sbeqakYXVKRQM8Ne7pLK7m6CVfeR"}, InvalidError,
         "not_a_curve_point"),
    ],
)  # fmt: skip
def test_transfers_that_cannot_be(
    rooms: Rooms, options: dict[str, Any], error: type[Exception], code: str
) -> None:
    asset_id = make(rooms, amount=10)
    with pytest.raises(error) as caught:
        writes.transfer(rooms.workspace, "box", **options)
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert rooms.count(asset_id) == 1


def test_children_stay_or_move_along(rooms: Rooms) -> None:
    make(rooms, "car")
    wheel = make(rooms, "wheel", parent="car", amount=4)
    tyre = make(rooms, "tyre", parent="wheel")
    gps = make(rooms, "gps", parent="car", owner="car")
    writes.transfer(rooms.workspace, "car", to="bob")
    assert documents.show(rooms.workspace, "wheel")["owner_names"] == ["alice"]
    writes.transfer(rooms.workspace, "car", to="alice")
    made = writes.transfer(rooms.workspace, "car", to="bob", children="move")
    assert documents.show(rooms.workspace, "wheel")["owner_names"] == ["bob"]
    assert documents.show(rooms.workspace, "wheel")["amount"] == "4"
    assert documents.show(rooms.workspace, "tyre")["owner_names"] == ["bob"]
    assert documents.show(rooms.workspace, "gps")["owner_names"] == ["car"], "not Alice's to give"
    heights: set[int | None] = {rooms.ledger.blocks_of(made["transaction_id"])[0]}
    for asset in (wheel, tyre):
        last = rooms.ledger.last(asset)
        assert last is not None
        heights.add(last.height)
    assert len(heights) == 1, "one commit, all or none"
    assert rooms.count(gps) == 1


def test_a_new_entity_key(rooms: Rooms) -> None:
    make(rooms, entity="car")
    public_key = rooms.workspace.keystore.get("bob").public_key
    made = writes.transfer(rooms.workspace, "box", to="alice", entity="bob")
    assert metadata(rooms, made)["twin"]["body"] == {"entity": public_key}


# --- After a split -----------------------------------------------------------------------------


def test_appending_to_one_output_of_several(rooms: Rooms) -> None:
    make(rooms, amount=10, state={"s": {"a": 0}})
    split = writes.transfer(rooms.workspace, "box", outs=["4:bob", "6:alice"])
    tx_id = split["transaction_id"]
    with pytest.raises(ConflictError, match=f"{tx_id}:0, {tx_id}:1") as caught:
        writes.append(rooms.workspace, "box", {"x": 1})
    assert caught.value.code == "ambiguous"
    # The only one that --key can sign for is meant.
    writes.append(rooms.using("bob"), "box", {}, [edit("s.b", 1)])
    made = writes.append(rooms.workspace, "box", {}, [edit("s.c", 2)], output=f"{tx_id[:10]}:1")
    states = {item["owners"][0]: item["state"] for item in made["outputs"]}
    keys = rooms.workspace.keystore
    assert states == {
        keys.get("bob").public_key: {"s": {"a": 0, "b": 1}},
        keys.get("alice").public_key: {"s": {"a": 0, "c": 2}},
    }
    assert made["state"] == {"s": {"a": 0}}, "frozen at the split"
    for wrong in (f"{tx_id}:0", f"{tx_id}:7"):
        with pytest.raises(ConflictError) as caught:
            writes.append(rooms.workspace, "box", {"x": 1}, output=wrong)
        assert caught.value.code == "stale"
    with pytest.raises(UsageError):
        writes.append(rooms.workspace, "box", {"x": 1}, output="0")


def test_if_tip_after_a_split_is_the_output_that_is_spent(rooms: Rooms) -> None:
    make(rooms, amount=10)
    split = writes.transfer(rooms.workspace, "box", outs=["4:bob", "6:alice"])
    tx_id = split["transaction_id"]
    writes.append(rooms.using("bob"), "box", {"x": 1}, writing=Writing(if_tip=tx_id))
    writes.append(rooms.using("alice"), "box", {"x": 2}, writing=Writing(if_tip=tx_id))
    with pytest.raises(ConflictError):
        writes.append(rooms.using("bob"), "box", {"x": 3}, writing=Writing(if_tip=tx_id))


# --- Burn --------------------------------------------------------------------------------------


def test_what_is_burned_is_over(rooms: Rooms) -> None:
    make(rooms, state={"km": 1})
    made = writes.burn(rooms.workspace, "box")
    assert made["burned"] is True
    assert made["owners"] == [owners.BURN_ADDRESS]
    assert made["state"] == {"km": 1, "status": "BURNED"}
    assert metadata(rooms, made)["twin"]["kind"] == "burn"
    actions: list[Callable[[], object]] = [
        lambda: writes.append(rooms.workspace, "box", {"km": 2}),
        lambda: writes.transfer(rooms.workspace, "box", to="bob"),
        lambda: writes.transfer(rooms.workspace, "box", outs=["1:bob"]),
        lambda: writes.burn(rooms.workspace, "box"),
        lambda: append.append_lines(rooms.workspace, "box", [{"km": 2}]),
    ]
    for action in actions:
        with pytest.raises(InvalidError) as caught:
            action()
        assert caught.value.code == "burned"


def test_burning_takes_what_can_be_signed_for(rooms: Rooms) -> None:
    make(rooms, amount=10)
    writes.transfer(rooms.workspace, "box", outs=["4:bob", "3:alice"])
    made = writes.burn(rooms.using("alice"), "box")
    assert made["burned"] is False
    left = [
        (item["amount"], item["owner_names"])
        for item in listings.outputs(rooms.workspace, "box", unspent=True)["outputs"]
    ]
    assert left == [("4", ["bob"]), ("6", ["burned"])]


# --- Clock, dry-run, lines ---------------------------------------------------------------------


def test_a_clock_behind_what_was_recorded_is_said(rooms: Rooms) -> None:
    make(rooms)
    writes.append(rooms.workspace, "box", {"n": 1})
    rooms.now_ms = NOW_MS - 1
    made = writes.append(rooms.workspace, "box", {"n": 2})
    assert metadata(rooms, made)["twin"]["clock"] == "unsynced"
    assert "clock" in made["warnings"][0]
    rooms.now_ms = NOW_MS + 1
    made = writes.append(rooms.workspace, "box", {"n": 3})
    assert "clock" not in metadata(rooms, made)["twin"]
    rooms.now_ms = BUILD_TIME_MS - 1
    make(rooms, "other")
    made = writes.append(rooms.workspace, "other", {"n": 1})
    assert metadata(rooms, made)["twin"]["clock"] == "unsynced"


def test_a_dry_run_shows_and_changes_nothing(rooms: Rooms) -> None:
    asset_id = make(rooms, state={"deep": {"a": 1}})

    def never(_name: str) -> bytes:
        raise AssertionError

    dry = rooms.workspace._replace(dry_run=True, secrets=never)
    shown = writes.append(dry, "box", {}, [edit("deep.b", 2)])
    assert shown["state"] == {"deep": {"a": 1, "b": 2}}
    assert shown["transaction_id"] is None
    assert writes.transfer(dry, "box", to="bob")["owner_names"] == ["bob"]
    assert writes.burn(dry, "box")["burned"] is True
    assert append.append_lines(dry, "box", [{"n": 1}, {"n": 2}])["count"] == 2
    with pytest.raises(InvalidError):
        writes.append(dry, "box", {"$x": 1})
    with pytest.raises(LockedError):
        writes.append(dry._replace(keys=("bob",)), "box", {"n": 1})
    assert rooms.count(asset_id) == 1
    made = writes.append(rooms.workspace, "box", {}, [edit("deep.b", 2)])
    assert list(shown) == list(made)


def lines(count: int) -> Iterator[dict[str, Any]]:
    return ({"n": n} for n in range(count))


def test_many_lines_are_many_appends_in_few_commits(rooms: Rooms) -> None:
    asset_id = make(rooms)
    height = rooms.ledger.tip().height
    made = append.append_lines(rooms.workspace, "box", lines(300))
    assert made["count"] == 300
    assert rooms.count(asset_id) == 301
    assert rooms.ledger.tip().height == height + 1
    last = rooms.ledger.last(asset_id)
    assert last is not None
    assert made["transaction_id"] == last.tx["id"]
    assert last.tx["metadata"]["twin"] == {
        "v": 1,
        "kind": "append",
        "at": "2030-03-17T17:46:40.000Z",
    }
    assert documents.show(rooms.workspace, "box")["state"] == {"n": 299}
    nothing = append.append_lines(rooms.workspace, "box", [])
    assert (nothing["count"], nothing["transaction_id"]) == (0, None)


def test_lines_that_cannot_be(rooms: Rooms) -> None:
    make(rooms)
    with pytest.raises(InvalidError) as invalid:
        append.append_lines(rooms.workspace, "box", [{"n": 1}, {"twin": 1}])
    assert invalid.value.code == "reserved_key"
    with pytest.raises(InvalidError, match="append 2: "):
        append.append_lines(rooms.workspace, "box", [{"n": 1}, {"$n": 1}])
    for writing in (Writing(prepare=True), Writing(if_tip="0" * 64)):
        with pytest.raises(UsageError):
            append.append_lines(rooms.workspace, "box", lines(1), writing)
    make(rooms, "shared", owner="all:alice,bob")
    with pytest.raises(ConflictError) as conflict:
        append.append_lines(rooms.workspace, "shared", lines(1))
    assert conflict.value.code == "several_outputs"
    with pytest.raises(LockedError):
        append.append_lines(rooms.using("bob"), "box", lines(1))


def test_a_workspace_says_nothing_of_secrets(rooms: Rooms) -> None:
    workspace: Workspace = rooms.using("alice")
    unlocked = workspace.keystore.unlock("alice", None)
    assert unlocked.keypair.private_key not in repr((workspace, unlocked, unlocked.keypair))


def stopping(count: int, error: BaseException) -> Iterator[dict[str, Any]]:
    yield from lines(count)
    raise error


@pytest.mark.parametrize("once", [None, "night"])
def test_lines_that_are_interrupted_say_how_far_they_came(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch, once: str | None
) -> None:
    asset_id = make(rooms)
    whole = rooms.ledger.append_many
    client = rooms.workspace.client
    monkeypatch.setattr(
        client,
        "append_many",
        lambda signer, asset, data: whole(signer, asset, data, commit_every=2),
    )
    writing = Writing(once=once)
    for error in (KeyboardInterrupt(), InvalidError("line 6 of stdin is not JSON")):
        with pytest.raises(TwinError, match="on the ledger") as caught:
            append.append_lines(rooms.workspace, "box", stopping(5, error), writing)
        there = 4 if once else rooms.count(asset_id) - 1
        assert rooms.count(asset_id) == 1 + there
        assert caught.value.hint is not None
        if isinstance(error, KeyboardInterrupt):
            assert caught.value.message == "interrupted: 4 lines are on the ledger"
            assert caught.value.exit_code == 130
            assert ("after number 4" in caught.value.hint) == (once is None)
        rooms.now_ms += 1000
    if once:
        made = append.append_lines(rooms.workspace, "box", lines(7), writing)
        assert (made["count"], made["existing"]) == (3, 4)
        again = append.append_lines(rooms.workspace, "box", lines(7), writing)
        assert (again["count"], again["existing"], again["transaction_id"]) == (0, 7, None)
        assert rooms.count(asset_id) == 8
        assert documents.show(rooms.workspace, "box")["state"] == {"n": 6}
        with pytest.raises(ConflictError) as conflict:
            append.append_lines(rooms.workspace, "box", [{"n": 5}], writing)
        assert conflict.value.code == "once_mismatch"


def test_nothing_is_on_the_ledger_after_an_early_stop(rooms: Rooms) -> None:
    asset_id = make(rooms)
    with pytest.raises(TwinError, match="interrupted: nothing is on the ledger"):
        append.append_lines(rooms.workspace, "box", stopping(2, KeyboardInterrupt()))
    assert rooms.count(asset_id) == 1


def test_what_is_recorded_and_cannot_be_shown_says_so(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset_id = make(rooms)

    def broken(*_: Any) -> Any:
        raise ConfigError("the book is damaged", code="damaged_book")

    monkeypatch.setattr(documents, "written", broken)
    with pytest.raises(ConfigError, match=r"^recorded as [0-9a-f]{64}, but") as caught:
        writes.append(rooms.workspace, "box", {"n": 1})
    assert rooms.count(asset_id) == 2
    last = rooms.ledger.last(asset_id)
    assert last is not None
    assert last.tx["id"] in caught.value.message
    assert "do not repeat" in str(caught.value.hint)

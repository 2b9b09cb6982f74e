"""State: merged, corrected, split and merged again, read the same from other tools."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.committed import ALICE, BOB, CAROL, Tx, create, output, transfer
from twincli.model import owners, record
from twincli.model.transaction import Output
from twincli.rules import replay
from twincli.rules.replay import Replay


def append(tx: Tx, metadata: Any = None, *, amount: int = 1) -> Tx:
    return transfer((tx, 0), outputs=[output(ALICE, amount=amount)], metadata=metadata)


def correct(tx: Tx, wrong: Tx, metadata: dict[str, Any] | None = None) -> Tx:
    envelope = record.envelope(record.APPEND, corrects=wrong["id"])
    return append(tx, {**(metadata or {}), "twin": envelope})


def replayed(*txs: Tx) -> Replay:
    found = Replay(replay.corrected_by(txs))
    for tx in txs:
        found.add(tx)
    return found


def state(*txs: Tx) -> dict[str, Any]:
    return replayed(*txs).common


CAR = create(data={"vin": "1"}, metadata={"km": 1, "color": "red"})


def test_state_is_the_shallow_merge_of_metadata() -> None:
    first = append(CAR, {"km": 2, "tyres": {"front": 1}})
    second = append(first, {"tyres": {"back": 2}, "color": None})
    none = append(second, None)
    assert state(CAR) == {"km": 1, "color": "red"}
    assert state(CAR, first) == {"km": 2, "color": "red", "tyres": {"front": 1}}
    merged = {"km": 2, "color": None, "tyres": {"back": 2}}
    assert state(CAR, first, second) == merged
    assert state(CAR, first, second, none) == merged
    assert state(create(data={"km": 1})) == {}


def test_steps_tell_before_and_after() -> None:
    run = Replay()
    step = run.add(CAR)
    assert step == ({"km": 1, "color": "red"}, {}, {"km": 1, "color": "red"}, False)
    tx = append(CAR, {"km": 5, "twin": record.envelope(record.APPEND, at="2024-01-20T09:00:00Z")})
    step = run.add(tx)
    assert step.written == {"km": 5}
    assert step.before == {"km": 1, "color": "red"}
    assert step.after == {"km": 5, "color": "red"}
    assert run.create == CAR
    assert run.last == tx
    assert run.outputs == {(tx["id"], 0): step.after}
    assert not run.is_split


def test_a_twin_that_is_no_envelope_is_state() -> None:
    assert state(CAR, append(CAR, {"twin": "brother"}))["twin"] == "brother"
    unknown = append(CAR, {"km": 9, "twin": {"v": 99, "kind": "of the future", "body": {"km": 0}}})
    assert state(CAR, unknown) == {"km": 9, "color": "red"}


def test_what_replay_is_given_stays_as_it_is() -> None:
    first = append(CAR, {"tyres": {"front": 1}})
    run = replayed(CAR, first)
    run.common["km"] = "changed by a reader"
    assert CAR["metadata"] == {"km": 1, "color": "red"}
    assert first["metadata"] == {"tyres": {"front": 1}}


# --- Corrections ----------------------------------------------------------------------------------


def test_a_correction_takes_the_values_out() -> None:
    wrong = append(CAR, {"km": 999, "color": "blue"})
    right = correct(wrong, wrong, {"km": 20})
    assert state(CAR, wrong) == {"km": 999, "color": "blue"}
    assert state(CAR, wrong, right) == {"km": 20, "color": "red"}
    run = Replay(replay.corrected_by([CAR, wrong, right]))
    steps = [run.add(tx) for tx in (CAR, wrong, right)]
    assert [step.corrected for step in steps] == [False, True, False]
    assert steps[1].written == {"km": 999, "color": "blue"}
    assert steps[1].after == steps[1].before
    assert replay.corrects(right) == wrong["id"]


def test_a_correction_may_only_take_out() -> None:
    wrong = append(CAR, {"km": 999})
    assert state(CAR, wrong, correct(wrong, wrong)) == {"km": 1, "color": "red"}


def test_values_between_stay() -> None:
    wrong = append(CAR, {"km": 999, "tyres": 4})
    later = append(wrong, {"km": 1000})
    assert state(CAR, wrong, later, correct(later, wrong)) == {"km": 1000, "color": "red"}


def test_a_corrected_correction_does_not_count() -> None:
    first = append(CAR, {"km": 2})
    second = correct(first, first, {"km": 3})
    third = correct(second, second)
    assert state(CAR, first, second) == {"km": 3, "color": "red"}
    assert state(CAR, first, second, third) == {"km": 2, "color": "red"}
    fourth = correct(third, third, {"color": "green"})
    assert replay.corrected_by([CAR, first, second, third, fourth]) == {third["id"], first["id"]}
    # The fourth takes the third out, so the second counts again and the first does not.
    assert state(CAR, first, second, third, fourth) == {"km": 3, "color": "green"}


def test_a_create_can_be_corrected() -> None:
    assert state(CAR, correct(CAR, CAR, {"km": 0})) == {"km": 0}


def test_a_correction_of_what_is_not_there_takes_nothing() -> None:
    elsewhere = create(data={"name": "bike"}, metadata={"km": 5})
    assert state(CAR, correct(CAR, elsewhere, {"km": 7})) == {"km": 7, "color": "red"}


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"corrects": "0" * 64},
        {"twin": {"corrects": "0" * 64}},
        {"twin": {"v": 1, "kind": "append"}},
        {"twin": {"v": 1, "kind": "append", "corrects": 7}},
        {"twin": {"v": 1, "kind": "append", "corrects": [CAR["id"]]}},
    ],
)
def test_what_corrects_nothing(metadata: Any) -> None:
    assert replay.corrects({"metadata": metadata}) is None


# --- Divisible assets -----------------------------------------------------------------------------

SHARES = create(output(ALICE, amount=100), data={"name": "shares"}, metadata={"price": 1})
SPLIT = transfer(
    (SHARES, 0),
    outputs=[output(ALICE, amount=60), output(BOB, amount=40)],
    metadata={"round": "A"},
)


def test_after_a_split_each_output_has_its_own_state() -> None:
    run = replayed(SHARES, SPLIT)
    both = {"price": 1, "round": "A"}
    assert run.is_split
    assert run.outputs == {(SPLIT["id"], 0): both, (SPLIT["id"], 1): both}
    assert run.common == {"price": 1}
    ours = append(SPLIT, {"price": 2}, amount=60)
    run.add(ours)
    assert run.outputs == {(SPLIT["id"], 1): both, (ours["id"], 0): {"price": 2, "round": "A"}}
    assert run.common == {"price": 1}


def test_merged_again_there_is_one_state_the_later_input_wins() -> None:
    ours = append(SPLIT, {"price": 2, "place": "here"}, amount=60)
    theirs = transfer((SPLIT, 1), outputs=[output(BOB, amount=40)], metadata={"price": 3})
    merged = transfer(
        (ours, 0), (theirs, 0), outputs=[output(CAROL, amount=100)], metadata={"round": "B"}
    )
    run = replayed(SHARES, SPLIT, ours, theirs, merged)
    assert not run.is_split
    assert run.common == {"price": 3, "place": "here", "round": "B"}
    other = transfer((theirs, 0), (ours, 0), outputs=[output(CAROL, amount=100)])
    assert state(SHARES, SPLIT, ours, theirs, other)["price"] == 2


def test_an_asset_may_be_split_from_the_start() -> None:
    tx = create(output(ALICE), output(BOB), metadata={"a": 1})
    run = replayed(tx)
    assert run.is_split
    assert run.common == {}
    assert run.outputs == {(tx["id"], 0): {"a": 1}, (tx["id"], 1): {"a": 1}}


def test_spending_what_was_not_seen_starts_from_nothing() -> None:
    run = Replay()
    tx = append(CAR, {"km": 2})
    assert run.add(tx).before == {}
    assert run.common == {"km": 2}


# --- Other tools, burning, the entity -------------------------------------------------------------


def test_a_twin_of_the_orm_reads_the_same() -> None:
    made = create(
        data={"schema": "", "id": "id:global:car:12-34"}, metadata={"km": 1, "color": "red"}
    )
    moved = append(made, {"km": 2})
    burned = transfer(
        (moved, 0),
        outputs=[Output(owners.of_keys([owners.BURN_ADDRESS]))],
        metadata={"status": "BURNED"},
    )
    run = replayed(made, moved, burned)
    assert run.common == {"km": 2, "color": "red", **record.BURNED_STATUS}
    assert replay.is_burned(burned["outputs"][0])
    assert not replay.is_burned(moved["outputs"][0])
    assert record.orm_model(made["asset"]["data"]) == "car"


def entity_tx(tx: Tx, body: Any, kind: str = record.TRANSFER) -> Tx:
    return append(tx, {"twin": {"v": 1, "kind": kind, "body": body}})


def test_the_entity_is_what_was_last_stated() -> None:
    tx = create(data={"twin": record.envelope(record.ASSET, entity=BOB.public_key)})
    assert replayed(tx).entity == BOB.public_key
    assert replayed(CAR).entity is None
    changed = entity_tx(tx, {"entity": CAROL.public_key})
    assert replayed(tx, changed).entity == CAROL.public_key
    for body, kind in (
        ({"entity": CAROL.public_key}, record.APPEND),
        ({"entity": 7}, record.TRANSFER),
        ("text", record.TRANSFER),
        ({}, record.TRANSFER),
    ):
        assert replayed(tx, entity_tx(tx, body, kind)).entity == BOB.public_key
    assert replayed(tx, append(tx, {"km": 1})).entity == BOB.public_key
    odd = create(data={"twin": {"v": 1, "entity": 7}})
    assert replayed(odd).entity is None


WRITES = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), min_size=1, max_size=3), max_size=6
)


@given(WRITES)
def test_state_is_what_a_plain_merge_gives(writes: list[dict[str, Any]]) -> None:
    txs = [CAR]
    merged: dict[str, Any] = {"km": 1, "color": "red"}
    for written in writes:
        txs.append(append(txs[-1], written))
        merged = {**merged, **written}
    run = replayed(*txs)
    assert run.common == merged
    assert list(run.outputs.values()) == [merged]


@given(WRITES.filter(bool), st.data())
def test_a_correction_is_as_if_the_append_had_written_nothing(
    writes: list[dict[str, Any]], data: st.DataObject
) -> None:
    wrong = data.draw(st.integers(0, len(writes) - 1))
    txs = [CAR]
    for written in writes:
        txs.append(append(txs[-1], written))
    txs.append(correct(txs[-1], txs[wrong + 1]))
    without = [written for number, written in enumerate(writes) if number != wrong]
    merged: dict[str, Any] = {"km": 1, "color": "red"}
    for written in without:
        merged = {**merged, **written}
    assert state(*txs) == merged


# --- The template --------------------------------------------------------------------------------


def pinned(kind: str, template: Any = "car-v1", cid: Any = "bafk1") -> dict[str, Any]:
    return {"twin": record.envelope(kind, template=template, template_cid=cid)}


def test_the_template_is_that_of_the_create_until_a_migration() -> None:
    car = create(data=pinned(record.ASSET))
    assert replayed(car).pin == ("car-v1", "bafk1", car["id"])
    said = append(car, pinned(record.APPEND, "boat-v1"))  # an append says nothing of templates
    moved = append(said, pinned(record.MIGRATE, "car-v2", "bafk2"))
    then = append(moved, {"km": 1})
    assert replayed(car, said).pin == ("car-v1", "bafk1", car["id"])
    assert replayed(car, said, moved, then).pin == ("car-v2", "bafk2", moved["id"])
    again = append(then, pinned(record.MIGRATE))
    assert replayed(car, said, moved, then, again).pin == ("car-v1", "bafk1", again["id"])


def test_a_malformed_pin_is_not_one() -> None:
    car = create(data=pinned(record.ASSET))
    for template, cid in (("car-v2", None), (7, "bafk2"), ("car-v2", ["bafk2"])):
        moved = append(car, pinned(record.MIGRATE, template, cid))
        assert replayed(car, moved).pin == ("car-v1", "bafk1", car["id"])
        assert replayed(create(data=pinned(record.ASSET, template, cid))).pin is None
    assert replayed(create(data=pinned(record.TEMPLATE))).pin is None


def test_the_holder_of_a_part_does_not_move_the_whole() -> None:
    beans = create(output(ALICE, amount=10), data=pinned(record.ASSET))
    split = transfer(
        (beans, 0), outputs=[output(ALICE, amount=4), output(ALICE, amount=6)], metadata=None
    )
    part = transfer(
        (split, 1),
        outputs=[output(ALICE, amount=6)],
        metadata=pinned(record.MIGRATE, "tea-v1", "bafk2"),
    )
    assert replayed(beans, split, part).pin == ("car-v1", "bafk1", beans["id"])
    joined = transfer(
        (split, 0),
        (part, 0),
        outputs=[output(ALICE, amount=10)],
        metadata=pinned(record.MIGRATE, "tea-v1", "bafk2"),
    )
    assert replayed(beans, split, part, joined).pin == ("tea-v1", "bafk2", joined["id"])


def said(tx: Tx, kind: str, *, amount: int = 1) -> Tx:
    return append(tx, {"twin": record.envelope(kind, body={})}, amount=amount)


def test_who_holds_all_of_it_freezes_it() -> None:
    frozen = said(CAR, record.FREEZE)
    later = append(frozen, {"km": 2})
    lifted = said(later, record.UNFREEZE)
    assert replayed(CAR).frozen is None
    assert replayed(CAR, frozen, later).frozen == frozen["id"]
    assert replayed(CAR, frozen, later, lifted).frozen is None
    assert replayed(CAR, frozen, later, lifted, said(lifted, record.FREEZE)).frozen


def test_a_split_ends_a_freeze_and_nobody_freezes_a_part() -> None:
    create_many = create(output(ALICE, amount=5), data={"vin": "2"})
    frozen = said(create_many, record.FREEZE, amount=5)
    split = transfer((frozen, 0), outputs=[output(ALICE, amount=3), output(ALICE, amount=2)])
    part = transfer(
        (split, 1),
        outputs=[output(ALICE, amount=2)],
        metadata={"twin": record.envelope(record.FREEZE, body={})},
    )
    assert replayed(create_many, frozen).frozen
    assert replayed(create_many, frozen, split).frozen is None
    assert replayed(create_many, frozen, split, part).frozen is None

"""The state of a twin: merged, split, corrected, and kept for long histories in the index."""

from __future__ import annotations

import json
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.chains import ALICE, BOB, Tx, create, owned, spend
from twincli.ledger import Ledger, state
from twincli.ledger.state import EVERY, SHORT
from twincli.rules.replay import Replay, corrected_by


def correction(tx: Tx, wrong: str, metadata: dict[str, Any]) -> Tx:
    twin = {"v": 1, "kind": "append", "corrects": wrong}
    return spend((tx, 0), metadata={**metadata, "twin": twin})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger") as opened:
        yield opened


def state_of(ledger: Ledger, asset_id: str, as_of_ms: int | None = None) -> dict[str, Any]:
    replay = ledger.replay(asset_id, as_of_ms)
    assert replay is not None
    return replay.common


def test_state_is_the_shallow_merge_without_the_envelope(ledger: Ledger) -> None:
    first = create(data={"fact": 1}, metadata={"a": 1, "deep": {"x": 1, "y": 2}})
    second = spend((first, 0), metadata={"b": 2, "twin": {"v": 1, "kind": "append"}})
    third = spend((second, 0), metadata={"deep": {"x": 5}, "twin": "not an envelope"})
    ledger.submit_many([first, second, third])
    assert state_of(ledger, first["id"]) == {
        "a": 1,
        "b": 2,
        "deep": {"x": 5},
        "twin": "not an envelope",
    }


def test_state_as_it_was(tmp_path: Path) -> None:
    now = [1_000]
    with Ledger.open(tmp_path / "ledger", clock=lambda: now[0]) as ledger:
        txs = [create(metadata={"n": 0})]
        for n in range(1, 4):
            txs.append(spend((txs[-1], 0), metadata={"n": n}))
        for tx in txs:
            now[0] += 100
            ledger.submit(tx)
        asset = txs[0]["id"]
        assert [state_of(ledger, asset, t) for t in (1_100, 1_250, 1_400, 9_999)] == [
            {"n": 0},
            {"n": 1},
            {"n": 3},
            {"n": 3},
        ]
        before = ledger.replay(asset, 1_099)
        assert before is None or before.create is None


def test_after_a_split_each_output_has_its_own_state(ledger: Ledger) -> None:
    first = create(outputs=[owned(ALICE, amount=10)], metadata={"a": 0, "b": 0})
    split = spend(
        (first, 0),
        outputs=[owned(ALICE, amount=4), owned(BOB, amount=6)],
        metadata={"split": True},
    )
    hers = spend((split, 0), outputs=[owned(ALICE, amount=4)], metadata={"a": 1})
    his = spend((split, 1), signers=[BOB], outputs=[owned(BOB, amount=6)], metadata={"b": 2})
    ledger.submit_many([first, split, hers, his])
    replay = ledger.replay(first["id"])
    assert replay is not None
    assert replay.is_split
    assert replay.common == {"a": 0, "b": 0}
    assert replay.outputs == {
        (hers["id"], 0): {"a": 1, "b": 0, "split": True},
        (his["id"], 0): {"a": 0, "b": 2, "split": True},
    }
    merged = spend((hers, 0), (his, 0), signers=[ALICE, BOB], outputs=[owned(ALICE, amount=10)])
    ledger.submit(merged)
    replay = ledger.replay(first["id"])
    assert replay is not None
    assert not replay.is_split
    # Where both wrote, the later input's path wins.
    assert replay.common == {"a": 0, "b": 2, "split": True}


def test_corrections_take_values_out_and_may_be_corrected(ledger: Ledger) -> None:
    first = create(metadata={"km": 1})
    wrong = spend((first, 0), metadata={"km": 999, "other": True})
    right = correction(wrong, wrong["id"], {"km": 2})
    ledger.submit_many([first, wrong, right])
    assert state_of(ledger, first["id"]) == {"km": 2}
    undone = correction(right, right["id"], {"note": "it was right after all"})
    ledger.submit(undone)
    assert state_of(ledger, first["id"]) == {
        "km": 999,
        "other": True,
        "note": "it was right after all",
    }


# --- Long histories ----------------------------------------------------------------------------


def grow(ledger: Ledger, tip: Tx, count: int) -> Tx:
    """Append ``count`` times to the asset of ``tip``, the number under ``n`` and one of 7 names."""
    start = int((tip["metadata"] or {}).get("n", 0))
    asset = tip["id"] if tip["operation"] == "CREATE" else tip["asset"]["id"]
    ids = ledger.append_many(
        ALICE, asset, [{"n": n, f"k{n % 7}": n} for n in range(start + 1, start + count + 1)]
    )
    last = ledger.get(ids[-1])
    assert last is not None
    return last


def plain(ledger: Ledger, asset_id: str) -> dict[str, Any]:
    """Return the state by the definition, nothing kept."""
    merged: dict[str, Any] = {}
    for tx in ledger.iter_transactions(asset_id):
        merged.update({k: v for k, v in (tx["metadata"] or {}).items() if k != "twin"})
    return merged


def kept(path: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(path / "ledger" / "index.db")) as connection:
        return connection.execute("SELECT seq, document FROM state").fetchall()


def test_a_long_history_is_kept_and_followed(ledger: Ledger, tmp_path: Path) -> None:
    first = create(metadata={"z": 1})
    ledger.submit(first)
    tip = grow(ledger, first, 3 * SHORT)
    asset = first["id"]
    assert state_of(ledger, asset) == plain(ledger, asset)
    ((seq, _),) = kept(tmp_path)
    assert seq == 3 * SHORT + 1
    tip = grow(ledger, tip, 5)
    assert state_of(ledger, asset) == plain(ledger, asset)
    assert kept(tmp_path)[0][0] == seq, "a few more are replayed, not kept"
    grow(ledger, tip, SHORT)
    assert state_of(ledger, asset) == plain(ledger, asset)
    assert kept(tmp_path)[0][0] == seq + 5 + SHORT
    replay = ledger.replay(asset)
    assert replay is not None
    last = ledger.last(asset)
    assert last is not None
    assert replay.create == first
    assert replay.last == last.tx
    assert list(replay.outputs) == [(last.tx["id"], 0)]


def test_a_correction_far_back_counts_in_a_kept_history(ledger: Ledger) -> None:
    first = create(metadata={"good": 1})
    wrong = spend((first, 0), metadata={"bad": 1})
    ledger.submit_many([first, wrong])
    tip = grow(ledger, wrong, 2 * SHORT)
    assert state_of(ledger, first["id"])["bad"] == 1
    ledger.submit(correction(tip, wrong["id"], {"fixed": True}))
    state = state_of(ledger, first["id"])
    assert "bad" not in state
    assert (state["good"], state["fixed"], state["n"]) == (1, True, 2 * SHORT)


def test_a_long_split_history_keeps_every_output(ledger: Ledger) -> None:
    first = create(outputs=[owned(ALICE, amount=1), owned(BOB, amount=1)], metadata={"s": 0})
    txs, hers = [first], (first, 0)
    for n in range(2 * SHORT):
        tx = spend(hers, metadata={"n": n})
        hers = (tx, 0)
        txs.append(tx)
    ledger.submit_many(txs)
    for _ in range(2):  # made, then loaded
        replay = ledger.replay(first["id"])
        assert replay is not None
        assert replay.outputs == {
            (first["id"], 1): {"s": 0},
            (txs[-1]["id"], 0): {"s": 0, "n": 2 * SHORT - 1},
        }
        assert replay.common == {}


@pytest.mark.parametrize(
    "damage",
    [
        "not json",
        "[]",
        "{}",
        '{"corrected": [], "common": {}, "states": [], "outputs": [["x", 0, 7]]}',
        None,
    ],
)
def test_a_damaged_kept_state_is_made_anew(
    ledger: Ledger, tmp_path: Path, damage: str | None
) -> None:
    first = create()
    ledger.submit(first)
    grow(ledger, first, 2 * SHORT)
    asset = first["id"]
    right = state_of(ledger, asset)
    with closing(sqlite3.connect(tmp_path / "ledger" / "index.db")) as connection:
        if damage is None:
            connection.execute("UPDATE state SET seq = 9999")
        else:
            connection.execute("UPDATE state SET document = ?", (damage,))
        connection.commit()
    assert state_of(ledger, asset) == right


def test_a_state_kept_before_a_backup_was_restored_does_not_count(tmp_path: Path) -> None:
    """The same ledger with another continuation under the index of the first one."""
    from twincli.ledger.store import backup

    place = tmp_path / "ledger"
    first = create()
    with Ledger.open(place) as ledger:
        ledger.submit(first)
        backup(str(place / "ledger.db"), str(tmp_path / "early.db"))
        grow(ledger, first, 2 * SHORT)
        assert state_of(ledger, first["id"])["n"] == 2 * SHORT
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.mark"):
        (place / name).unlink(missing_ok=True)
    (tmp_path / "early.db").rename(place / "ledger.db")
    with Ledger.open(place) as ledger:
        ledger.append_many(ALICE, first["id"], [{"m": n} for n in range(2 * SHORT)])
        assert state_of(ledger, first["id"]) == {"m": 2 * SHORT - 1}


def test_a_long_history_is_kept_in_json(ledger: Ledger, tmp_path: Path) -> None:
    first = create(metadata={"s": "Zoë"})
    ledger.submit(first)
    grow(ledger, first, 2 * SHORT)
    state_of(ledger, first["id"])
    document = json.loads(kept(tmp_path)[0][1])
    assert document["common"]["s"] == "Zoë"


def test_a_kept_state_that_was_altered_does_not_count(tmp_path: Path) -> None:
    first = create()
    with Ledger.open(tmp_path) as ledger:
        ledger.submit(first)
        grow(ledger, first, 2 * SHORT)
        assert state_of(ledger, first["id"])["n"] == 2 * SHORT
    with closing(sqlite3.connect(tmp_path / "index.db")) as connection:
        changed = connection.execute(
            "UPDATE state SET document = replace(document, ?, '\"n\": 7')", (f'"n": {2 * SHORT}',)
        ).rowcount
        connection.commit()
    assert changed == 1
    with Ledger.open(tmp_path) as ledger:
        assert state_of(ledger, first["id"])["n"] == 2 * SHORT


# --- Snapshots -----------------------------------------------------------------------------------


def held(replay: Replay) -> tuple[Any, ...]:
    assert replay.create is not None
    assert replay.last is not None
    return (
        replay.common,
        replay.entity,
        list(replay.outputs.items()),
        replay.create["id"],
        replay.last["id"],
    )


def from_zero(txs: list[Tx], corrections: list[Tx]) -> tuple[Any, ...]:
    """Return the state by the definition, nothing kept."""
    replay = Replay(corrected_by(corrections))
    for tx in txs:
        replay.add(tx)
    return held(replay)


def grown(choose: random.Random, txs: list[Tx], unspent: list[tuple[Tx, int]]) -> Tx:
    """Spend something of an asset: append, correct, split, merge or transfer."""
    taken = choose.sample(unspent, choose.randint(1, min(2, len(unspent))))
    for ref in taken:
        unspent.remove(ref)
    total = sum(int(tx["outputs"][index]["amount"]) for tx, index in taken)
    signers = [
        key
        for key in (ALICE, BOB)
        if any(tx["outputs"][index]["public_keys"] == [key.public_key] for tx, index in taken)
    ]
    parts = choose.randint(1, min(total, 2))
    amounts = [1] * (parts - 1) + [total - parts + 1]
    metadata: dict[str, Any] = {f"k{choose.randrange(4)}": len(txs)}
    kind = choose.choice(["append", "transfer", "correct", "correct"])
    if kind == "correct":
        wrong = choose.choice(txs)["id"] if choose.random() < 0.9 else "0" * 64
        metadata["twin"] = {"v": 1, "kind": "append", "corrects": wrong}
    elif kind == "transfer":
        metadata["twin"] = {"v": 1, "kind": "transfer", "body": {"entity": f"e{len(txs)}"}}
    tx = spend(
        *taken,
        signers=signers,
        outputs=[owned(choose.choice([ALICE, BOB]), amount=amount) for amount in amounts],
        metadata=metadata,
    )
    unspent += [(tx, index) for index in range(parts)]
    return tx


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_a_state_from_a_snapshot_is_that_from_zero(seed: int) -> None:
    choose = random.Random(seed)
    now = [1_000]
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as place,
        Ledger.open(place, clock=lambda: now[0]) as ledger,
    ):
        patch.setattr(state, "SHORT", 2)
        patch.setattr(state, "EVERY", 3)
        patch.setattr(state, "SNAPSHOT_CHARACTERS", choose.choice([0, 300, 10**6]))
        first = create(outputs=[owned(ALICE, amount=6)], metadata={"a": 1})
        txs, unspent = [first], [(first, index) for index in range(1)]
        ledger.submit(first)
        for _ in range(choose.randint(5, 30)):
            now[0] += 1_000
            txs.append(grown(choose, txs, unspent))
            ledger.submit(txs[-1])
            asked = choose.randrange(6)
            number = choose.randrange(len(txs))
            past = txs[: number + 1]
            if asked == 0:
                replay = ledger.replay(first["id"])
                assert replay is not None
                assert held(replay) == from_zero(txs, txs)
            elif asked in (1, 2):
                replay = ledger.replay(first["id"], 1_000 * (number + 1) + choose.randrange(1_000))
                assert replay is not None
                assert held(replay) == from_zero(past, past)
            elif asked == 3:
                replay = ledger.replay_to(first["id"], txs[number]["id"])
                assert held(replay) == from_zero(past, txs)
        assert ledger.verify_index() == []
        parts = ledger.stretches(first["id"])
        ids = [tx["id"] for tx in txs]
        assert [part.after for part in parts] == [None, *(part.last for part in parts[:-1])]
        assert parts[-1].last is None
        for part in parts[:-1]:
            assert part.last is not None
            begin = 0 if part.after is None else ids.index(part.after) + 1
            end = ids.index(part.last) + 1
            if part.low is not None:
                assert (part.low, part.high) == (1_000 * (begin + 1), 1_000 * end)


def test_snapshots_are_kept_where_they_belong_and_checked(tmp_path: Path) -> None:
    now = [1_000]
    first = create(metadata={"z": 1})
    with Ledger.open(tmp_path, clock=lambda: now[0]) as ledger:
        ledger.submit(first)
        grow(ledger, first, EVERY + SHORT)
        now[0] = 2_000
        ledger.append_many(ALICE, first["id"], [{"n": -n} for n in range(EVERY)])
        right = state_of(ledger, first["id"], 1_500)
        assert right["n"] == EVERY + SHORT
        parts = ledger.stretches(first["id"])
        assert [(part.low, part.high) for part in parts] == [
            (1_000, 1_000),
            (1_000, 2_000),
            (None, None),
        ]
    with closing(sqlite3.connect(tmp_path / "index.db")) as connection:
        rows = connection.execute("SELECT seq FROM snapshot").fetchall()
        assert rows == [(EVERY,), (2 * EVERY,)]
        # The state is used: with another digest it would be read, too.
        changed = connection.execute(
            "UPDATE snapshot SET document = replace(document, ?, '\"n\": 7')",
            (f'"n": {EVERY - 1}',),
        ).rowcount
        connection.commit()
    assert changed
    with Ledger.open(tmp_path) as ledger:
        assert state_of(ledger, first["id"], 1_500) == right


def test_snapshots_of_a_large_state_take_no_more_than_its_history(tmp_path: Path) -> None:
    first = create(metadata={"large": "x" * 1_200_000})
    with Ledger.open(tmp_path) as ledger:
        ledger.submit(first)
        grow(ledger, first, 4 * EVERY)
        assert state_of(ledger, first["id"])["n"] == 4 * EVERY
        assert len(ledger.stretches(first["id"])) == 5
    with closing(sqlite3.connect(tmp_path / "index.db")) as connection:
        rows = connection.execute("SELECT seq FROM snapshot WHERE document <> ''").fetchall()
    assert rows == [(3 * EVERY,)]


def test_a_replay_that_may_not_read_all_comes_further_each_time(tmp_path: Path) -> None:
    first = create(metadata={"z": 1})
    with Ledger.open(tmp_path) as ledger:
        ledger.submit(first)
        grow(ledger, first, 10)
        assert ledger.replay(first["id"], most=1_000) is None
        whole = ledger.replay(first["id"])
        again = ledger.replay(first["id"], most=1_000_000)
        assert whole is not None
        assert again is not None
        assert again.common == whole.common
        grow(ledger, first, 3 * EVERY)
        size = sum(map(len, ledger.bodies(first["id"])))
        most = size // 2
        tries = 1
        while (made := ledger.replay(first["id"], most=most)) is None:
            tries += 1
            assert tries < 5
        assert tries > 1
        assert made.common["n"] == 3 * EVERY
        assert ledger.replay("0" * 64, most=1) is None
        assert ledger.replay(first["id"], 0, most=0) is not None

"""Histories of any shape: read backwards in pages they are the same as forwards."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.chains import ALICE
from twincli.book.store import Book
from twincli.client.embedded import EmbeddedClient
from twincli.crypto.ed25519 import KeyPair
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger, state
from twincli.model import owners, times, transaction
from twincli.model.transaction import Output, Spend, signers_of
from twincli.rules.replay import Replay, corrected_by
from twincli.services.asset import history
from twincli.services.asset.moments import Range, happened_ms
from twincli.services.workspace import Workspace

KEYS = [KeyPair.from_seed(bytes([number]) * 32) for number in range(1, 4)]
DETAILS = [
    owners.of_keys([KEYS[0].public_key]),
    owners.of_keys([KEYS[0].public_key, KEYS[1].public_key]),
    owners.of_keys([KEYS[2].public_key]),
]


BORN_MS = 1_900_000_000_000
MOMENTS = ["not a time", *(times.to_text(BORN_MS + 1000 * number) for number in range(-1, 16))]
NESTED = st.fixed_dictionaries(
    {},
    optional={
        "x": st.sampled_from([0, 1, 1.0, True, None, [1], [True]]),
        "y": st.fixed_dictionaries({}, optional={"z": st.integers(0, 2), "w": st.integers(0, 2)}),
    },
)


class Clock:
    """Gives every block its own second."""

    def __init__(self) -> None:
        self.now = BORN_MS

    def __call__(self) -> int:
        self.now += 1000
        return self.now


@st.composite
def lives(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw the signed transactions of one asset: splits, merges, shared owners, corrections."""
    total = draw(st.integers(1, 6))
    first = transaction.sign(
        transaction.create([ALICE.public_key], [Output(DETAILS[0], total)], {"a": 1}, {"m": 0}),
        [ALICE],
    )
    txs = [first]
    unspent = [(first, 0)]
    for number in range(draw(st.integers(0, 9))):
        count = draw(st.integers(1, len(unspent)))
        taken, unspent = unspent[:count], unspent[count:]
        amount = sum(int(tx["outputs"][index]["amount"]) for tx, index in taken)
        parts = draw(st.integers(1, min(amount, 3)))
        outputs = [
            Output(draw(st.sampled_from(DETAILS)), amount - parts + 1 if part == 0 else 1)
            for part in range(parts)
        ]
        value: Any = draw(st.one_of(st.just(number), NESTED))
        metadata: dict[str, Any] = {draw(st.sampled_from("mno")): value}
        if draw(st.booleans()):
            metadata["twin"] = {"v": 1, "kind": "append", "at": draw(st.sampled_from(MOMENTS))}
            if draw(st.booleans()):
                metadata["twin"]["corrects"] = draw(st.sampled_from(txs))["id"]
        spends = [
            Spend(
                tx["id"],
                index,
                tx["outputs"][index]["condition"]["details"],
                tuple(tx["outputs"][index]["public_keys"]),
            )
            for tx, index in taken
        ]
        made = transaction.sign(transaction.transfer(spends, outputs, first["id"], metadata), KEYS)
        txs.append(made)
        unspent += [(made, index) for index in range(parts)]
    return txs


@given(lives(), st.integers(1, 4), st.integers(2, 4), st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_forwards_and_backwards_tell_the_same(
    txs: list[dict[str, Any]], page: int, every: int, low: int, high: int
) -> None:
    with Ledger.open(":memory:", clock=Clock()) as ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "PAGE", page)
        patch.setattr(state, "SHORT", 2)
        patch.setattr(state, "EVERY", every)
        for tx in txs:
            ledger.submit(tx)
        nowhere = "/nowhere-at-all"
        workspace = Workspace(EmbeddedClient(ledger), KeyStore(nowhere), Book(nowhere))
        asset_id = txs[0]["id"]
        born = ledger.created_ms

        def telling(
            since: int | None, until: int | None, *, by_block: bool = True
        ) -> history._Telling:
            return history._Telling(workspace, asset_id, Range(since, until, by_block))

        items = list(telling(None, None).forwards())
        assert list(telling(None, None).backwards()) == items[::-1]
        since, until = born + low * 1000, born + high * 1000
        some = [
            item
            for item, number in zip(items, range(1, len(items) + 1), strict=True)
            if low <= number < high
        ]
        assert list(telling(since, until).forwards()) == some
        assert list(telling(since, until).backwards()) == some[::-1]
        some = [
            item
            for item, entry in zip(items, ledger.entries(asset_id), strict=True)
            if since <= (happened_ms(entry) or 0) < until
        ]
        assert list(telling(since, until, by_block=False).forwards()) == some
        assert list(telling(since, until, by_block=False).backwards()) == some[::-1]
        check_against_replay(items, txs)


def check_against_replay(items: list[Any], txs: list[dict[str, Any]]) -> None:
    """Compare with the slow and plain way."""
    replay = Replay(corrected_by(txs))
    spenders = {
        (entry["fulfills"]["transaction_id"], entry["fulfills"]["output_index"]): tx["id"]
        for tx in txs[1:]
        for entry in tx["inputs"]
    }
    for item, tx in zip(items, txs, strict=True):
        step = replay.add(tx)
        assert item["id"] == tx["id"]
        assert item["signers"] == signers_of(tx)
        assert item["corrected"] == step.corrected
        assert {name: change["after"] for name, change in item["changes"].items()} == step.written
        assert [entry["spent_by"] for entry in item["outputs"]] == [
            spenders.get((tx["id"], index)) for index in range(len(tx["outputs"]))
        ]
        for name, change in item["changes"].items():
            assert change.get("before") == step.before.get(name)
            assert ("before" in change) == (name in step.before)

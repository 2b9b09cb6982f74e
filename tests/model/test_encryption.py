"""What the ledger says about epochs: written, read back, and read from strangers."""

from __future__ import annotations

from typing import Any

import pytest

from twincli.crypto import age, cid
from twincli.crypto.ed25519 import KeyPair
from twincli.model import did, encryption
from twincli.model.encryption import Epoch, Item, Sealed, Wrap

ANN, BEN = (KeyPair.from_seed(bytes([number]) * 32).public_key for number in (1, 2))
STREAM = "ab" * 32
TO = age.generate(lambda count: b"\5" * count).recipient
CIDS = [cid.of(bytes([number])).text for number in range(4)]
BEGUN = Epoch(0, TO, (Wrap(ANN, CIDS[0]),), 3)


def test_the_beginning_reads_back() -> None:
    told = encryption.member(BEGUN)
    assert told == {
        "epoch": 0,
        "recipient": TO,
        "wraps": [{"to": did.key_did(ANN), "cid": CIDS[0]}],
    }
    assert encryption.first(told, 3) == BEGUN
    assert encryption.is_stated({"encryption": told})
    assert not encryption.is_stated({})


@pytest.mark.parametrize(
    "value",
    [
        *(None, 5, [], {}, {"epoch": 1, "recipient": TO}, {"epoch": True, "recipient": TO}),
        *({"epoch": 0}, {"epoch": 0, "recipient": "AGE1"}, {"epoch": 0, "recipient": "age1\u00e9"}),
        {"epoch": 0, "recipient": "age1" + "q" * 300},
    ],
)
def test_a_malformed_beginning_is_none(value: Any) -> None:
    assert encryption.first(value) is None


def test_items_read_back() -> None:
    new = Item(STREAM, 1, TO, (Wrap(BEN, CIDS[1]),))
    more = Item(CIDS[2], 0, None, (Wrap(BEN, CIDS[1]),), (Sealed(CIDS[0], CIDS[3], 9),))
    body = {"epochs": [encryption.item("stream", new), encryption.item("file", more)]}
    assert [*encryption.items(body)] == [new, more]
    assert "recipient" not in body["epochs"][1]


def test_strange_items_say_nothing() -> None:
    good = encryption.item("stream", Item(STREAM, 1, TO))
    strange: tuple[Any, ...] = (
        *(None, 5, {}, [5], [{}], [{**good, "file": CIDS[0]}], [{**good, "stream": "x"}]),
        *([{**good, "stream": 5}], [{**good, "epoch": -1}], [{**good, "epoch": 10**9}]),
        *([{**good, "recipient": 5}], [{"file": "x", "epoch": 0}], [{"file": None, "epoch": 0}]),
    )
    for epochs in strange:
        assert [*encryption.items({"epochs": epochs})] == []
    odd = {
        **good,
        "wraps": [
            *(5, {"to": did.key_did(ANN)}, {"to": 5, "cid": CIDS[0]}, {"to": "x", "cid": CIDS[0]}),
            *(
                {"to": f"did:bdb:{STREAM}", "cid": CIDS[0]},
                {"to": did.key_did(ANN), "cid": CIDS[0]},
            ),
        ],
        "sealed": [
            *(5, {}, {"of": CIDS[0], "cid": CIDS[1], "size": 0}),
            {"of": CIDS[0], "cid": CIDS[1], "size": 7},
        ],
    }
    (found,) = encryption.items({"epochs": [odd]})
    assert found.wraps == (Wrap(ANN, CIDS[0]),)
    assert found.sealed == (Sealed(CIDS[0], CIDS[1], 7),)
    (none,) = encryption.items({"epochs": [{**good, "wraps": 5, "sealed": 5}]})
    assert none == Item(STREAM, 1, TO)
    many = {**good, "wraps": odd["wraps"][-1:] * 5000}
    (bounded,) = encryption.items({"epochs": [many]})
    assert len(bounded.wraps) == encryption.MAX_WRAPS


def test_epochs_follow_each_other() -> None:
    other = age.generate(lambda count: b"\6" * count).recipient
    told: list[tuple[Item, int | None]] = [
        (Item(STREAM, 0, None, (Wrap(BEN, CIDS[1]),)), 4),
        (Item(STREAM, 2, other), 5),  # there is no epoch 1 yet
        (Item(STREAM, 1, None, (Wrap(BEN, CIDS[2]),)), 5),
        (Item(STREAM, 1, other, (Wrap(ANN, CIDS[3]),)), 6),
        (Item(STREAM, 1, TO), 7),  # there is one already
        (Item(STREAM, 1, None, (Wrap(ANN, CIDS[2]),), (Sealed(CIDS[0], CIDS[1], 7),)), 8),
    ]
    found = encryption.history(BEGUN, told)
    assert found.epochs == (
        Epoch(0, TO, (Wrap(ANN, CIDS[0]), Wrap(BEN, CIDS[1])), 3),
        Epoch(1, other, (Wrap(ANN, CIDS[3]), Wrap(ANN, CIDS[2])), 6),
    )
    assert found.current.number == 1
    lates = [found.is_late(0, height) for height in (None, 6, 7)]
    assert lates == [True, False, True]
    assert not found.is_late(1, 9)
    assert not found.is_late(None, 9)
    assert found.current.wraps_of(ANN) == [Wrap(ANN, CIDS[2]), Wrap(ANN, CIDS[3])]
    assert found.current.wraps_of(BEN) == []
    assert found.sealed == {CIDS[0]: Sealed(CIDS[0], CIDS[1], 7)}

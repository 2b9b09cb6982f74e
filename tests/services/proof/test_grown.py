"""A proof that a ledger grew, without the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.ledger.chains import ALICE, create
from twincli.crypto import notes, tlog
from twincli.crypto.notes import Note
from twincli.errors import UsageError
from twincli.ledger import Ledger
from twincli.proof import checkpoints, proofs
from twincli.services.proof import grown
from twincli.services.proof.anchors import Anchors


class Handed(NamedTuple):
    """Two checkpoints, the proof between them, and the ledger's key."""

    first: Note
    last: Note
    data: bytes
    key: str


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Handed:
    with Ledger.open(tmp_path_factory.mktemp("grown") / "ledger") as ledger:
        ledger.submit_many([create(n) for n in range(3)])
        first = checkpoints.make(ledger)
        ledger.submit_many([create(n) for n in range(3, 8)])
        last = checkpoints.make(ledger)
        old = tlog.parse_checkpoint(first.text)
        data = proofs.growth(ledger, old.size, old.root, last).to_bytes()
        return Handed(first, last, data, ledger.public_key)


def test_what_is_told(handed: Handed) -> None:
    old = tlog.parse_checkpoint(handed.first.text)
    other = tlog.Checkpoint(old.origin, old.size, bytes(32)).text
    forked = Note(other, (notes.sign(other, old.origin, ALICE),)).to_bytes()
    first = handed.first.to_bytes()
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "undetermined"),
        ({"checkpoint": first}, "verified"),
        ({"root": old.root}, "verified"),
        ({"checkpoint": first, "root": old.root, "ledger_key": handed.key}, "verified"),
        ({"checkpoint": first, "root": bytes(32)}, "undetermined"),
        ({"checkpoint": first, "ledger_key": ALICE.public_key}, "failed"),
        ({"ledger_key": handed.key}, "undetermined"),
        ({"checkpoint": handed.last.to_bytes()}, "undetermined"),
        ({"checkpoint": forked}, "failed"),
        ({"root": bytes(32)}, "failed"),
        ({"checkpoint": first, "not_before_ms": 0}, "undetermined"),
        ({"checkpoint": first, "asset": "f" * 64}, "undetermined"),
        ({"checkpoint": first, "issuer": "did:key:z"}, "undetermined"),
    )
    for known, status in cases:
        assert grown.judge("g", handed.data, Anchors(**known)).status == status, known
    with pytest.raises(UsageError):
        grown.judge("g", handed.data, Anchors(checkpoint=b"nothing"))


def test_every_byte_counts(handed: Handed) -> None:
    known = Anchors(checkpoint=handed.first.to_bytes(), ledger_key=handed.key)
    for at in range(len(handed.data)):
        changed = handed.data[:at] + bytes([handed.data[at] ^ 1]) + handed.data[at + 1 :]
        assert grown.judge("g", changed, known).status in {"failed", "undetermined"}, at


def test_which_files_are_one(tmp_path: Path, handed: Handed) -> None:
    path = tmp_path / "grew"
    assert not grown.is_growth(str(path))
    path.write_bytes(handed.data)
    assert grown.is_growth(str(path))
    path.write_bytes(b"old")
    assert not grown.is_growth(str(path))
    assert grown.judge("g", b"old 3\n", Anchors()).status == "failed"

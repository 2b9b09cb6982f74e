"""A proof and a transaction suffice, and nothing but the right two do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ledger.chains import ALICE, BOB
from tests.services.proof import facts
from twincli.crypto import base58, notes, tlog
from twincli.errors import UsageError
from twincli.ledger import Ledger
from twincli.model import did
from twincli.proof import proofs
from twincli.services.proof import proven
from twincli.services.proof.anchors import NONE, Anchors

if TYPE_CHECKING:
    from pathlib import Path


class Proved:
    """A proof of the car's CREATE, and all that belongs to it."""

    def __init__(self, place: Path) -> None:
        made = facts.facts(place)
        ledger_at = place / "ledger"
        self.car = made.car
        self.checkpoint = facts.checkpoint(ledger_at)
        self.earlier = facts.checkpoint(ledger_at, 20)
        with Ledger.open(ledger_at, create=False) as ledger:
            self.key, self.root = ledger.public_key, ledger.tip().root
            note = notes.parse(self.checkpoint)
            self.body = str(ledger.body(made.car)).encode()
            self.second = str(ledger.last(made.car).tx["id"])  # type: ignore[union-attr]
            self.later = str(ledger.body(self.second)).encode()
            self.data = proofs.proof_of(ledger, made.car, note).to_bytes()
            self.of_second = proofs.proof_of(ledger, self.second, note).to_bytes()


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> Proved:
    return Proved(tmp_path_factory.mktemp("facts"))


def word(data: bytes, what: str | bytes, anchors: Anchors = NONE) -> str:
    return proven.judge("x", data, what, anchors).status


def test_what_proof_and_transaction_show(proved: Proved) -> None:
    assert word(proved.data, proved.car) == "consistent"
    assert word(proved.data, proved.body) == "consistent"
    assert word(proved.of_second, proved.later) == "consistent"
    for anchors in (
        Anchors(ledger_key=proved.key),
        Anchors(root=proved.root),
        Anchors(checkpoint=proved.checkpoint),
        Anchors(asset=proved.car),
        Anchors(issuer=did.key_did(ALICE.public_key)),
        Anchors(not_before_ms=1),
    ):
        assert word(proved.data, proved.body, anchors) == "verified", anchors


def test_what_does_not_fit(proved: Proved) -> None:
    assert word(proved.data, proved.second) == "failed"
    assert word(proved.data, proved.later) == "failed"
    assert word(proved.data, b"{") == "failed"
    assert word(proved.data, proved.body.replace(b'"vin":"1"', b'"vin":"2"')) == "failed"
    assert word(b"x", proved.car) == "failed"
    other = notes.Note("another/log\n1\n" + notes.base64_of(bytes(32)) + "\n", ())
    other = other.with_signatures([notes.sign(other.text, "another/log", BOB)])
    for anchors in (
        Anchors(ledger_key=BOB.public_key),
        Anchors(asset="0" * 64),
        Anchors(issuer=did.key_did(BOB.public_key)),
        Anchors(checkpoint=other.to_bytes()),
    ):
        assert word(proved.data, proved.body, anchors) == "failed", anchors


def test_what_could_not_be_told(proved: Proved) -> None:
    for what, anchors in (
        (proved.body, Anchors(checkpoint=proved.earlier)),
        (proved.body, Anchors(root=bytes(32))),
        (proved.body, Anchors(not_before_ms=2**45)),
        (proved.car, Anchors(asset=proved.car)),
        (proved.car, Anchors(issuer=did.key_did(ALICE.public_key))),
    ):
        assert word(proved.data, what, anchors) == "undetermined", anchors
    later = Anchors(issuer=did.key_did(ALICE.public_key))
    assert word(proved.of_second, proved.later, later) == "undetermined"


def test_signatures_and_roots_that_were_altered(proved: Proved) -> None:
    proof = tlog.parse_proof(proved.data)
    origin = proof.checkpoint.origin
    signature = notes.sign("other\n", origin, BOB)
    key = notes.VerifierKey(origin, notes.ED25519, base58.decode_key(proved.key))
    wrong = signature._replace(key_id=key.id)
    forged = proof._replace(note=proof.note._replace(signatures=(wrong,))).to_bytes()
    assert word(forged, proved.body, Anchors(ledger_key=proved.key)) == "failed"
    text = proof.note.text.replace(origin, origin, 1)
    lines = text.split("\n")
    lines[2] = notes.base64_of(bytes(32))
    note = notes.Note("\n".join(lines), ())
    note = note.with_signatures([notes.sign(note.text, origin, BOB)])
    moved = proof._replace(note=note).to_bytes()
    assert word(moved, proved.body) == "failed"
    kept = Anchors(checkpoint=proved.checkpoint)
    assert word(moved, proved.body, kept) == "failed"


def test_the_transaction_has_to_be_named(proved: Proved) -> None:
    with pytest.raises(UsageError):
        word(proved.data, "car")
    with pytest.raises(UsageError):
        word(proved.data, proved.car, Anchors(checkpoint=b"x"))

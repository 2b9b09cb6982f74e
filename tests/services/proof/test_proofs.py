"""Checkpoints and proofs of a ledger, and what they say when somebody altered it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.ledger.chains import ALICE, chain, create
from twincli.crypto import ed25519, notes, tlog
from twincli.crypto.notes import Note, VerifierKey
from twincli.errors import ConfigError, ConflictError, InvalidError, NotFoundError, NotVerifiedError
from twincli.ledger import Ledger
from twincli.ledger.files import locate
from twincli.proof import checkpoints, proofs
from twincli.services.proof import log

WITNESS = ed25519.KeyPair.from_seed(bytes(32))


class Kept(NamedTuple):
    ledger: Ledger
    ids: list[str]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    txs = [*chain(3), create(4), create(5)]
    with Ledger.open(tmp_path / "ledger") as ledger:
        for tx in txs:
            ledger.submit(tx)
        yield Kept(ledger, [tx["id"] for tx in txs])


def key_of(ledger: Ledger) -> VerifierKey:
    return checkpoints.key_of(ledger.id, ledger.public_key)


def test_a_checkpoint_is_signed_by_the_key_of_the_ledger(kept: Kept) -> None:
    document = log.checkpoint(kept.ledger)
    note, found = checkpoints.read(document["note"].encode())
    assert found == (f"twincli/{kept.ledger.id}", 5, kept.ledger.tip().root, ())
    key = notes.parse_key(document["key"])
    assert key == key_of(kept.ledger)
    assert [entry.key for entry in notes.verify(note, [key])] == [key]
    assert document["size"] == 5
    assert document["signatures"] == [{"name": key.name, "key_id": key.id.hex()}]


def test_an_empty_ledger_has_one_too(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger") as ledger:
        assert log.checkpoint(ledger)["size"] == 0
        assert log.growth(ledger, checkpoints.make(ledger))["path"] == []


def test_no_key_no_checkpoint(kept: Kept) -> None:
    Path(locate(kept.ledger.path).key).unlink()
    with pytest.raises(ConfigError) as caught:
        checkpoints.make(kept.ledger)
    assert caught.value.code == "damaged_key"
    with Ledger.open(":memory:") as memory, pytest.raises(ConfigError):
        checkpoints.make(memory)


def test_a_proof_and_a_transaction_suffice(kept: Kept) -> None:
    for index, tx_id in enumerate(kept.ids):
        document = log.prove(kept.ledger, tx_id)
        proof = tlog.parse_proof(document["proof"].encode())
        proven = proofs.check(proof, bytes.fromhex(tx_id), [key_of(kept.ledger)])
        assert (proven.leaf, proven.height, proven.checkpoint.size) == (index, index + 1, 5)
        assert [entry.key for entry in proven.signatures] == [key_of(kept.ledger)]
        assert document["asset_id"] == kept.ids[0 if index < 3 else index]
        with pytest.raises(NotVerifiedError) as caught:
            proofs.check(proof, bytes.fromhex(kept.ids[index - 1]), [])
        assert caught.value.code == "not_in_tree"


def test_who_signed_is_for_the_caller_to_judge(kept: Kept) -> None:
    proof = tlog.parse_proof(log.prove(kept.ledger, kept.ids[0])["proof"].encode())
    tx_id = bytes.fromhex(kept.ids[0])
    assert proofs.check(proof, tx_id, []).signatures == []
    stranger = checkpoints.key_of(kept.ledger.id, ALICE.public_key)
    assert proofs.check(proof, tx_id, [stranger]).signatures == []
    text = proof.note.text
    broken = proof.note.signatures[0]._replace(data=bytes(64))
    with pytest.raises(NotVerifiedError) as caught:
        proofs.check(proof._replace(note=Note(text, (broken,))), tx_id, [key_of(kept.ledger)])
    assert caught.value.code == "bad_note_signature"
    with pytest.raises(InvalidError, match="height and time"):
        proofs.check(proof._replace(extra=b""), tx_id, [])


def test_a_proof_against_an_earlier_checkpoint(kept: Kept) -> None:
    earlier = checkpoints.make(kept.ledger)
    cosigned = earlier.with_signatures([notes.cosign(earlier.text, "w", WITNESS, 1)])
    later = create(6)
    kept.ledger.submit(later)
    document = log.prove(kept.ledger, kept.ids[2], cosigned)
    assert (document["size"], len(document["signatures"])) == (5, 2)
    assert cosigned.to_bytes().decode() in document["proof"]
    with pytest.raises(NotFoundError, match="later than the checkpoint"):
        log.prove(kept.ledger, later["id"], cosigned)
    with pytest.raises(NotFoundError):
        log.prove(kept.ledger, "f" * 64)


def test_growth(kept: Kept) -> None:
    earlier = checkpoints.make(kept.ledger)
    kept.ledger.submit_many([create(n) for n in range(6, 9)])
    document = log.growth(kept.ledger, earlier)
    found = tlog.parse_submission(document["proof"].encode())
    assert found.is_consistent(tlog.parse_checkpoint(earlier.text).root)
    assert (document["from_size"], document["size"]) == (5, 8)
    assert [bytes.fromhex(part) for part in document["path"]] == list(found.path)
    unknown = proofs.growth(kept.ledger, 3, None, checkpoints.make(kept.ledger))
    assert len(unknown.path) > 0


def forged(kept: Kept, size: int, root: bytes, origin: str | None = None) -> Note:
    origin = origin or f"twincli/{kept.ledger.id}"
    signer = checkpoints.signer_of(kept.ledger)
    return checkpoints.signed(tlog.Checkpoint(origin, size, root), signer)


def test_a_ledger_that_was_forked_or_rolled_back(kept: Kept) -> None:
    root = kept.ledger.tip().root
    faults = {
        "forked_log": (forged(kept, 5, bytes(32)), forged(kept, 4, root)),
        "rolled_back": (forged(kept, 6, root), forged(kept, (1 << 63) - 1, root)),
    }
    for code, checkpoint in ((code, note) for code, held in faults.items() for note in held):
        for ask in (
            lambda note: log.growth(kept.ledger, note),
            lambda note: log.prove(kept.ledger, kept.ids[0], note),
        ):
            with pytest.raises(NotVerifiedError) as caught:
                ask(checkpoint)
            assert caught.value.code == code
    with pytest.raises(NotVerifiedError) as caught:
        proofs.growth(kept.ledger, 3, bytes(32), checkpoints.make(kept.ledger))
    assert caught.value.code == "forked_log"
    with pytest.raises(NotVerifiedError) as caught:
        proofs.growth(kept.ledger, 6, None, checkpoints.make(kept.ledger))
    assert caught.value.code == "rolled_back"


def test_a_checkpoint_of_another_ledger(kept: Kept) -> None:
    other = forged(kept, 5, kept.ledger.tip().root, "twincli/" + "0" * 64)
    with pytest.raises(ConflictError) as caught:
        log.growth(kept.ledger, other)
    assert caught.value.code == "other_ledger"


def test_cosignatures_are_kept_until_the_ledger_grows(kept: Kept) -> None:
    made = checkpoints.make(kept.ledger)
    assert checkpoints.cosigned(kept.ledger) is None
    note = made.with_signatures([notes.cosign(made.text, "w", WITNESS, 1)])
    checkpoints.keep(kept.ledger, note)
    assert checkpoints.newest(kept.ledger) == note
    assert len(log.prove(kept.ledger, kept.ids[0])["signatures"]) == 2
    kept.ledger.submit(create(6))
    assert len(checkpoints.newest(kept.ledger).signatures) == 1
    assert checkpoints.cosigned(kept.ledger) == note


@pytest.mark.parametrize("data", [b"", b"nothing", b"log\n1\nroot\n\n\xe2\x80\x94 k AAAAAAA=\n"])
def test_a_kept_checkpoint_that_is_damaged_is_passed_over(kept: Kept, data: bytes) -> None:
    Path(locate(kept.ledger.path).checkpoint).write_bytes(data)
    assert checkpoints.cosigned(kept.ledger) is None
    Path(locate(kept.ledger.path).checkpoint).write_bytes(
        forged(kept, 1, bytes(32), "x").to_bytes()
    )
    assert checkpoints.cosigned(kept.ledger) is None


def test_memory_keeps_none() -> None:
    with Ledger.open(":memory:") as ledger:
        checkpoints.keep(ledger, Note("x\n", ()))
        assert checkpoints.cosigned(ledger) is None

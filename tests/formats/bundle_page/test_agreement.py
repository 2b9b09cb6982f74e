"""Python and the page judge the same bundles alike, whatever was done to them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.formats.bundle_page.conftest import Ask
from tests.formats.bundle_page.making import LEDGER_KEY, made, placed
from twincli.crypto.ed25519 import KeyPair
from twincli.formats import pages
from twincli.model import did, record, times, transaction
from twincli.model.owners import of_keys
from twincli.services.proof.verify import verify_file

ALICE, BOB, EVE = (KeyPair.from_seed(bytes([number]) * 32) for number in (1, 2, 3))


def _bundle() -> bytes:
    """Return a twin with appends, a grant, statements of two others, and a file left out."""
    output = transaction.Output(of_keys([ALICE.public_key]))
    facts = {"wheels": 4, "twin": record.envelope("asset", name="car")}
    create = transaction.create([ALICE.public_key], [output], facts)
    txs = [transaction.sign(create, [ALICE])]
    twin = txs[0]["id"]

    def said(kind: str, body: dict[str, object] | None = None, **values: object) -> None:
        envelope = record.envelope(kind, at=times.to_text(1_700_000_000_000), body=body)
        spend = transaction.Spend.of(own[-1])
        made_ = transaction.transfer([spend], [output], twin, {**values, "twin": envelope})
        own.append(transaction.sign(made_, [ALICE]))
        txs.append(own[-1])

    def stated(by: KeyPair) -> None:
        envelope = record.envelope(
            "statement", about=twin, says="event", body={"type": "refuelled"}, nonce=by.public_key
        )
        of = transaction.Output(of_keys([by.public_key]))
        tx = transaction.create([by.public_key], [of], {"twin": envelope})
        txs.append(transaction.sign(tx, [by]))

    own = [txs[0]]
    said("append", mileage=1200, share=0.1)
    said("grant", {"to": [did.key_did(BOB.public_key)], "role": "writer"})
    stated(BOB)
    stated(EVE)
    said("append", mileage=1250)
    return made(placed(txs), page=pages.page())


def _changed(data: bytes, random: Random) -> bytes:
    """Return a bundle with something done to it; mostly where there is no page, which is long."""
    page = data.find(b"index.html", data.find(b"PK\3\4", 4))
    end = data.find(b"proofs.jsonl", page + 10)
    at = random.randrange(len(data))
    while page < at < end and random.random() < 0.9:
        at = random.randrange(len(data))
    changes = (
        lambda: data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :],
        lambda: data[:at] + data[at + random.randrange(1, 100) :],
        lambda: data[:at] + data[max(0, at - 50) : at] + data[at:],
        lambda: data[:at],
        lambda: data + bytes(random.randrange(1, 9)),
    )
    return random.choices(changes, (8, 1, 1, 1, 1))[0]()


def _agree(ask: Ask, path: Path, data: bytes) -> str:
    path.write_bytes(data)
    mine = verify_file(str(path))["status"]
    theirs = ask("judge", path=str(path), anchors={}, pages=sorted(pages.known()))
    assert theirs["status"] == mine, theirs["first"]
    return str(mine)


def _many(ask: Ask, path: Path, count: int) -> None:
    data, random = _bundle(), Random(14)
    assert _agree(ask, path, data) == "consistent"
    found = {_agree(ask, path, _changed(data, random)) for _ in range(count)}
    assert found == {"failed"}


def test_a_hundred_changed_bundles(ask: Ask, tmp_path: Path) -> None:
    _many(ask, tmp_path / "car.twin", 100)


@pytest.mark.ci
def test_a_thousand_changed_bundles(ask: Ask, tmp_path: Path) -> None:
    _many(ask, tmp_path / "car.twin", 1000)


def test_an_anchor_decides(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "car.twin"
    path.write_bytes(_bundle())
    for anchors, status in (
        ({"issuer": did.key_did(ALICE.public_key)}, "verified"),
        ({"issuer": BOB.public_key}, "failed"),
        ({"ledgerKey": LEDGER_KEY.public_key}, "verified"),
        ({"asset": "ab" * 32}, "failed"),
        ({"root": "ab" * 32}, "undetermined"),
    ):
        known = sorted(pages.known())
        assert ask("judge", path=str(path), anchors=anchors, pages=known)["status"] == status

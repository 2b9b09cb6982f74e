"""A bundle of which a byte was changed, cut out or put in is never taken for the truth."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.ledger.chains import ALICE
from tests.services.proof import facts
from twincli.book.store import Book
from twincli.client.embedded import EmbeddedClient
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger
from twincli.model import did
from twincli.services.bundle.export import export
from twincli.services.proof.anchors import NONE, Anchors
from twincli.services.proof.verify import verify_file
from twincli.services.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

FLIPS = 1000


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    made = facts.facts(tmp_path_factory.mktemp("facts"))
    pieces: list[bytes] = []
    with Ledger.open(made.place / "ledger", create=False) as ledger:
        keys, book = KeyStore(str(made.place / "keys")), Book(str(made.place / "book.db"))
        workspace = Workspace(EmbeddedClient(ledger), keys, book)
        export(workspace, made.blobs, made.car, "car.twin", write=pieces.append)
    return b"".join(pieces)


def word(path: Path, data: bytes, anchors: Anchors = NONE) -> str:
    path.write_bytes(data)
    document = verify_file(str(path), anchors=anchors)
    if document["status"] == "failed":
        assert document["problem"] is not None
        assert document["problem"]["where"]
    return document["status"]


def test_the_bundle_of_a_twin_is_consistent(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "car.twin"
    assert word(path, whole) == "consistent"
    assert word(path, whole, Anchors(issuer=did.key_did(ALICE.public_key))) == "verified"


def _flip(whole: bytes, path: Path, count: int) -> None:
    rng = random.Random(7)
    for _ in range(count):
        at = rng.randrange(len(whole))
        bits = rng.randrange(1, 256)
        data = whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :]
        assert word(path, data) == "failed", (at, bits)


def test_flipped_bytes(whole: bytes, tmp_path: Path) -> None:
    _flip(whole, tmp_path / "car.twin", 60)


@pytest.mark.ci
def test_a_thousand_flipped_bytes(whole: bytes, tmp_path: Path) -> None:
    _flip(whole, tmp_path / "car.twin", FLIPS)


def test_bytes_are_cut_out_put_in_and_moved(whole: bytes, tmp_path: Path) -> None:
    path, rng = tmp_path / "car.twin", random.Random(8)
    at, other = sorted(rng.sample(range(100, len(whole) - 100), 2))
    for data in (
        whole[:-1],
        whole + b"\0",
        b"\0" + whole,
        whole[: len(whole) // 2],
        whole[:at] + whole[at + 1 :],
        whole[:at] + b"\0" + whole[at:],
        whole[:at] + whole[other:],
        whole[:at] + whole[at:other] * 2 + whole[other:],
        whole + whole,
    ):
        assert word(path, data) == "failed"

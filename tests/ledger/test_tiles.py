"""The stored hashes of a tree: made when asked, believed only where they lead to a root."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.chains import create
from twincli.crypto import merkle
from twincli.errors import ConfigError, InvalidError, TwinError
from twincli.ledger import Ledger, tiles
from twincli.proof import proofs

SIZE = 1500
LARGE = 66_000
"""Enough for three levels."""
TIME = 1_700_000_000_000
BLOCK = 700
"""Transactions of a block."""


@pytest.fixture(scope="module")
def hashes() -> list[bytes]:
    return [
        merkle.leaf_hash(merkle.ledger_leaf(1 + n // BLOCK, TIME + n // BLOCK, _id(n)))
        for n in range(LARGE)
    ]


def _id(number: int) -> bytes:
    return merkle.leaf_hash(b"%d" % number)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, hashes: list[bytes]) -> Path:
    return made(tmp_path_factory.mktemp("small") / "ledger", hashes[:SIZE])


def made(place: Path, hashes: list[bytes]) -> Path:
    """Make a ledger of many transactions, of which only the ids are real."""
    Ledger.open(place, clock=lambda: TIME).close()
    tree = merkle.CompactRange()
    blocks, txs = [], []
    for number, hashed in enumerate(hashes):
        tree.append(hashed)
        height = 1 + number // BLOCK
        txs.append((number + 1, _id(number), number + 1, height, "{}"))
        if (number + 1) % BLOCK == 0 or number + 1 == len(hashes):
            time_ms = TIME + number // BLOCK
            blocks.append((height, time_ms, number + 1, bytes(32), tree.root()))
    with closing(sqlite3.connect(place / "ledger.db")) as connection:
        connection.executemany("INSERT INTO tx VALUES (?, ?, ?, ?, ?)", txs)
        connection.executemany("INSERT INTO block VALUES (?, ?, ?, ?, ?)", blocks)
        connection.execute("UPDATE tree SET state = ?, height = ?", (tree.to_bytes(), height))
        connection.commit()
    return place


@pytest.fixture
def ledger(place: Path) -> Iterator[Ledger]:
    with Ledger.open(place) as ledger:
        tiles.forget(ledger)
        yield ledger


LEAVES = (0, 255, 256, SIZE - 1, 65_535, 65_536, LARGE - 1)


def stored(ledger: Ledger) -> dict[tuple[int, int], bytes]:
    rows = ledger.plain_index.fetched("SELECT level, number, hashes FROM tile")
    return {(level, number): data for level, number, data in rows}


def paths(ledger: Ledger, size: int, hashes: list[bytes]) -> list[list[bytes]]:
    leaves = [leaf for leaf in LEAVES if leaf < size]
    root = merkle.root_of(hashes[:size])
    found = list(tiles.inclusion_paths(ledger, leaves, size, root))
    for leaf, path in zip(leaves, found, strict=True):
        assert merkle.verify_inclusion(hashes[leaf], leaf, size, path, root)
    return found


def test_tiles_of_three_levels(tmp_path: Path, hashes: list[bytes]) -> None:
    with Ledger.open(made(tmp_path / "ledger", hashes)) as ledger:
        assert paths(ledger, LARGE, hashes)
        kept = stored(ledger)
    assert len(kept) == LARGE // 256 + 2 + 1
    assert kept[0, 3] == b"".join(hashes[768:1024])
    assert kept[1, 1] == merkle.root_of(hashes[65_536:65_792])
    assert kept[2, 0] == merkle.root_of(hashes[:65_536])


def test_they_grow_with_what_is_asked(ledger: Ledger, hashes: list[bytes]) -> None:
    for size in (1, 255, 256, 1000, 1280):
        paths(ledger, size, hashes)
        assert sum(level == 0 for level, _ in stored(ledger)) == size // 256
    for size in (1, 256, 1281, SIZE):
        assert tiles.root_at(ledger, size) == merkle.root_of(hashes[:size])


@pytest.mark.parametrize("old", [0, 1, 255, 256, 1280, SIZE])
def test_growth(ledger: Ledger, hashes: list[bytes], old: int) -> None:
    old_root, root = merkle.root_of(hashes[:old]), ledger.tip().root
    path = tiles.consistency_path(ledger, old, old_root, SIZE, root)
    assert path is not None
    assert merkle.verify_consistency(old, SIZE, path, old_root, root)
    other = tiles.consistency_path(ledger, old, bytes(32), SIZE, root)
    assert other is None


ALTERED = (
    "UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND number = 1",
    "UPDATE tile SET hashes = zeroblob(100) WHERE level = 0 AND number = 0",
    "UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 1",
    "UPDATE tile SET hashes = 'text' WHERE level = 1",
    "DELETE FROM tile WHERE level = 1",
    "DELETE FROM tile WHERE level = 0 AND number = 0",
)


@pytest.mark.parametrize("altered", ALTERED)
def test_tiles_that_were_altered_are_made_again(
    ledger: Ledger, hashes: list[bytes], altered: str
) -> None:
    right = paths(ledger, SIZE, hashes)
    before = stored(ledger)
    assert tiles.count_altered(ledger) == 0
    ledger.plain_index.change(lambda run: run(altered))
    assert tiles.count_altered(ledger) > 0
    assert paths(ledger, SIZE, hashes) == right
    assert stored(ledger) == before


@pytest.mark.parametrize("altered", ALTERED)
def test_growth_over_altered_tiles(ledger: Ledger, hashes: list[bytes], altered: str) -> None:
    tiles.catch_up(ledger, SIZE // 256)
    ledger.plain_index.change(lambda run: run(altered))
    for old in (300, 1400):
        root = merkle.root_of(hashes[:old])
        assert tiles.root_at(ledger, old) == root
        assert tiles.consistency_path(ledger, old, root, SIZE, ledger.tip().root) is not None


def test_tiles_are_made_with_progress(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "BATCH", 2)
    told: list[tuple[int, int]] = []
    for _ in range(2):
        proofs.prepare(ledger, lambda done, whole: told.append((done, whole)))
    assert told == [(0, 5), (2, 5), (4, 5)]


def test_a_ledger_that_does_not_lead_to_its_root(ledger: Ledger, hashes: list[bytes]) -> None:
    for ask in (
        lambda: list(tiles.inclusion_paths(ledger, [3], SIZE, bytes(32))),
        lambda: tiles.consistency_path(ledger, 3, hashes[0], SIZE, bytes(32)),
        lambda: list(tiles.inclusion_paths(ledger, [SIZE], SIZE + 1, bytes(32))),
    ):
        with pytest.raises(ConfigError) as caught:
            ask()
        assert caught.value.code == "damaged_ledger"


def test_sizes_that_it_does_not_have(ledger: Ledger) -> None:
    for ask in (
        lambda: tiles.root_at(ledger, SIZE + 1),
        lambda: list(tiles.inclusion_paths(ledger, [SIZE - 1], 10, bytes(32))),
    ):
        with pytest.raises(InvalidError) as caught:
            ask()
        assert caught.value.code == "out_of_range"


def test_reading_alone_writes_nothing(place: Path, hashes: list[bytes]) -> None:
    with Ledger.open(place) as writable:
        tiles.forget(writable)
    before = {path.name: path.stat().st_size for path in place.iterdir()}
    with Ledger.open(place, read_only=True) as ledger:
        paths(ledger, 1000, hashes)
    assert {path.name: path.stat().st_size for path in place.iterdir()} == before


def test_making_them_can_be_interrupted(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "BATCH", 2)
    ledger.interrupt()
    with pytest.raises(TwinError) as caught:
        tiles.catch_up(ledger, SIZE // 256)
    assert caught.value.code == "interrupted"
    assert len(stored(ledger)) == tiles.BATCH + 1


def test_leaves_in_a_row(ledger: Ledger) -> None:
    data = tiles.entries(ledger, 5, 208)
    assert len(data) == 208 * 50
    assert data[:2] == (48).to_bytes(2)
    assert data[2:50] == merkle.ledger_leaf(1 + 1280 // BLOCK, TIME + 1280 // BLOCK, _id(1280))


def test_a_small_ledger_of_real_transactions(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger") as ledger:
        root = ledger.tip().root
        assert tiles.root_at(ledger, 0) == root
        assert tiles.consistency_path(ledger, 0, root, 0, root) == []
        txs = [create(n) for n in range(3)]
        ledger.submit_many(txs)
        tip = ledger.tip()
        (path,) = tiles.inclusion_paths(ledger, [1], 3, tip.root)
        assert len(path) == 2
        assert tiles.leaf_hash(ledger, 1) == merkle.leaf_hash(
            merkle.ledger_leaf(1, tip.time_ms, bytes.fromhex(txs[1]["id"]))
        )
        assert stored(ledger) == {}

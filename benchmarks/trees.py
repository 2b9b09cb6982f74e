"""The tree of a ledger: what it costs an append, its head, and proofs among a million.

    uv run python -m benchmarks.trees            1,000,000 leaves, about a minute
    uv run python -m benchmarks.trees --quick    10,000
    uv run python -m benchmarks.trees --write    keep the figures in RESULTS.md

The floor is the same number of bare SHA-256 in Python, in the same run.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Figure, arguments, report
from twincli.crypto import merkle, tiles
from twincli.crypto.digests import sha256
from twincli.ledger import Ledger
from twincli.ledger import tiles as stored

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = 1000
TIME = 1_700_000_000_000


def best(action: Callable[[], object], runs: int = 3) -> float:
    """Return the seconds of the fastest of several runs."""
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        found.append(time.perf_counter() - start)
    return min(found)


def hashing(count: int) -> None:
    data = b"\1" + bytes(64)
    for _ in range(count):
        sha256(data).digest()


def upkeep(ids: list[bytes]) -> None:
    """Do what a block of transactions adds to the tree."""
    tree = merkle.CompactRange()
    for number, tx_id in enumerate(ids):
        tree.append(merkle.leaf_hash(merkle.ledger_leaf(number, TIME, tx_id)))
    tree.root()


def fill(place: Path, ids: list[bytes]) -> None:
    """Make a ledger of transactions of which only the ids are real."""
    Ledger.open(place).close()
    tree = merkle.CompactRange()
    blocks, txs = [], []
    for number, tx_id in enumerate(ids):
        height = 1 + number // BLOCK
        tree.append(merkle.leaf_hash(merkle.ledger_leaf(height, TIME, tx_id)))
        txs.append((number + 1, tx_id, number + 1, height, "{}" + " " * 1000))
        if (number + 1) % BLOCK == 0 or number + 1 == len(ids):
            blocks.append((height, TIME, number + 1, bytes(32), tree.root()))
    with closing(sqlite3.connect(place / "ledger.db")) as connection:
        connection.executemany("INSERT INTO tx VALUES (?, ?, ?, ?, ?)", txs)
        connection.executemany("INSERT INTO block VALUES (?, ?, ?, ?, ?)", blocks)
        connection.execute("UPDATE tree SET state = ?, height = ?", (tree.to_bytes(), height))
        connection.commit()


def main() -> None:
    options = arguments(__doc__).parse_args()
    count = 10_000 if options.quick else 1_000_000
    ids = [sha256(b"%d" % number).digest() for number in range(count)]
    floor = best(lambda: hashing(count)) / count
    each = best(lambda: upkeep(ids)) / count
    figures = [
        Figure("tree upkeep of an append", each * 1e6, 3, "us", f"SHA-256: {floor * 1e6:.2f} us")
    ]
    leaves = [merkle.leaf_hash(tx_id) for tx_id in ids]
    head = best(lambda: merkle.root_of(leaves))
    name = f"head over {count:,} leaves"
    detail = f"{head / count / floor:.2f} x one SHA-256 a leaf"
    figures.append(Figure(name, head, 1.2, "s", detail))
    place = Path(tempfile.mkdtemp(prefix="twin-benchmark-"))
    try:
        fill(place / "ledger", ids)
        with Ledger.open(place / "ledger") as ledger:
            first = best(lambda: stored.catch_up(ledger, count // tiles.WIDTH), 1)
            tip = ledger.tip()
            some = range(0, count, count // 1000)

            def prove() -> None:
                for _ in stored.inclusion_paths(ledger, some, count, tip.root):
                    pass

            spread = best(prove) / len(some)
            one = best(lambda: list(stored.inclusion_paths(ledger, [count // 2], count, tip.root)))
            near = range(count // 2, count // 2 + 1000)
            beside = best(lambda: list(stored.inclusion_paths(ledger, near, count, tip.root)))
        detail = f"{first / count * 1e6:.1f} us each, once"
        figures.append(Figure(f"tiles of {count:,}", first, None, "s", detail))
        detail = f"{spread * 1000:.2f} ms each of 1,000 spread ones, {beside:.4f} ms side by side"
        figures.append(Figure(f"a proof among {count:,}", one * 1000, 50, "ms", detail))
    finally:
        shutil.rmtree(place)
    report(figures, write=options.write)


if __name__ == "__main__":
    main()

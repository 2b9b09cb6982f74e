"""Streams for tests of queries: chunks in a directory and readings, without a ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np

from twincli.content import chunks
from twincli.content.chunks import About
from twincli.content.copies import Copies
from twincli.content.store import Blobs
from twincli.model import batch as batches
from twincli.model import reading
from twincli.model.batch import Batch
from twincli.model.manifest import Entry
from twincli.model.reading import Observation
from twincli.services.query.feed import Feed
from twincli.services.query.pieces import Held, Piece
from twincli.services.stream.rollups import Rollups

MINUTE = 60_000_000
DAY = 86_400_000_000
START = 1_704_067_200_000_000
"""2024-01-01."""


def _closed(close: Callable[[], None]) -> None:
    """Close what nobody holds; another thread, whose turn collecting was, cannot."""
    with suppress(sqlite3.ProgrammingError):
        close()


class Place:
    """A directory with chunks."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.blobs = Blobs(str(directory / "content"))
        self.copies = Copies(self.blobs, str(directory / "copies"))
        finalize(self, _closed, self.copies.close)  # Python 3.13 reports what is never closed

    def feed(self, *, rollups: bool = True) -> Feed:
        kept = Rollups(str(self.directory / "rollups") if rollups else None)
        feed = Feed(self.blobs, self.copies, kept)
        finalize(feed, _closed, kept.close)
        return feed

    def chunk(self, batch: Batch, stream: str, *, ours: bool = True) -> list[Entry]:
        made = []
        with chunks.Writer() as writer:
            for part in chunks.cut(batches.order(batch).batch):
                path = self.directory / "chunk"
                rows = writer.write(part, About(stream, {}), str(path))
                with path.open("rb") as file:
                    stored = self.blobs.put(file)
                path.unlink()
                first, last = int(part.time[0]), int(part.time[-1])
                made.append(Entry(stored.cid, stored.size, rows, first, last))
        if ours:
            self.copies.wrote(made, stream)
        return made


def observed(time_us: int, source: str = "", seq: int = 0, **leaves: Any) -> Observation:
    quality = leaves.pop("quality", reading.GOOD)
    named = {name.replace("__", "."): value for name, value in leaves.items()}
    return Observation(named, time_us, source, seq, quality)


def gathered(rows: Sequence[Observation], stream: str) -> Batch:
    return batches.gather(rows, stream, {})


def held(name: str, parts: Sequence[Entry | Observation], at: int = 0) -> Held:
    """Return a stream that holds these, each in a transaction of its own."""
    pieces = []
    for order, part in enumerate(parts):
        tx = f"{order:064x}"
        recorded = (START + order * MINUTE) // 1000
        if isinstance(part, Entry):
            pieces.append(Piece(at, order, part.first_us, part.last_us, tx, recorded, part))
        else:
            assert part.time_us is not None
            pieces.append(Piece(at, order, part.time_us, part.time_us, tx, recorded, None, part))
    return Held(name, "a" * 64, tuple(pieces))


def random_stream(
    place: Place, seed: int, *, days: int = 2, rows: int = 3000, ours: bool = True
) -> Held:
    """Return a stream of chunks that overlap here and there, and of readings between them."""
    random = np.random.default_rng(seed)
    parts: list[Entry | Observation] = []
    for _ in range(3):
        times = START + np.sort(random.integers(0, days * DAY, rows))
        made = [
            observed(
                int(time),
                f"s{int(random.integers(2))}",
                v=float(random.normal()) * 10.0 ** int(random.integers(-8, 9)),
                n=int(random.integers(-1000, 1000)),
                quality="good" if random.random() > 0.02 else "odd",
            )
            for time in times
        ]
        cuts = int(random.integers(1, rows))
        parts += place.chunk(gathered(made[:cuts], "s"), "s", ours=ours)
        parts += [
            observed(int(START + time), "push", v=float(random.normal()), n=1)
            for time in random.integers(0, days * DAY, 20)
        ]
    return held("s", parts)

"""What streams hold, piece by piece: chunks and readings pushed one by one; and windows of them.

Pieces whose times overlap are read together, so that rows come in one order and a reading that was
anchored twice counts once. What overlaps nothing is read, or taken from its rollup, alone.
"""

from __future__ import annotations

from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twincli.model.manifest import Entry
    from twincli.model.reading import Observation
    from twincli.services.privacy.locks import Lock


class Piece(NamedTuple):
    """A chunk, or one observation that stands in a transaction.

    Attributes:
        stream: Which of the streams that are asked.
        order: Its place in the chain of its stream.
        first_us, last_us: The times of its first and its last reading.
        tx_id: The transaction that anchors it.
        recorded_ms: When that was committed, or None.
        entry: The chunk, or None.
        observation: What was pushed, or None.
        suspect: Which of its values a rule doubts.
        called: What the stream is called in the chunk: that of an older one, which it takes up.
        unsigned: Sources whose readings in the chunk do not count.
        lock: Of a chunk that is encrypted.
    """

    stream: int
    order: int
    first_us: int
    last_us: int
    tx_id: str
    recorded_ms: int | None
    entry: Entry | None = None
    observation: Observation | None = None
    suspect: tuple[str, ...] = ()
    called: str | None = None
    unsigned: frozenset[str] = frozenset()
    lock: Lock | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is a chunk of which all counts, under the names that it has there."""
        return self.entry is not None and self.called is None and not self.unsigned


class Held(NamedTuple):
    """A stream and what it holds.

    Attributes:
        name: Its name.
        asset_id: Its asset.
        pieces: In the order of its chain.
    """

    name: str
    asset_id: str
    pieces: tuple[Piece, ...]


def in_range(pieces: Iterable[Piece], since_us: int | None, until_us: int | None) -> list[Piece]:
    """Return the pieces that may have readings in a range."""
    return [
        piece
        for piece in pieces
        if (since_us is None or piece.last_us >= since_us)
        and (until_us is None or piece.first_us < until_us)
    ]


def windows(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Return pieces in parts that follow each other in time; no two parts have a time in common.

    Readings that were pushed one after the other are one part.
    """
    found: list[list[Piece]] = []
    end = 0
    has_chunk = False
    for piece in sorted(pieces, key=lambda each: (each.first_us, each.last_us)):
        is_chunk = piece.entry is not None
        if found and (piece.first_us <= end or not (has_chunk or is_chunk)):
            found[-1].append(piece)
            end = max(end, piece.last_us)
            has_chunk |= is_chunk
        else:
            found.append([piece])
            end, has_chunk = piece.last_us, is_chunk
    return found


def anchored(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Return pieces in the order of the ledger, those of one transaction together."""
    found: dict[str, list[Piece]] = {}
    ordered = sorted(
        pieces, key=lambda each: (each.recorded_ms is None, each.recorded_ms or 0, each.order)
    )
    for piece in ordered:
        found.setdefault(piece.tx_id, []).append(piece)
    return list(found.values())


def span_of(pieces: Sequence[Piece]) -> tuple[int, int] | None:
    """Return the times of the first and the last reading, or None."""
    if not pieces:
        return None
    return min(piece.first_us for piece in pieces), max(piece.last_us for piece in pieces)

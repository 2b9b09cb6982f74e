"""Observations of a window of time as one wide table: those of chunks and those pushed singly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError
from twincli.model import batch as batches
from twincli.model import reading
from twincli.model.batch import Batch, Column, Labels, load_numpy
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from twincli.content.chunks import Chunk, Series
    from twincli.model.batch import Array
    from twincli.model.reading import Observation
    from twincli.services.query.feed import Feed
    from twincli.services.query.pieces import Piece

QUALITY = "quality"
"""A column of this name says what is doubted; no value of a reading can have it."""


class Wanted(NamedTuple):
    """What is wanted of a stream.

    Attributes:
        stream: Its name.
        kinds: The series that are wanted, by path, with their kinds.
        since_us, until_us: The range.
        suspect: Whether suspect readings count.
    """

    stream: str
    kinds: Mapping[str, str]
    since_us: int | None
    until_us: int | None
    suspect: bool


class Table(NamedTuple):
    """Observations in order.

    Attributes:
        batch: Them; columns are named by stream and path.
        conflicts: Readings that are there with another value, too, and are left out.
    """

    batch: Batch
    conflicts: int


def table(feed: Feed, pieces: Sequence[Piece], wanted: Wanted) -> Table:
    """Return what pieces of one stream hold.

    Of a reading that is there twice the one that was anchored first stays.
    """
    parts: list[Batch] = []
    pushed: list[Piece] = []
    for piece in sorted(pieces, key=lambda each: each.order):
        if piece.entry is None:
            pushed.append(piece)
            continue
        parts += _gathered(pushed, wanted)
        pushed = []
        called = piece.called or wanted.stream
        chunk = feed.chunk(
            piece.entry,
            called,
            names=[f"{called}.{path}" for path in wanted.kinds],
            since_us=wanted.since_us,
            until_us=wanted.until_us,
        )
        found = _of_chunk(chunk, wanted)
        if found is not None and piece.unsigned:
            found = _signed(found, piece.unsigned)
        if found is not None:
            parts.append(found)
    parts += _gathered(pushed, wanted)
    if not parts:
        return Table(_empty(), 0)
    whole = parts[0]
    for part in parts[1:]:
        whole = batches.join(whole, part)
    ordered = batches.order(whole)
    return Table(ordered.batch, len(ordered.conflicts))


def _empty() -> Batch:
    np = load_numpy()
    none = np.zeros(0, dtype=np.int64)
    return Batch(none, Labels((), none), none, Labels((), none), ())


# --- Pushed singly -------------------------------------------------------------------------------


def _gathered(pieces: Sequence[Piece], wanted: Wanted) -> list[Batch]:
    found = [_kept(piece, wanted) for piece in pieces]
    kept = [observation for observation in found if observation is not None and observation.leaves]
    if not kept:
        return []
    return [batches.gather(kept, wanted.stream, {**wanted.kinds, QUALITY: "text"})]


def _kept(piece: Piece, wanted: Wanted) -> Observation | None:
    """Return what is wanted of an observation, None where it is out of range."""
    observation = piece.observation
    assert observation is not None
    if wanted.since_us is not None and piece.first_us < wanted.since_us:
        return None
    if wanted.until_us is not None and piece.first_us >= wanted.until_us:
        return None
    is_good = reading.is_good(observation.quality)
    if not wanted.suspect and not is_good:
        return None
    leaves = {
        path: value
        for path, value in observation.leaves.items()
        if path in wanted.kinds and (wanted.suspect or path not in piece.suspect)
    }
    if leaves and not is_good:
        leaves[QUALITY] = observation.quality
    elif leaves.keys() & set(piece.suspect):
        leaves[QUALITY] = reading.SUSPECT
    return observation._replace(leaves=leaves)


# --- Of chunks -----------------------------------------------------------------------------------


def _of_chunk(chunk: Chunk, wanted: Wanted) -> Batch | None:
    """Return the observations of a chunk, not in order."""
    np = load_numpy()
    parts: list[Batch] = []
    for read in chunk.series:
        series, suspect = read, read.suspect
        doubted = None
        if suspect.any():
            if wanted.suspect:
                doubted = suspect
            else:
                series = _rows(read, ~suspect)
                if len(series.time) == 0:
                    continue
        columns = [_column(series, wanted)]
        if doubted is not None:
            words = np.array(series.quality.names, dtype=object)[series.quality.codes]
            columns.append(Column(f"{wanted.stream}.{QUALITY}", "text", words, doubted))
        part = Batch(
            series.time,
            series.source,
            series.seq,
            batches.same_label(reading.GOOD, len(series.time)),
            tuple(columns),
        )
        if parts and doubted is None and _are_same(parts[0], part):
            parts[0] = parts[0]._replace(columns=(*parts[0].columns, *part.columns))
        else:
            parts.append(part)
    if not parts:
        return None
    whole = parts[0]
    for part in parts[1:]:
        whole = batches.join(whole, part)
    return whole


def _rows(series: Series, rows: Array) -> Series:
    return series._replace(
        time=series.time[rows],
        values=series.values[rows],
        quality=series.quality._replace(codes=series.quality.codes[rows]),
        source=series.source._replace(codes=series.source.codes[rows]),
        seq=series.seq[rows],
    )


def _column(series: Series, wanted: Wanted) -> Column:
    path = series.name.partition(".")[2]
    kind, values = wanted.kinds[path], series.values
    if kind == "f64" and series.kind == "i64":
        values = values.astype("float64")
    return Column(f"{wanted.stream}.{path}", kind, values)


def _signed(batch: Batch, unsigned: Collection[str]) -> Batch | None:
    """Return the observations whose source is not one of those."""
    np = load_numpy()
    counts = np.array([name not in unsigned for name in batch.source.names], dtype=bool)
    kept = counts[batch.source.codes]
    return batches.select(batch, kept) if kept.any() else None


def _are_same(first: Batch, second: Batch) -> bool:
    """Say whether these are readings of the same observations."""
    np = load_numpy()
    return (
        first.source.names == second.source.names
        and np.array_equal(first.time, second.time)
        and np.array_equal(first.source.codes, second.source.codes)
        and np.array_equal(first.seq, second.seq)
    )


# --- Kinds ---------------------------------------------------------------------------------------


def kinds(feed: Feed, pieces: Iterable[Piece], stream: str) -> dict[str, set[str]]:
    """Return the kinds that each path of a stream has in pieces of it."""
    found: dict[str, set[str]] = {}
    for piece in pieces:
        if piece.entry is not None:
            for name, kind in feed.kinds(piece.entry, piece.called or stream).items():
                found.setdefault(name.partition(".")[2], set()).add(kind)
        elif piece.observation is not None:
            for path, value in piece.observation.leaves.items():
                found.setdefault(path, set()).add(reading.kind_of(value))
    return found


def one_kind(stream: str, path: str, found: Collection[str]) -> str:
    """Return the kind of a series; whole numbers among doubles are doubles.

    Raises:
        InvalidError: ``type_changed``: it has several that do not go together.
    """
    if len(found) == 1:
        (kind,) = found
        return kind
    if set(found) == {"f64", "i64"}:
        return "f64"
    words = {"f64": "numbers", "i64": "whole numbers", "bool": "true or false", "text": "texts"}
    raise InvalidError(
        f"{stream}.{path} holds {' and '.join(words.get(kind, 'lists') for kind in sorted(found))}",
        code="type_changed",
        hint="name the other fields with --fields",
    )


def values_of(column: Column) -> list[Any]:
    """Return the values of a column as Python has them, None where there is none."""
    import json

    values: list[Any] = column.values.tolist()
    if column.kind == "list":
        valid = column.valid
        return [
            json.loads(value) if valid is None or valid[row] else None
            for row, value in enumerate(values)
        ]
    if column.valid is None:
        return values
    return [
        value if there else None for value, there in zip(values, column.valid.tolist(), strict=True)
    ]

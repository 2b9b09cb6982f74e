"""Many observations as arrays: what imports make, chunks keep and queries read.

A batch is a wide table: one row an observation, one column a series. The functions need ``numpy``
(``pip install "twincli[data]"``) and import it when they are called.
"""

from __future__ import annotations

from twincli.errors import ConfigError, InvalidError
from twincli.model import reading
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twincli.model.reading import Observation

Array = Any
"""A numpy array."""


class Labels(NamedTuple):
    """Texts, one a row; each distinct text is kept once.

    Attributes:
        names: The texts.
        codes: For each row, which of them: int32.
    """

    names: tuple[str, ...]
    codes: Array


class Column(NamedTuple):
    """One series of a batch.

    Attributes:
        series: Its name: stream and path.
        kind: One of `reading.KINDS`.
        values: float64, int64, bool, or objects (text; of a list, its JSON).
        valid: Which rows have a value; None: all of them.
        suspect: Which values are suspect by a rule of the template; None: not one.
    """

    series: str
    kind: str
    values: Array
    valid: Array | None = None
    suspect: Array | None = None


class Batch(NamedTuple):
    """Observations.

    Attributes:
        time: Microseconds since the epoch: int64.
        source: Who or what read each.
        seq: int64.
        quality: Of each observation.
        columns: Its series.
    """

    time: Array
    source: Labels
    seq: Array
    quality: Labels
    columns: tuple[Column, ...]

    @property
    def readings(self) -> int:
        """How many values there are."""
        rows = len(self.time)
        return sum(
            rows if column.valid is None else int(column.valid.sum()) for column in self.columns
        )


class Conflict(NamedTuple):
    """A reading with another value than the one that has its identity already.

    Attributes:
        row: Which observation of the batch as it was given.
        series: The series.
        there: The value that stays.
        new: The value that is refused.
    """

    row: int
    series: str
    there: Any
    new: Any


class Ordered(NamedTuple):
    """A batch in the order of time, source and seq, each observation once.

    Attributes:
        batch: The observations.
        repeats: How many readings came again with the same value.
        conflicts: Those that came again with another value; the first one stays.
    """

    batch: Batch
    repeats: int
    conflicts: tuple[Conflict, ...]


def load_numpy() -> Any:
    """Return numpy.

    Raises:
        ConfigError: ``missing_extra``.
    """
    try:
        import numpy as np
    except ImportError as error:
        raise ConfigError(
            "queries and bulk readings need an extra package, numpy",
            code="missing_extra",
            hint='pip install "twincli[data]"',
        ) from error
    return np


def same_label(name: str, rows: int) -> Labels:
    """Return one text for all rows."""
    return Labels((name,), load_numpy().zeros(rows, dtype="int32"))


def labels(texts: Iterable[str]) -> Labels:
    """Return texts as labels."""
    known: dict[str, int] = {}
    codes = [known.setdefault(text, len(known)) for text in texts]
    return Labels(tuple(known), load_numpy().array(codes, dtype="int32"))


_TYPES = {"f64": "float64", "i64": "int64", "bool": "bool", "text": "object", "list": "object"}
_EMPTY = {"f64": 0.0, "i64": 0, "bool": False, "text": "", "list": ""}


def gather(observations: Sequence[Observation], stream: str, kinds: dict[str, str]) -> Batch:
    """Return observations as a batch.

    A series that is new in this batch is of doubles if one of its numbers is; what a series was
    before stays.

    Args:
        observations: With their times.
        stream: The stream they belong to.
        kinds: What each path of the stream holds so far; completed by what is new. Left as it was
            when a reading is refused.

    Raises:
        InvalidError: ``type_changed``, ``invalid_value``, with the number of the observation, from
            1.
    """
    np = load_numpy()
    fresh: dict[str, str] = {}
    found: dict[str, tuple[list[int], list[Any]]] = {}
    for row, observation in enumerate(observations):
        for path, leaf in observation.leaves.items():
            kind = kinds.get(path) or fresh.get(path)
            if path not in kinds and kind == "i64" and isinstance(leaf, float):
                kind = fresh[path] = "f64"
            try:
                value, kind = reading.settle(path, leaf, kind)
            except InvalidError as error:
                raise error.within(f"observation {row + 1}") from None
            if path not in kinds:
                fresh[path] = kind
            rows, values = found.setdefault(path, ([], []))
            rows.append(row)
            values.append(reading.list_text(path, value) if kind == "list" else value)
    count = len(observations)
    columns = []
    for path, (rows, given) in found.items():
        kind = kinds.get(path) or fresh[path]
        values = (
            [_as_double(path, value, row) for row, value in zip(rows, given, strict=True)]
            if kind == "f64"
            else given
        )
        made = np.full(count, _EMPTY[kind], dtype=_TYPES[kind])
        made[rows] = np.array(values, dtype=_TYPES[kind])
        valid = None
        if len(rows) < count:
            valid = np.zeros(count, dtype=bool)
            valid[rows] = True
        columns.append(Column(f"{stream}.{path}", kind, made, valid))
    kinds |= fresh
    return Batch(
        np.array([each.time_us for each in observations], dtype="int64"),
        labels(each.source for each in observations),
        np.array([each.seq for each in observations], dtype="int64"),
        labels(each.quality for each in observations),
        tuple(columns),
    )


def _as_double(path: str, value: Any, row: int) -> float:
    """Return a number of a series that became one of doubles after it."""
    try:
        return float(reading.settle(path, value, "f64")[0])
    except InvalidError as error:
        raise error.within(f"observation {row + 1}") from None


def select(batch: Batch, rows: Array) -> Batch:
    """Return some observations, in the order given.

    Args:
        batch: Observations.
        rows: Indices, or True for each row that is wanted, or a slice.
    """
    return Batch(
        batch.time[rows],
        Labels(batch.source.names, batch.source.codes[rows]),
        batch.seq[rows],
        Labels(batch.quality.names, batch.quality.codes[rows]),
        tuple(
            column._replace(
                values=column.values[rows],
                valid=None if column.valid is None else column.valid[rows],
                suspect=None if column.suspect is None else column.suspect[rows],
            )
            for column in batch.columns
        ),
    )


def requalified(batch: Batch, rows: Array, quality: str) -> Batch:
    """Return observations of which those that were good, among some rows, have another quality."""
    np = load_numpy()
    good = np.array([reading.is_good(name) for name in batch.quality.names], dtype=bool)
    changed = rows & good[batch.quality.codes]
    if not changed.any():
        return batch
    codes = np.where(changed, len(batch.quality.names), batch.quality.codes).astype(np.int32)
    return batch._replace(quality=Labels((*batch.quality.names, quality), codes))


def join(first: Batch, second: Batch) -> Batch:
    """Return the observations of both, the first's first. A series is of one kind in both."""
    np = load_numpy()
    sizes = len(first.time), len(second.time)
    there = {column.series: column for column in first.columns}
    new = {column.series: column for column in second.columns}
    columns = []
    for series in [*there, *(name for name in new if name not in there)]:
        halves = there.get(series), new.get(series)
        kind = next(half.kind for half in halves if half is not None)
        values, valid, suspect = [], [], []
        for half, size in zip(halves, sizes, strict=True):
            if half is None:
                values.append(np.full(size, _EMPTY[kind], dtype=_TYPES[kind]))
                valid.append(np.zeros(size, dtype=bool))
                suspect.append(np.zeros(size, dtype=bool))
            else:
                values.append(half.values)
                valid.append(np.ones(size, dtype=bool) if half.valid is None else half.valid)
                suspect.append(np.zeros(size, dtype=bool) if half.suspect is None else half.suspect)
        marks = np.concatenate(valid), np.concatenate(suspect)
        columns.append(
            Column(
                series,
                kind,
                np.concatenate(values),
                None if marks[0].all() else marks[0],
                marks[1] if marks[1].any() else None,
            )
        )
    return Batch(
        np.concatenate([first.time, second.time]),
        _join_labels(first.source, second.source),
        np.concatenate([first.seq, second.seq]),
        _join_labels(first.quality, second.quality),
        tuple(columns),
    )


def _join_labels(first: Labels, second: Labels) -> Labels:
    np = load_numpy()
    known = {name: code for code, name in enumerate(first.names)}
    moved = [known.setdefault(name, len(known)) for name in second.names]
    codes = np.array(moved, dtype="int32")[second.codes] if moved else second.codes
    return Labels(tuple(known), np.concatenate([first.codes, codes]))


def order(batch: Batch) -> Ordered:
    """Return a batch in order; observations of one time, source and seq become one.

    Of readings with one identity the first one given stays.
    """
    np = load_numpy()
    rank = np.argsort(np.argsort(np.array(batch.source.names, dtype=object), kind="stable"))
    sources = rank[batch.source.codes] if len(rank) else batch.source.codes
    rows = _sorted_rows(batch.time, sources, batch.seq)
    if rows is not None:
        batch, sources = select(batch, rows), sources[rows]
    fresh = np.ones(len(batch.time), dtype=bool)
    fresh[1:] = (
        (batch.time[1:] != batch.time[:-1])
        | (sources[1:] != sources[:-1])
        | (batch.seq[1:] != batch.seq[:-1])
    )
    if fresh.all():
        return Ordered(batch, 0, ())
    return _merge(batch, fresh, np.arange(len(fresh)) if rows is None else rows)


def _sorted_rows(time: Array, sources: Array, seq: Array) -> Array | None:
    """Return the order of rows; None if they are in it."""
    np = load_numpy()
    later = time[1:] > time[:-1]
    if later.all():
        return None
    same = time[1:] == time[:-1]
    more = sources[1:] > sources[:-1]
    right = later | (same & (more | ((sources[1:] == sources[:-1]) & (seq[1:] >= seq[:-1]))))
    return None if right.all() else np.lexsort((seq, sources, time))


def _merge(batch: Batch, fresh: Array, rows: Array) -> Ordered:
    np = load_numpy()
    groups = np.cumsum(fresh) - 1
    kept = select(batch, fresh)
    count = len(kept.time)
    columns, conflicts, repeats = [], [], 0
    for column, short in zip(batch.columns, kept.columns, strict=True):
        here = np.arange(len(fresh)) if column.valid is None else np.flatnonzero(column.valid)
        group, values = groups[here], column.values[here]
        first = np.ones(len(here), dtype=bool)
        first[1:] = group[1:] != group[:-1]
        leader = np.maximum.accumulate(np.where(first, np.arange(len(here)), 0))
        same = (values == values[leader]).astype(bool)
        repeats += int((same & ~first).sum())
        conflicts += [
            Conflict(int(rows[here[at]]), column.series, values[leader[at]], values[at])
            for at in np.flatnonzero(~same)
        ]
        made = np.full(count, _EMPTY[column.kind], dtype=_TYPES[column.kind])
        made[group[first]] = values[first]
        valid = np.zeros(count, dtype=bool)
        valid[group[first]] = True
        suspect = None
        if column.suspect is not None:
            suspect = np.zeros(count, dtype=bool)
            suspect[group[first]] = column.suspect[here][first]
        columns.append(
            short._replace(values=made, valid=None if valid.all() else valid, suspect=suspect)
        )
    conflicts.sort(key=lambda conflict: (conflict.row, conflict.series))
    return Ordered(kept._replace(columns=tuple(columns)), repeats, tuple(conflicts))


def subtract(batch: Batch, there: Batch) -> Ordered:
    """Return what a batch brings that is not there yet, in order.

    Args:
        batch: What comes.
        there: What is stored for the same times; conflicts name rows of ``batch``.
    """
    np = load_numpy()
    size = len(there.time)
    both = order(join(there, batch))
    old = order(there).batch
    known = {column.series: column for column in old.columns}
    # Both are in one order, so each old observation is found where the merged ones say.
    position = _positions(old, both.batch)
    columns: list[tuple[Column, Array]] = []
    wanted = np.zeros(len(both.batch.time), dtype=bool)
    for column in both.batch.columns:
        valid = np.ones(len(wanted), dtype=bool) if column.valid is None else column.valid.copy()
        before = known.get(column.series)
        if before is not None:
            valid[position if before.valid is None else position[before.valid]] = False
        if valid.any():
            wanted |= valid
            columns.append((column, valid))
    new = tuple(
        column._replace(valid=None if valid[wanted].all() else valid) for column, valid in columns
    )
    rest = select(both.batch._replace(columns=new), wanted)
    return Ordered(
        rest,
        batch.readings - rest.readings - len(both.conflicts),
        tuple(conflict._replace(row=conflict.row - size) for conflict in both.conflicts),
    )


def _positions(old: Batch, merged: Batch) -> Array:
    """Return where in the merged batch each old observation is; both are in order."""
    np = load_numpy()
    codes = {name: code for code, name in enumerate(merged.source.names)}
    moved = np.array([codes[name] for name in old.source.names], dtype="int32")
    joined = np.lexsort(
        (
            np.concatenate([np.zeros(len(old.time), "int8"), np.ones(len(merged.time), "int8")]),
            np.concatenate([old.seq, merged.seq]),
            np.concatenate([moved[old.source.codes], merged.source.codes]),
            np.concatenate([old.time, merged.time]),
        )
    )
    # Each old observation stands right before the merged one that it became.
    at = np.flatnonzero(joined < len(old.time))
    result = np.empty(len(old.time), dtype="int64")
    result[joined[at]] = joined[at + 1] - len(old.time)
    return result

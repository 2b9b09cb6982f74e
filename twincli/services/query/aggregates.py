"""Aggregates of buckets of time, from rollups where these suffice, else from the readings.

Both ways add up exactly, so that they give the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.analysis import buckets, sample, summary
from twincli.analysis.summary import FROM_VALUES, MERGEABLE, SAMPLES
from twincli.errors import UsageError
from twincli.model.batch import load_numpy
from twincli.services.query import answers, pieces, tables
from twincli.services.query.answers import Answer, Block, Column
from twincli.services.query.rows import Rows
from twincli.services.stream import rollups
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twincli.analysis.summary import Summary
    from twincli.model.batch import Array
    from twincli.services.query.asked import Asked
    from twincli.services.query.feed import Feed
    from twincli.services.query.pieces import Held, Piece
    from twincli.services.query.tables import Wanted

_HUNDREDTHS = {"median": 50, "p95": 95}


class Grid(NamedTuple):
    """The buckets.

    Attributes:
        since_us, until_us: The range.
        every_us: How long they are.
        asked: The rest.
    """

    since_us: int
    until_us: int
    every_us: int
    asked: Asked

    def begins(self, time: Array) -> Array:
        """Return the bucket of each time; they ascend."""
        asked = self.asked
        if asked.zone is not None and asked.days is not None:
            return buckets.begins_of_days(time, asked.days, asked.zone, asked.origin_us)
        return buckets.begins(time, self.every_us, self.origin_us)

    def listed(self) -> Array:
        """Return the beginnings of all buckets of the range."""
        asked = self.asked
        if asked.zone is not None and asked.days is not None:
            return buckets.day_edges(
                self.since_us, self.until_us, asked.days, asked.zone, asked.origin_us
            )
        return buckets.all_begins(self.since_us, self.until_us, self.every_us, self.origin_us)

    @property
    def origin_us(self) -> int:
        """A time at which a bucket begins; parts of a range begin with it."""
        return self.since_us if self.asked.points is not None else self.asked.origin_us

    @property
    def is_of_minutes(self) -> bool:
        """Whether its buckets are made of whole minutes."""
        if self.asked.zone is not None:
            # Zones had odd seconds once, and have not today.
            return not (self.listed() % buckets.MINUTE_US).any()
        return rollups.are_minutes([self.every_us, self.origin_us])


class Group(NamedTuple):
    """An aggregate of a stream.

    Attributes:
        path: The field.
        aggregate: Which.
        kind: Of what it gives.
        begins: Of the buckets that have it.
        values: Theirs.
    """

    path: str
    aggregate: str
    kind: str
    begins: Array
    values: Array


def grid(asked: Asked, held: Sequence[Held]) -> Grid | None:
    """Return the buckets of a query; None where there is no range, as there are no readings."""
    found = pieces.span_of(
        [
            piece
            for each in held
            for piece in pieces.in_range(each.pieces, asked.since_us, asked.until_us)
        ]
    )
    since = asked.since_us if asked.since_us is not None else found[0] if found else None
    until = asked.until_us if asked.until_us is not None else found[1] + 1 if found else None
    if since is None or until is None or since >= until:
        return None
    every = asked.every_us
    if every is None:
        every = -((since - until) // (asked.points or 1))
    return Grid(since, until, every, asked)


class Aggregates:
    """Answers a query about buckets.

    Attributes:
        conflicts: Readings that were there with another value, too, and were left out.
        columns: Of the answer.
    """

    def __init__(self, feed: Feed, asked: Asked, held: Sequence[Held]) -> None:
        self._feed = feed
        self._asked = asked
        self._held = held
        self._rows = Rows(
            feed, asked._replace(fields=answers.paths_of(asked.fields), reverse=False), held
        )
        self._grid = grid(asked, held)
        for wanted in self._rows.wanted:
            for path, kind in self._chosen(wanted).items():
                for aggregate in set(asked.aggregates) - set(SAMPLES):
                    summary.check_kind(f"{wanted.stream}.{path}", kind, aggregate)
                if asked.fill == "linear" and kind not in rollups.NUMBERS:
                    summary.check_kind(f"{wanted.stream}.{path}", kind, "line between its values")

    @property
    def conflicts(self) -> int:
        """Readings that were there with another value, too, and were left out."""
        return self._rows.conflicts

    def _chosen(self, wanted: Wanted) -> dict[str, str]:
        fields = answers.paths_of(self._asked.fields)
        return {
            path: kind for path, kind in wanted.kinds.items() if answers.is_chosen(path, fields)
        }

    def answer(self) -> Answer:
        """Return the rows: a bucket each, or those that a sample chose."""
        (first, *_) = self._asked.aggregates
        if first in SAMPLES:
            return self._sampled(first)
        groups = [
            [] if self._grid is None else self._of_stream(at, self._grid)
            for at in range(len(self._held))
        ]
        return _answer(groups, [each.name for each in self._held], self._asked, self._grid)

    # --- Buckets ---------------------------------------------------------------------------------

    def _of_stream(self, at: int, grid: Grid) -> list[Group]:
        wanted = self._rows.wanted[at]
        chosen = self._chosen(wanted)
        found = _Found({path: _Series(path, kind) for path, kind in chosen.items()}, grid)
        numbers = [path for path, kind in chosen.items() if kind in rollups.NUMBERS]
        is_simple = self._asked.where is None and len(numbers) == len(chosen)
        is_mergeable = set(self._asked.aggregates) <= set(MERGEABLE)
        by_minutes = is_simple and is_mergeable and grid.is_of_minutes
        run: list[Piece] = []
        for part in pieces.windows(self._rows.pieces[at]):
            (first, *more) = part
            if not first.is_plain or more or not is_simple:
                self._of_chunks(run, wanted, found)
                self._of_rows(part, wanted, found)
            elif (
                not by_minutes
                or first.lock is not None  # of which no rollup is made
                or not self._of_minutes(first, wanted, found)
            ):
                run.append(first)
        self._of_chunks(run, wanted, found)
        return found.groups(self._asked.aggregates)

    def _of_minutes(self, piece: Piece, wanted: Wanted, found: _Found) -> bool:
        """Take a chunk from its rollup; say whether that suffices."""
        assert piece.entry is not None
        since, until = wanted.since_us, wanted.until_us
        if since is not None and piece.first_us >= since:
            since = None
        if until is not None and piece.last_us < until:
            until = None
        if not rollups.are_minutes([since, until]):
            return False
        parts: dict[str, Summary] = {}
        for path in found.series:
            made = self._feed.minutes(piece.entry, wanted.stream, f"{wanted.stream}.{path}")
            made = None if made is None else rollups.within(made, since, until)
            if made is None:
                continue
            if self._asked.suspect and rollups.has_suspects(made):
                return False
            parts[path] = made
        for path, made in parts.items():
            found.take_summary(path, made)
        return True

    def _of_chunks(self, run: list[Piece], wanted: Wanted, found: _Found) -> None:
        """Take chunks that follow each other; none is left in the list."""
        entries = [piece.entry for piece in run if piece.entry is not None]
        run.clear()
        prefix = f"{wanted.stream}."

        def part(name: str, time: Array, values: Array, suspect: Array | None) -> _Part:
            if suspect is not None and not self._asked.suspect and suspect.any():
                time, values = time[~suspect], values[~suspect]
            return found.part(name.removeprefix(prefix), time, values)

        names = [prefix + path for path in found.series]
        for each in self._feed.values(
            entries, wanted.stream, names, wanted.since_us, wanted.until_us, part
        ):
            found.take(each)

    def _of_rows(self, part: Sequence[Piece], wanted: Wanted, found: _Found) -> None:
        batch = self._rows.batch(part, wanted)
        for column in batch.columns:
            path = column.series.partition(".")[2]
            if path in found.series:
                rows = slice(None) if column.valid is None else column.valid
                values = column.values
                if column.kind == "list":
                    values = _decoded(tables.values_of(column))
                found.take(found.part(path, batch.time[rows], values[rows]))

    # --- Samples ---------------------------------------------------------------------------------

    def _sampled(self, aggregate: str) -> Answer:
        fields = answers.paths_of(self._asked.fields)
        numbers = list(
            dict.fromkeys(
                path
                for wanted in self._rows.wanted
                for path, kind in self._chosen(wanted).items()
                if kind in rollups.NUMBERS
            )
        )
        if len(numbers) > 1 and not fields:
            raise UsageError(
                f"--agg {aggregate} follows one field, and there are {', '.join(numbers)}",
                hint=f"add --fields {numbers[0]}; what comes after it is shown beside it",
            )
        by = numbers[0] if numbers else ""
        several = (answers.STREAM,) if len(self._held) > 1 else ()
        named = tuple(dict.fromkeys((answers.TIMESTAMP, *several, *self._asked.fields)))
        asked = self._asked._replace(fields=named if fields else (), reverse=False)
        rows = Rows(self._feed, asked, self._held)
        blocks = []
        for stream in range(len(self._held)):
            parts = list(rows.blocks(stream))
            if parts:
                whole = _joined(parts)
                blocks.append(self._sample(aggregate, whole, rows.columns, by))
        if len(blocks) > 1:
            whole = _joined(blocks)
            blocks = [answers.take(whole, load_numpy().argsort(whole.time, kind="stable"))]
        if self._asked.reverse:
            blocks = [answers.backwards(block) for block in blocks]
        return Answer(rows.columns, iter(blocks))

    def _sample(self, aggregate: str, block: Block, columns: Sequence[Column], by: str) -> Block:
        np = load_numpy()
        at = [column.path for column in columns].index(by)
        there = np.array([value is not None for value in block.columns[at]], dtype=bool)
        block = answers.take(block, np.flatnonzero(there))
        values = np.array(block.columns[at])
        if len(values) == 0 or self._grid is None:
            return block
        if aggregate == "lttb":
            rows = sample.lttb(block.time, values, self._asked.points or 3)
        else:
            rows = sample.minmax(values, self._grid.begins(block.time))
        return answers.take(block, rows)


def _joined(blocks: Sequence[Block]) -> Block:
    np = load_numpy()
    return Block(
        np.concatenate([block.time for block in blocks]),
        tuple(
            [value for column in columns for value in column]
            for columns in zip(*(block.columns for block in blocks), strict=True)
        ),
    )


def _decoded(values: list[Any]) -> Array:
    np = load_numpy()
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


class _Series:
    """What was found of one series."""

    def __init__(self, path: str, kind: str) -> None:
        self.path = path
        self.kind = kind
        self.summaries: list[Summary] = []
        self.times: list[Array] = []
        self.values: list[Array] = []


class _Part(NamedTuple):
    """What is kept of readings of one series: they themselves, or their summary, or both."""

    path: str
    time: Array | None
    values: Array | None
    summary: Summary | None


class _Found:
    """What was found of a stream, part by part in the order of time."""

    def __init__(self, series: dict[str, _Series], grid: Grid) -> None:
        self.series = series
        self._grid = grid

    def take_summary(self, path: str, minutes: Summary) -> None:
        """Take a part as its minutes."""
        made = summary.regroup(minutes, self._grid.begins(minutes.begins))
        self.series[path].summaries.append(made)

    def part(self, path: str, time: Array, values: Array) -> _Part:
        """Return what is kept of readings of one series; nothing here changes."""
        is_number = self.series[path].kind in rollups.NUMBERS
        aggregates = set(self._grid.asked.aggregates)
        made = None
        if is_number and len(time):
            made = summary.summarise(
                time, values, self._grid.begins(time), squares="stddev" in aggregates
            )
        is_kept = len(time) and (not is_number or aggregates & set(FROM_VALUES))
        return _Part(path, time if is_kept else None, values if is_kept else None, made)

    def take(self, part: _Part) -> None:
        """Take the next part."""
        series = self.series[part.path]
        if part.time is not None:
            series.times.append(part.time)
            series.values.append(part.values)
        if part.summary is not None:
            series.summaries.append(part.summary)

    def groups(self, aggregates: Sequence[str]) -> list[Group]:
        """Return what was asked for."""
        return [
            group
            for series in self.series.values()
            for group in _groups(series, aggregates, self._grid)
        ]


def _groups(series: _Series, aggregates: Sequence[str], grid: Grid) -> Iterator[Group]:
    np = load_numpy()
    whole = summary.merge(series.summaries) if series.summaries else None
    whole = None if whole is None else rollups.good(whole)
    time = np.concatenate(series.times) if series.times else None
    values = None if time is None else np.concatenate(series.values)
    for aggregate in aggregates:
        if aggregate in FROM_VALUES:
            if time is not None and values is not None:
                begins = grid.begins(time)
                found = summary.quantiles(values, begins, _HUNDREDTHS[aggregate])
                starts = begins[buckets.starts_of(begins)]
                yield Group(series.path, aggregate, "f64", starts, found)
        elif series.kind in rollups.NUMBERS:
            if whole is not None:
                found, there = summary.answer(whole, aggregate)
                kind = "i64" if found.dtype == np.int64 else "f64"
                yield Group(series.path, aggregate, kind, whole.begins[there], found[there])
        elif time is not None and values is not None:
            begins = grid.begins(time)
            starts = buckets.starts_of(begins)
            ends = np.append(starts[1:], len(time)) - 1
            picked = {"count": ends - starts + 1, "first": values[starts], "last": values[ends]}
            kind = "i64" if aggregate == "count" else series.kind
            yield Group(series.path, aggregate, kind, begins[starts], picked[aggregate])


def _answer(
    groups: Sequence[Sequence[Group]], names: Sequence[str], asked: Asked, grid: Grid | None
) -> Answer:
    """Return the rows of all streams: a bucket each."""
    np = load_numpy()
    kinds: dict[tuple[str, str], set[str]] = {}
    for found in groups:
        for group in found:
            kinds.setdefault((group.path, group.aggregate), set()).add(
                "f64" if asked.fill == "linear" else group.kind
            )
    several = len(asked.aggregates) > 1
    about = [Column(answers.TIMESTAMP, "time")]
    if len(names) > 1 or answers.STREAM in asked.fields:
        about.append(Column(answers.STREAM, "text"))
    columns = [
        Column(
            f"{path}_{aggregate}" if several else path,
            "f64" if len(found) > 1 and found <= rollups.NUMBERS else min(found),
        )
        for (path, aggregate), found in kinds.items()
    ]
    blocks = []
    for name, found in zip(names, groups, strict=True):
        if grid is None:
            continue
        if asked.fill is not None:
            listed = grid.listed()
        elif found:
            listed = np.unique(np.concatenate([group.begins for group in found]))
        else:
            continue
        made: list[list[Any]] = [[]]
        if len(about) > 1:
            made.append([name] * len(listed))
        known = {(group.path, group.aggregate): group for group in found}
        for key in kinds:
            chosen = known.get(key)
            if chosen is None:
                made.append([None] * len(listed))
                continue
            values, valid = buckets.fill(chosen.begins, chosen.values, listed, asked.fill or "null")
            made.append(values.tolist() if valid.all() else buckets.as_list(values, valid))
        blocks.append(Block(listed, tuple(made)))
    if not blocks:
        return Answer((*about, *columns), iter(()))
    whole = blocks[0]
    if len(blocks) > 1:
        whole = _joined(blocks)
        whole = answers.take(whole, np.argsort(whole.time, kind="stable"))
    if asked.reverse:
        whole = answers.backwards(whole)
    return Answer((*about, *columns), iter([whole]))

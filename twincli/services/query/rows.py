"""Rows: the observations of several streams in one order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.model import batch as batches
from twincli.model import expression, reading
from twincli.model.batch import load_numpy
from twincli.services.query import answers, pieces, tables
from twincli.services.query.answers import Answer, Block, Column
from twincli.services.query.asked import RECORDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twincli.model.batch import Array, Batch
    from twincli.model.expression import Node
    from twincli.services.query.asked import Asked
    from twincli.services.query.feed import Feed
    from twincli.services.query.pieces import Held, Piece
    from twincli.services.query.tables import Wanted


class Rows:
    """Reads rows.

    Attributes:
        conflicts: Readings that were there with another value, too, and were left out so far.
    """

    def __init__(self, feed: Feed, asked: Asked, held: Sequence[Held]) -> None:
        self._feed = feed
        self._asked = asked
        self._held = held
        self.conflicts = 0
        by_recorded = asked.by == RECORDED
        since, until = (None, None) if by_recorded else (asked.since_us, asked.until_us)
        self.pieces = [_chosen(each, asked) for each in held]
        kinds = [
            tables.kinds(feed, chosen, each.name)
            for each, chosen in zip(held, self.pieces, strict=True)
        ]
        self.wanted = [
            tables.Wanted(each.name, self._wanted(each.name, found), since, until, asked.suspect)
            for each, found in zip(held, kinds, strict=True)
        ]
        self.columns = self._columns()

    def _wanted(self, stream: str, found: dict[str, set[str]]) -> dict[str, str]:
        """Return the series that have to be read, with their kinds."""
        asked = self._asked
        values = [field for field in asked.fields if field not in answers.ABOUT]
        # With no value chosen, each observation is a row.
        fields = [*values, *_looked_at(asked.where)] if values else []
        return {
            path: tables.one_kind(stream, path, kinds)
            for path, kinds in found.items()
            if answers.is_chosen(path, fields)
        }

    def _columns(self) -> tuple[Column, ...]:
        asked = self._asked
        kinds: dict[str, set[str]] = {}
        for wanted in self.wanted:
            for path, kind in wanted.kinds.items():
                kinds.setdefault(path, set()).add(kind)
        fields = asked.fields or (
            answers.TIMESTAMP,
            *((answers.STREAM,) if len(self._held) > 1 else ()),
            *kinds,
            *((answers.QUALITY,) if asked.suspect else ()),
        )
        columns: dict[str, Column] = {}
        for field in fields:
            if field in answers.ABOUT:
                kind = {answers.TIMESTAMP: "time", answers.SEQ: "i64"}.get(field, "text")
                columns[field] = Column(field, kind)
                continue
            for path, found in kinds.items():
                if answers.is_chosen(path, [field]):
                    columns[path] = Column(path, _common(found))
        return tuple(columns.values())

    def answer(self) -> Answer:
        """Return the rows; they are read when they are asked for."""
        return Answer(self.columns, self.blocks())

    def batches(self, only: int | None = None) -> Iterator[list[Batch]]:
        """Yield the observations of each window, one batch a stream.

        Args:
            only: Which stream; None: all.
        """
        every = [
            piece
            for at, chosen in enumerate(self.pieces)
            for piece in chosen
            if only is None or at == only
        ]
        arrange = pieces.anchored if self._asked.by == RECORDED else pieces.windows
        parts = arrange(every)
        for part in reversed(parts) if self._asked.reverse else parts:
            yield [
                self.batch([piece for piece in part if piece.stream == at], wanted)
                for at, wanted in enumerate(self.wanted)
            ]

    def batch(self, part: Sequence[Piece], wanted: Wanted) -> Batch:
        """Return the observations of pieces of one stream that the query is about."""
        found = tables.table(self._feed, part, wanted)
        self.conflicts += found.conflicts
        if self._asked.where is None or len(found.batch.time) == 0:
            return found.batch
        return batches.select(found.batch, _holds(self._asked.where, found.batch, wanted.stream))

    def blocks(self, only: int | None = None) -> Iterator[Block]:
        """Yield the rows, those of a window together.

        Args:
            only: Of which stream; None: of all.
        """
        np = load_numpy()
        for found in self.batches(only):
            blocks = [
                block
                for batch, wanted in zip(found, self.wanted, strict=True)
                if len((block := self._block(batch, wanted.stream)).time)
            ]
            if not blocks:
                continue
            block = blocks[0]
            if len(blocks) > 1:
                block = Block(
                    np.concatenate([each.time for each in blocks]),
                    tuple(
                        [value for column in columns for value in column]
                        for columns in zip(*(each.columns for each in blocks), strict=True)
                    ),
                )
                block = answers.take(block, np.argsort(block.time, kind="stable"))
            yield answers.backwards(block) if self._asked.reverse else block

    def _block(self, batch: Batch, stream: str) -> Block:
        batch = self._with_values(batch)
        count = len(batch.time)
        known = {column.series: column for column in batch.columns}
        columns: list[list[Any]] = []
        for path, kind in self.columns:
            if kind == "time":
                columns.append([])
            elif path == answers.STREAM:
                columns.append([stream] * count)
            elif path == answers.SOURCE:
                columns.append([batch.source.names[code] for code in batch.source.codes.tolist()])
            elif path == answers.SEQ:
                columns.append(batch.seq.tolist())
            else:
                column = known.get(f"{stream}.{path}")
                values = [None] * count if column is None else tables.values_of(column)
                if path == answers.QUALITY:
                    values = [reading.GOOD if value is None else value for value in values]
                columns.append(values)
        return Block(batch.time, tuple(columns))

    def _with_values(self, batch: Batch) -> Batch:
        """Return the observations that have one of the values that are asked for."""
        np = load_numpy()
        chosen = {column.path for column in self.columns} - set(answers.ABOUT)
        if not chosen or not self._asked.fields:
            return batch
        there = np.zeros(len(batch.time), dtype=bool)
        for column in batch.columns:
            if column.series.partition(".")[2] in chosen:
                if column.valid is None:
                    return batch
                there |= column.valid
        return batches.select(batch, there)


def _common(kinds: set[str]) -> str:
    """Return the kind of a column that several streams share."""
    if kinds == {"f64", "i64"}:
        return "f64"
    return kinds.pop() if len(kinds) == 1 else "any"


def _chosen(held: Held, asked: Asked) -> list[Piece]:
    if asked.by != RECORDED:
        return pieces.in_range(held.pieces, asked.since_us, asked.until_us)
    return [
        piece
        for piece in held.pieces
        if (asked.since_us is None or (_recorded(piece, asked.since_us) >= asked.since_us))
        and (asked.until_us is None or (_recorded(piece, asked.until_us) < asked.until_us))
    ]


def _recorded(piece: Piece, otherwise: int) -> int:
    return otherwise if piece.recorded_ms is None else piece.recorded_ms * 1000


def _looked_at(where: Node | None) -> list[str]:
    return [] if where is None else [".".join(path) for path in expression.paths(where)]


def _holds(where: Node, batch: Batch, stream: str) -> Array:
    """Say of each observation whether an expression holds for it."""
    np = load_numpy()
    test = expression.predicate(where)
    paths = [column.series.partition(".")[2] for column in batch.columns]
    values = [tables.values_of(column) for column in batch.columns]
    moments = answers.time_texts(batch.time, 6)
    found = np.zeros(len(batch.time), dtype=bool)
    for at, moment in enumerate(moments):
        document = reading.nest(
            (path, column[at])
            for path, column in zip(paths, values, strict=True)
            if column[at] is not None
        )
        document[answers.TIMESTAMP] = moment
        document[answers.STREAM] = stream
        document[answers.SOURCE] = batch.source.names[batch.source.codes[at]]
        document[answers.SEQ] = int(batch.seq[at])
        document.setdefault(answers.QUALITY, reading.GOOD)
        found[at] = test(document)
    return found

"""What a query answers: columns, and rows in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.model import reading, times
from twincli.model.batch import load_numpy
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.model.batch import Array

TIMESTAMP, STREAM, SOURCE, QUALITY, SEQ = ABOUT = (
    "timestamp",
    "stream",
    "source",
    "quality",
    "seq",
)
"""What is said of an observation, beside its values."""


class Column(NamedTuple):
    """A column of an answer.

    Attributes:
        path: Dotted.
        kind: One of ``reading.KINDS``; ``time``.
    """

    path: str
    kind: str


class Block(NamedTuple):
    """Some rows.

    Attributes:
        time: Microseconds, of each.
        columns: The values of each column, None where a row has none; that of the time is empty.
    """

    time: Array
    columns: tuple[list[Any], ...]


class Answer(NamedTuple):
    """What was found.

    Attributes:
        columns: In order.
        blocks: The rows, as they are read.
        nested: Whether a dot in the name of a column nests.
    """

    columns: tuple[Column, ...]
    blocks: Iterator[Block]
    nested: bool = True


def time_texts(time: Array, digits: int) -> list[str]:
    """Return times as RFC 3339; those that need six digits have them."""
    np = load_numpy()
    if digits == 3 and len(time) and (time % 1000).any():
        digits = 6
    if len(time) and not (time.min() >= times.EARLIEST_US and time.max() <= times.LATEST_US):
        return [times.microseconds_text(each, digits) for each in time.tolist()]
    unit = "ms" if digits == 3 else "us"
    whole = time // 1000 if digits == 3 else time
    texts: list[str] = np.datetime_as_string(whole.astype(f"M8[{unit}]")).tolist()
    return [text + "Z" for text in texts]


def rows(answer: Answer, digits: int) -> Iterator[list[Any]]:
    """Yield the rows, each a value a column; times are texts."""
    at = [place for place, column in enumerate(answer.columns) if column.kind == "time"]
    for block in answer.blocks:
        columns = list(block.columns)
        for place in at:
            columns[place] = time_texts(block.time, digits)
        if not columns:
            yield from ([] for _ in range(len(block.time)))
            continue
        yield from map(list, zip(*columns, strict=True))


def documents(answer: Answer, digits: int, *, nulls: bool) -> Iterator[dict[str, Any]]:
    """Yield the rows as objects; dotted paths are nested again.

    Args:
        answer: What was found.
        digits: Of the second.
        nulls: Whether a value that is not there is null; otherwise it is left out.
    """
    paths = [column.path for column in answer.columns]
    is_flat = not answer.nested or not any("." in path for path in paths)
    for row in rows(answer, digits):
        pairs = zip(paths, row, strict=True)
        found = [pair for pair in pairs if nulls or pair[1] is not None]
        yield dict(found) if is_flat else reading.nest(found)


def cut(answer: Answer, limit: int) -> tuple[Answer, bool]:
    """Return the first rows of an answer, and whether there are more."""
    blocks: list[Block] = []
    count = 0
    for block in answer.blocks:
        size = len(block.time)
        if count + size > limit:
            left = limit - count
            blocks.append(Block(block.time[:left], tuple(each[:left] for each in block.columns)))
            return answer._replace(blocks=iter(blocks)), True
        blocks.append(block)
        count += size
    return answer._replace(blocks=iter(blocks)), False


def backwards(block: Block) -> Block:
    """Return a block with its last row first."""
    return Block(block.time[::-1], tuple(column[::-1] for column in block.columns))


def take(block: Block, order: Array) -> Block:
    """Return some rows of a block, in the order given."""
    at = order.tolist()
    return Block(
        block.time[order],
        tuple([column[row] for row in at] if column else column for column in block.columns),
    )

"""What a query answers: columns, and rows in blocks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from twincli.model import reading, times
from twincli.model.batch import load_numpy
from twincli.values import TYPE_CHECKING, Any, NamedTuple

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


_DAY_US = 86_400_000_000
_MINUTE_US = 60_000_000


class Column(NamedTuple):
    """A column of an answer.

    Attributes:
        path: Dotted.
        kind: One of ``reading.KINDS``; ``time``.
    """

    path: str
    kind: str


class Numbers(Sequence[float]):
    """Doubles as they were written, which is what most of them are wanted for.

    Attributes:
        texts: As Python and JSON write them.
    """

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, at: int | slice) -> Any:
        found = self.texts[at]
        return float(found) if isinstance(found, str) else Numbers(found)

    def __iter__(self) -> Iterator[float]:
        return map(float, self.texts)


class Block(NamedTuple):
    """Some rows.

    Attributes:
        time: Microseconds, of each.
        columns: The values of each column, None where a row has none; that of the time is empty.
    """

    time: Array | list[int]
    columns: tuple[Sequence[Any], ...]


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


def paths_of(fields: Sequence[str]) -> tuple[str, ...]:
    """Return the fields that are values of readings."""
    return tuple(field for field in fields if field not in ABOUT)


def is_chosen(path: str, fields: Sequence[str]) -> bool:
    """Say whether a path is one of the fields, or inside one."""
    return not fields or any(path == field or path.startswith(field + ".") for field in fields)


def time_texts(time: Array | list[int], digits: int) -> list[str]:
    """Return times as RFC 3339; those that need six digits have them.

    A list holds whole minutes, in order.
    """
    if isinstance(time, list):
        is_reversed = len(time) > 1 and time[0] > time[-1]
        return _minute_texts(time[::-1])[::-1] if is_reversed else _minute_texts(time)
    np = load_numpy()
    if digits == 3 and len(time) and (time % 1000).any():
        digits = 6
    if len(time) and not (time.min() >= times.EARLIEST_US and time.max() <= times.LATEST_US):
        return [times.microseconds_text(each, digits) for each in time.tolist()]
    unit = "ms" if digits == 3 else "us"
    whole = time // 1000 if digits == 3 else time
    texts: list[str] = np.datetime_as_string(whole.astype(f"M8[{unit}]")).tolist()
    return [text + "Z" for text in texts]


def _minute_texts(time: list[int]) -> list[str]:
    ends = [f"T{hour:02}:{minute:02}:00.000Z" for hour in range(24) for minute in range(60)]
    found: list[str] = []
    at, size = 0, len(time)
    while at < size:
        day, rest = divmod(time[at], _DAY_US)
        begin = times.microseconds_text(day * _DAY_US, 3)[:-14]
        minute = rest // _MINUTE_US
        stop = min(size, at + 1440 - minute)
        if time[stop - 1] - time[at] == (stop - 1 - at) * _MINUTE_US:  # they follow each other
            found += [begin + end for end in ends[minute : minute + stop - at]]
        else:
            stop = bisect_left(time, (day + 1) * _DAY_US, at)
            rests = [each - day * _DAY_US for each in time[at:stop]]
            found += [begin + ends[each // _MINUTE_US] for each in rests]
        at = stop
    return found


def cells(columns: Sequence[Column], block: Block, digits: int) -> list[Sequence[Any]]:
    """Return the values of each column of a block; times are texts."""
    return [
        time_texts(block.time, digits) if column.kind == "time" else values
        for column, values in zip(columns, block.columns, strict=True)
    ]


def rows_of(columns: Sequence[Sequence[Any]], count: int) -> Iterator[list[Any]]:
    """Yield columns as rows; without columns, rows of nothing."""
    if not columns:
        return ([] for _ in range(count))
    return map(list, zip(*columns, strict=True))


def rows(answer: Answer, digits: int) -> Iterator[list[Any]]:
    """Yield the rows, each a value a column; times are texts."""
    for block in answer.blocks:
        yield from rows_of(cells(answer.columns, block, digits), len(block.time))


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
